// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/leader"
)

// Of a look with the default settings: after how long without a block members begin to look, and how long one takes at most.
const (
	lookAfter = 30 * time.Second
	lookTakes = 11 * time.Second
)

// keepsAll is the source of a leader that claims to pull and keeps all blocks back.
type keepsAll struct{}

func (keepsAll) Pull(ctx context.Context, _ uint64, _ leader.Submit) error {
	<-ctx.Done()
	return ctx.Err()
}

// startBehindLiars starts all peers, of each organization the first as a leader that keeps all blocks back, and requires that everybody
// follows it. It returns the honest ones.
func (n *testNet) startBehindLiars() (honest []*testPeer) {
	led := map[string]*testPeer{}
	for _, p := range n.peers {
		if led[p.org.Name] == nil {
			led[p.org.Name] = p.start(weft.AsLeader(), weft.WithSource(keepsAll{}))
			continue
		}
		honest = append(honest, p.start(elected()))
	}
	time.Sleep(10 * time.Second)
	for _, p := range honest {
		id, _ := p.channel.Leader()
		require.Equal(n.t, led[p.org.Name].host.ID(), id)
	}
	return honest
}

// TestEveryLeaderWithholds: no organization has a leader that brings blocks. They come in all the same, within the time that looks take, and
// the next ones at once, since those who withheld them are passed over.
func TestEveryLeaderWithholds(t *testing.T) {
	for name, c := range map[string]struct{ orgs, peers int }{"one organization": {1, 5}, "three organizations": {3, 3}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, c.orgs, c.peers)
				honest := n.startBehindLiars()
				time.Sleep(time.Minute)
				n.order(5, 2<<10, 0)
				t.Logf("the first blocks after %s", n.requireAll(lookAfter+lookTakes+time.Second, n.peers...))
				for range 3 {
					time.Sleep(time.Minute)
					n.order(2, 100<<10, 0)
					n.requireAll(time.Second, honest...)
				}
				require.NotEmpty(t, n.leading(honest))
				open, most := n.orderer.Streams()
				t.Logf("%d streams, %d at once at most", open, most)
				require.LessOrEqual(t, most, c.orgs+1, "leaders, and looks")
			})
		})
	}
}

// leading are those who lead.
func (n *testNet) leading(of []*testPeer) (leading []*testPeer) {
	for _, p := range of {
		if p.channel.Status().Leads {
			leading = append(leading, p)
		}
	}
	return leading
}

// TestLooksDisturbNobody: while nothing is ordered, while blocks come, and while no orderer can be reached, the leaders stay or change as they
// would without looks, nobody is passed over, and the log says nothing of it.
func TestLooksDisturbNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		var log lines
		n.log = slog.New(slog.NewTextHandler(&log, nil))
		for _, p := range n.peers {
			p.start(elected())
		}
		time.Sleep(10 * time.Second)
		before, dialed := n.leaders(), n.dialed()
		require.Len(t, before, 2)
		time.Sleep(5 * time.Minute)
		looks := n.dialed() - dialed
		t.Logf("%d looks in 5 minutes", looks)
		require.InDelta(t, int(5*time.Minute/lookAfter), looks, 6, "one a turn, and the first patrol of each of the four")

		n.order(60, 2<<10, time.Second)
		n.requireAll(time.Second, n.peers...)
		require.Equal(t, before, n.leaders())

		n.kill()
		log.clear()
		time.Sleep(3 * time.Minute)
		t.Logf("%d warnings while no orderer can be reached", log.count("level=WARN"))
		require.Less(t, log.count("level=WARN"), 30)
		require.Zero(t, log.count("looked"))
		n.serve()
		n.order(3, 2<<10, 0)
		t.Logf("the first blocks after %s", n.requireAll(30*time.Second, n.peers...))
		require.Zero(t, log.count("it is passed over"))
	})
}

// lines is a log.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

// count is how many times a text is in the log.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.buf.Bytes(), []byte(text))
}
