// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
)

var update = flag.Bool("update", false, "write what the planner does into the transcripts")

// TestPlannerTranscripts plays the lines of each file in testdata/planner to a planner whose next number is 1. A line is
//
//	+200ms                     time passes
//	have a 10                  a says it has all blocks below 10
//	gone a
//	done a 1-16 got=16 height=20 failed lied late full
//	progress a 1-16
//	lied a, proved a
//	buffered 1-5               candidates for these are there
//	committed 6
//	plan, plan streaming       what it answers follows, each line after "> "
func TestPlannerTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/planner/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, string(raw))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			require.Equal(t, string(raw), got)
		})
	}
}

// player is a planner and the time.
type player struct {
	t        *testing.T
	now      time.Time
	buffered map[uint64]bool
	*blocksync.Planner
}

func play(t *testing.T, script string) string {
	p := &player{t: t, now: time.Unix(1000, 0), buffered: map[uint64]bool{}}
	p.Planner = blocksync.NewPlanner(1, func(number uint64) bool { return p.buffered[number] })
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line)
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			out.WriteString(p.do(words))
		}
	}
	return out.String()
}

func (p *player) do(words []string) string {
	switch name := words[0]; name {
	case "have":
		p.Have(p.now, peer.ID(words[1]), p.number(words[2]))
	case "gone":
		p.Gone(peer.ID(words[1]))
	case "lied":
		p.Lied(p.now, peer.ID(words[1]))
	case "proved":
		p.Proved(peer.ID(words[1]))
	case "committed":
		p.Committed(p.now, p.number(words[1]))
	case "progress":
		p.Progress(p.now, p.fetch(words))
	case "done":
		p.Done(p.now, p.fetch(words), p.result(words[3:]))
	case "buffered":
		f := p.fetch([]string{"", "", words[1]})
		for number := f.From; number <= f.To; number++ {
			p.buffered[number] = true
		}
	case "plan":
		return p.plan(len(words) > 1)
	default:
		d, err := time.ParseDuration(strings.TrimPrefix(name, "+"))
		require.NoError(p.t, err, "line %q", words)
		p.now = p.now.Add(d)
	}
	return ""
}

func (p *player) plan(streaming bool) string {
	var out strings.Builder
	fetches, again := p.Plan(p.now, streaming)
	for _, f := range fetches {
		fmt.Fprintf(&out, "> %s %d-%d\n", string(f.Peer), f.From, f.To)
	}
	if again.IsZero() {
		return out.String() + "> wait for an event\n"
	}
	return out.String() + fmt.Sprintf("> again in %s\n", again.Sub(p.now))
}

func (p *player) number(word string) (n uint64) {
	_, err := fmt.Sscan(word, &n)
	require.NoError(p.t, err)
	return n
}

// fetch reads "name peer from-to".
func (p *player) fetch(words []string) blocksync.Fetch {
	f := blocksync.Fetch{Peer: peer.ID(words[1])}
	_, err := fmt.Sscanf(words[2], "%d-%d", &f.From, &f.To)
	require.NoError(p.t, err)
	return f
}

func (p *player) result(words []string) (r blocksync.Result) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "got":
			r.Got = int(p.number(value))
		case "height":
			r.Height = p.number(value)
		case "failed":
			r.Failed = true
		case "lied":
			r.Lied, r.Failed = true, true
		case "late":
			r.Late, r.Failed = true, true
		case "full":
			r.Full = true
		default:
			p.t.Fatalf("result %q", word)
		}
	}
	return r
}
