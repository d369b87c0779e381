// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

// TestTranscripts plays the scripts in testdata/view. A line "> command" is
// followed by what the view answered; -update writes the answers.
//
//	config scope=channel members=4 per-identity=2   (first, optional)
//	member alice org1 [as=bob]                      a host key, of bob's identity
//	T hear alice 1.7 org|channel [height=5] [addrs=a,b] [leader] [leaving] [unlisted]
//	T expire | T next | T unreachable alice | T forget alice
//	keep alice | unkeep alice | view | highest | above 5 | twins alice
//
// T is a duration since the start, and may go back. Incarnations are numbers.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/view/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			got := newScript(t).play(string(want))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			require.Equal(t, string(want), got)
		})
	}
}

type script struct {
	t          *testing.T
	view       *membership.View
	start      time.Time
	identities map[string]*msp.SigningIdentity
	records    map[string]*msp.Record // by name and incarnation
	names      map[peer.ID]string
}

func newScript(t *testing.T) *script {
	return &script{
		t: t, start: time.Now().Truncate(time.Second), identities: map[string]*msp.SigningIdentity{},
		view:    newView(t, membership.ViewConfig{Scope: scope, Self: peerID(t, "self")}),
		records: map[string]*msp.Record{}, names: map[peer.ID]string{peerID(t, "self"): "self"},
	}
}

func (s *script) play(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			out.WriteString(line)
			for _, answer := range s.run(strings.Fields(command)) {
				fmt.Fprintln(&out, answer)
			}
		case strings.HasPrefix(line, "#") || line == "\n":
			out.WriteString(line)
		}
	}
	return out.String()
}

func (s *script) run(words []string) []string {
	now := s.start
	if d, err := time.ParseDuration(words[0]); err == nil {
		now, words = s.start.Add(d), words[1:]
	}
	who := peer.ID("")
	if len(words) > 1 {
		who = s.peer(words[1])
	}
	switch words[0] {
	case "config":
		s.config(words[1:])
	case "member":
		s.member(words[1:])
	case "hear":
		return s.changes(s.view.Observe(now, source(words[3]), s.heartbeat(words[1], words[2], words[4:])))
	case "expire":
		return s.changes(s.view.Expire(now)...)
	case "unreachable":
		return s.changes(s.view.Unreachable(now, who))
	case "forget":
		return s.changes(s.view.Forget(now, who))
	case "keep", "unkeep":
		s.view.Keep(who, words[0] == "keep")
	case "next":
		next, ok := s.view.Next(now)
		if !ok {
			return []string{"never"}
		}
		return []string{next.Sub(s.start).String()}
	default:
		return s.query(words, who)
	}
	return nil
}

func (s *script) query(words []string, who peer.ID) (lines []string) {
	switch words[0] {
	case "view":
		for _, m := range s.view.Members() {
			lines = append(lines, s.describe(m))
		}
		living, known := s.view.Count()
		lines = append(lines, fmt.Sprintf("%d alive of %d", living, known))
	case "highest":
		id, height := s.view.Highest()
		lines = append(lines, fmt.Sprintf("%s %d", s.names[id], height))
	case "above":
		for _, m := range s.view.AtOrAbove(s.number(words[1])) {
			lines = append(lines, s.describe(m))
		}
	case "twins":
		for _, id := range s.view.Twins(who) {
			lines = append(lines, s.names[id])
		}
	default:
		s.t.Fatalf("unknown command %v", words)
	}
	return lines
}

func (s *script) config(words []string) {
	c := membership.ViewConfig{Self: peerID(s.t, "self")}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "scope":
			if value == "channel" {
				c.Scope = scope
			}
		case "members":
			c.Limits.Members = int(s.number(value))
		case "per-identity":
			c.Limits.PerIdentity = int(s.number(value))
		}
	}
	s.view = newView(s.t, c)
}

func (s *script) member(words []string) {
	name, owner := words[0], words[0]
	if len(words) > 2 {
		owner = strings.TrimPrefix(words[2], "as=")
	}
	if s.identities[owner] == nil {
		s.identities[owner] = identity(s.t, words[1])
	}
	s.identities[name] = s.identities[owner]
	s.names[peerID(s.t, name)] = name
}

func (s *script) peer(name string) peer.ID { return peerID(s.t, name) }

func (s *script) heartbeat(name, at string, words []string) *membership.Heartbeat {
	incarnation, sequence, _ := strings.Cut(at, ".")
	h := &membership.Heartbeat{Record: s.record(name, incarnation), Sequence: s.number(sequence)}
	claim := state(0)
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "height":
			claim = state(s.number(value))
		case "addrs":
			for a := range strings.SplitSeq(value, ",") {
				h.Addrs = append(h.Addrs, addr(s.t, "/dns4/"+a+"/tcp/1"))
			}
		case "leader":
			defer func() { h.Channels[0].Leader = true }()
		case "leaving":
			h.Leaving = true
		case "unlisted":
			claim.Scope = "/weft/1/other"
		default:
			s.t.Fatalf("unknown word %q", word)
		}
	}
	h.Channels = []membership.ChannelState{claim}
	return h
}

func (s *script) record(name, incarnation string) *msp.Record {
	key := name + " " + incarnation
	if s.records[key] == nil {
		if s.identities[name] == nil {
			s.member([]string{name, "org1"})
		}
		s.records[key] = recordAt(s.t, s.start, name, s.identities[name], s.number(incarnation))
	}
	return s.records[key]
}

func (s *script) changes(all ...membership.Change) (lines []string) {
	for _, c := range all {
		line := c.Kind.String()
		if c.Member.ID != "" {
			line += " " + s.describe(c.Member)
		}
		lines = append(lines, line)
		if c.Displaced != nil {
			lines = append(lines, "displaced "+s.describe(*c.Displaced))
		}
	}
	return lines
}

func (s *script) describe(m membership.Member) string {
	words := []string{s.names[m.ID], m.MSPID, "dead"}
	if m.Alive {
		words[2] = "alive"
	}
	if m.Record != nil {
		words = append(words, fmt.Sprintf("%d.%d", m.Record.Incarnation(), m.Sequence), "seen="+m.LastSeen.Sub(s.start).String())
	}
	if m.State.Height > 0 {
		words = append(words, fmt.Sprintf("height=%d", m.State.Height))
	}
	if m.State.Leader {
		words = append(words, "leader")
	}
	if m.Visible {
		words = append(words, "visible")
	}
	if len(m.Addrs) > 0 {
		words = append(words, "addrs="+hosts(m.Addrs))
	}
	return strings.Join(words, " ")
}

func hosts(addrs []ma.Multiaddr) string {
	var names []string
	for _, a := range addrs {
		name, _ := a.ValueForProtocol(ma.P_DNS4)
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

func (s *script) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(s.t, err)
	return n
}

func source(word string) membership.Source {
	if word == "channel" {
		return membership.Channel
	}
	return membership.Organization
}
