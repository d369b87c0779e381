// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// network is what the page's commands started.
type network struct {
	t         *testing.T
	dir       string     // where they ran
	running   []*process // in the order of the page: the ordering service, then the peers
	following []command  // the ones that wait for a height, one for each peer
}

// chain is what "weft channel getinfo" says.
type chain struct {
	Height   uint64 `json:"height"`
	Current  string `json:"currentBlockHash"`
	Previous string `json:"previousBlockHash"`
}

// status is what of "weft channel status --output json" is looked at.
type status struct {
	State  string `json:"state"`
	Height uint64 `json:"height"`
	Lag    uint64 `json:"lag"`
}

// byHand runs the commands of the page one after another, on other ports.
func byHand(t *testing.T) *network {
	t.Helper()
	needBinary(t)
	dir := shortDir(t)
	n := &network{t: t, dir: dir}
	for _, c := range readPage(t) {
		switch {
		case slices.Equal(c.args[1:3], []string{"devnet", "init"}):
			require.Contains(t, succeed(t, dir, c.with(freePorts(t)...)), "weft node start")
		case c.background:
			n.running = append(n.running, start(t, dir, c))
		default:
			succeed(t, dir, c)
			n.following = append(n.following, c)
		}
	}
	require.Len(t, n.running, 1+len(n.following), "an ordering service, and peers that are looked at")
	for i, c := range n.following {
		require.Equal(t, n.running[i+1].command.env, c.env, "peers are looked at in the order in which they were started")
	}
	return n
}

// shortDir is a folder with a short name: there are Unix sockets below it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// stopped is how a process was ended.
type stopped func(*process, *testing.T)

// restart ends a process and starts it again with the same command, or with another.
func (n *network) restart(i int, end stopped, c ...command) {
	n.t.Helper()
	end(n.running[i], n.t)
	n.resume(i, c...)
}

func (n *network) resume(i int, c ...command) {
	n.t.Helper()
	again := n.running[i].command
	if len(c) > 0 {
		again = c[0]
	}
	n.running[i] = start(n.t, n.dir, again)
}

// reach waits until a peer has a height, and returns its chain.
func (n *network) reach(peer int, height uint64) (c chain) {
	n.t.Helper()
	follow := n.following[peer-1]
	follow.args = slices.Clone(follow.args)
	follow.args[slices.Index(follow.args, "--wait-height")+1] = strconv.FormatUint(height, 10)
	text, found := strings.CutPrefix(succeed(n.t, n.dir, follow), "Blockchain info: ")
	require.True(n.t, found, text)
	require.NoError(n.t, json.Unmarshal([]byte(text), &c))
	require.GreaterOrEqual(n.t, c.Height, height)
	return c
}

// reachAll waits until every peer has a height, and requires that they have the same chain.
func (n *network) reachAll(height uint64) chain {
	n.t.Helper()
	first := n.reach(1, height)
	require.Equal(n.t, height, first.Height)
	require.NotEmpty(n.t, first.Current)
	for peer := 2; peer < len(n.running); peer++ {
		require.Equal(n.t, first, n.reach(peer, height))
	}
	return first
}

// status asks a peer how it stands.
func (n *network) status(peer int) (s status) {
	n.t.Helper()
	c := n.following[peer-1]
	at := slices.Index(c.args, "-c")
	c.args = []string{"weft", "channel", "status", "-c", c.args[at+1], "--output", "json"}
	require.NoError(n.t, json.Unmarshal([]byte(succeed(n.t, n.dir, c)), &s))
	return s
}

// ordering is the command of the ordering service with so many blocks to order in all, at a rate.
func (n *network) ordering(blocks, rate int) command {
	c := n.running[0].command
	c.args = slices.Clone(c.args[:3]) // weft orderer DIR
	return c.with("--blocks", strconv.Itoa(blocks), "--rate", strconv.Itoa(rate))
}
