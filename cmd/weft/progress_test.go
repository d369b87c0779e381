// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/admin"
)

func TestProgress(t *testing.T) {
	for name, c := range map[string]struct {
		live bool
		want string
	}{
		"lines": {false, "1 of 4 blocks\n2 of 4 blocks\n4 of 4 blocks\n"},
		"a bar": {true, "\r\x1b[K[#######.......................] 1 of 4 blocks\r\x1b[K[###############...............] 2 of 4 blocks" +
			"\r\x1b[K[##############################] 4 of 4 blocks\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			now := time.Unix(1, 0)
			p := newProgress(&out, "blocks", now)
			p.live = c.live
			p.show(0, 4, now) // too early
			p.show(1, 4, now.Add(relate))
			p.show(1, 4, now.Add(relate+redraw/2))
			p.show(2, 4, now.Add(2*relate))
			p.end(4, 4)
			p.leave()
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestProgressOfWhatIsQuickIsNotShown(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	p := newProgress(&out, "blocks", now)
	p.show(1, 4, now)
	p.end(4, 4)
	p.leave()
	require.Empty(t, out.String())
}

func TestBarOfOddNumbers(t *testing.T) {
	require.Equal(t, "["+"##############################"+"]", bar(0, 0))
	require.Equal(t, bar(1, 1), bar(9, 1))
	require.Equal(t, bar(0, 5), bar(0, 1<<63))
}

func TestCaughtUp(t *testing.T) {
	streaming, failing := &admin.Source{State: "streaming"}, &admin.Source{State: "failing"}
	for name, c := range map[string]struct {
		status admin.Status
		quiet  time.Duration
		want   bool
	}{
		"nobody to say so":               {admin.Status{Height: 1, Highest: 1}, time.Hour, false},
		"behind a member":                {admin.Status{Lag: 1, Peers: []admin.Peer{{Alive: true}}}, time.Hour, false},
		"as high as every member":        {admin.Status{Peers: []admin.Peer{{}, {Alive: true}}}, 0, true},
		"only dead members":              {admin.Status{Peers: []admin.Peer{{}}}, time.Hour, false},
		"blocks come from the orderer":   {admin.Status{Source: streaming}, calm - 1, false},
		"the orderer has nothing new":    {admin.Status{Source: streaming}, calm, true},
		"the orderer cannot be reached":  {admin.Status{Source: failing}, time.Hour, false},
		"behind although nothing comes":  {admin.Status{Source: streaming, Lag: 1}, time.Hour, false},
		"members are better than no one": {admin.Status{Source: failing, Peers: []admin.Peer{{Alive: true}}}, 0, true},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, caughtUp(c.status, c.quiet)) })
	}
}
