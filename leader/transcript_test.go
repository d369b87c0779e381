// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

var update = flag.Bool("update", false, "write the answers of the transcripts")

// TestTranscripts plays the scripts in testdata/election. A line "> command" is followed by the decisions of the election of one node; -update
// writes them. The time is T, a duration since the start, which never goes back:
//
//	> T self [id=b] [height=5] [highest=9] [fails|pulls] [joining|joined] [moved]   our own side; what is not named stays
//	> T hear a [height=5] [leads] [near]                                    a heartbeat
//	> T gone a                                                              it died or left
//	> T step                                                                nothing but time
//	> T yield                                                               leading ended by itself
//	> T found nothing|shown|withheld|blind                                  what a look has shown
//	> T run [a b]      steps at every wake until T, with a heartbeat of a and b every 5 s; only changes are shown
//
// Nobody looks in scripts whose names do not begin with "look".
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/election/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			timing := leader.Timing{}
			if !strings.HasPrefix(name, "look") {
				timing.LookAfter = -1
			}
			got := newScript(t, timing).play(string(want))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			require.Equal(t, string(want), got)
		})
	}
}

var epoch = time.Unix(0, 0)

var findings = map[string]leader.Finding{"nothing": leader.Nothing, "shown": leader.Shown, "withheld": leader.Withheld, "blind": leader.Blind}

type scriptedElection struct {
	t        *testing.T
	election *leader.Election
	in       leader.Input
	now      time.Duration
	last     leader.Decision
	out      strings.Builder
}

func newScript(t *testing.T, timing leader.Timing) *scriptedElection {
	election, err := leader.NewElection(timing)
	require.NoError(t, err)
	return &scriptedElection{t: t, election: election, in: leader.Input{Self: "b", Height: 100, CanPull: true}}
}

func (s *scriptedElection) play(text string) string {
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			s.out.WriteString(line)
			s.run(strings.Fields(command))
		case strings.HasPrefix(line, "#") || line == "\n":
			s.out.WriteString(line)
		}
	}
	return s.out.String()
}

func (s *scriptedElection) run(words []string) {
	at, err := time.ParseDuration(words[0])
	require.NoError(s.t, err)
	require.GreaterOrEqual(s.t, at, s.now)
	if words[1] == "run" {
		s.until(at, words[2:])
		return
	}
	s.now = at
	switch words[1] {
	case "self":
		s.self(words[2:])
	case "hear":
		s.hear(words[2], words[3:])
	case "gone":
		s.in.Peers = slices.DeleteFunc(s.in.Peers, func(c leader.Candidate) bool { return c.ID == peer.ID(words[2]) })
	case "yield":
		s.election.Yield(epoch.Add(s.now))
	case "found":
		s.election.Looked(epoch.Add(s.now), findings[words[2]])
	case "step":
	default:
		s.t.Fatalf("unknown command %v", words)
	}
	s.show(s.step())
}

func (s *scriptedElection) step() leader.Decision {
	s.last = s.election.Step(epoch.Add(s.now), s.in)
	return s.last
}

func (s *scriptedElection) show(d leader.Decision) {
	what := "nobody leads"
	switch {
	case d.Lead:
		what = "leads"
	case d.Leader != "":
		what = "follows " + string(d.Leader)
	}
	if d.Tell {
		what += ", tells"
	}
	if d.Look {
		what += ", looks"
	}
	wake := "never"
	if !d.Wake.IsZero() {
		wake = d.Wake.Sub(epoch).String()
	}
	fmt.Fprintf(&s.out, "%v: %s: %s; wake %s\n", s.now, what, d.Reason, wake)
}

func (s *scriptedElection) until(end time.Duration, beating []string) {
	for beat := s.now; s.now < end; {
		next := end
		if wake := s.last.Wake; !wake.IsZero() {
			next = min(next, wake.Sub(epoch))
		}
		next = min(next, beat)
		s.now = max(next, s.now)
		if s.now == beat {
			beat += interval
			for i, c := range s.in.Peers {
				if slices.Contains(beating, string(c.ID)) {
					s.in.Peers[i].LastSeen = epoch.Add(s.now)
				}
			}
		}
		before := s.last
		if d := s.step(); d.Lead != before.Lead || d.Leader != before.Leader || d.Reason != before.Reason || d.Tell || d.Look {
			s.show(d)
		}
	}
}

func (s *scriptedElection) self(words []string) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "id":
			s.in.Self = peer.ID(value)
		case "height":
			s.in.Height = s.number(value)
		case "highest":
			s.in.Highest = s.number(value)
		case "pulls", "fails":
			s.in.CanPull = key == "pulls"
		case "moved":
			s.in.Moved = epoch.Add(s.now)
		case "joining", "joined":
			s.in.Joining = key == "joining"
		default:
			s.t.Fatalf("unknown word %q", word)
		}
	}
}

func (s *scriptedElection) hear(id string, words []string) {
	c := leader.Candidate{ID: peer.ID(id), Height: 100, LastSeen: epoch.Add(s.now)}
	for _, word := range words {
		if value, ok := strings.CutPrefix(word, "height="); ok {
			c.Height = s.number(value)
		} else {
			require.Contains(s.t, []string{"leads", "near"}, word)
			c.Leads, c.Near = c.Leads || word == "leads", c.Near || word == "near"
		}
	}
	s.in.Peers = append(slices.DeleteFunc(s.in.Peers, func(o leader.Candidate) bool { return o.ID == c.ID }), c)
}

func (s *scriptedElection) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(s.t, err)
	return n
}
