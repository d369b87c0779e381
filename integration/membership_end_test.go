// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// ends are the ways in which somebody ceases to be a member. Each prepares its cause and returns what causes it, and calls before a little before.
var ends = []struct {
	name  string
	alone bool // the whole organization ends: the victim is all of it
	cause func(n *testNet, victim *testPeer) func(before func())
}{
	{"expired", false, func(n *testNet, victim *testPeer) func(func()) {
		end := time.Now().Add(time.Minute).Truncate(time.Second)
		victim.renew(end)
		return func(before func()) {
			time.Sleep(time.Until(end) - time.Second)
			before()
			time.Sleep(time.Until(end))
		}
	}},
	{"revoked", false, func(n *testNet, victim *testPeer) func(func()) {
		require.NoError(n.t, victim.org.Revoke(victim.node.Certificate, time.Now()))
		return func(before func()) { before(); n.configure(devnet.SetMSP(victim.org)) }
	}},
	{"organization removed", true, func(n *testNet, victim *testPeer) func(func()) {
		return func(before func()) { before(); n.configure(devnet.RemoveOrg(victim.org.Name)) }
	}},
	{"CA removed", true, func(n *testNet, victim *testPeer) func(func()) {
		require.NoError(n.t, victim.org.RotateCA(time.Now()))
		n.configure(devnet.SetMSP(victim.org))
		n.requireAll(time.Second, n.running()...)
		victim.org.RetireCA()
		return func(before func()) { before(); n.configure(devnet.SetMSP(victim.org)) }
	}},
}

// TestWhoIsNoMemberLosesEverything: the elected leader of an organization expires, is revoked, or its organization or CA is
// removed, while it downloads blocks and holds streams open. Within one heartbeat all others have dropped it from their views
// and as a leader, have cut its streams, and have closed its connections if the host is their own. From the moment on at which
// a peer has committed the configuration, or by the clock, no byte of a block, an announcement, a heartbeat or an address
// reaches it from there, whatever it tries; and the rest go on.
func TestWhoIsNoMemberLosesEverything(t *testing.T) {
	for _, end := range ends {
		for _, on := range standings {
			t.Run(end.name+" on "+on.name, func(t *testing.T) {
				if testing.Short() && on.plain {
					t.Skip("weft's own hosts come first")
				}
				synctest.Test(t, func(t *testing.T) {
					n := newNet(t, lan, 2, 2)
					for _, p := range n.peers {
						p.plain, p.guarded, p.tap = on.plain, on.guarded, &tap{}
					}
					victim, rest := n.peers[3], n.peers[:3]
					victim.wire = &wire{}
					if end.alone {
						rest = n.peers[:2]
					}
					victim.start(elected())
					n.awaitLeader(10 * time.Second)
					for _, p := range rest {
						p.start(elected())
					}
					time.Sleep(meeting)
					cause := end.cause(n, victim)
					n.order(4, 1<<20, 100*time.Millisecond)
					n.requireAll(5*time.Second, n.running()...)
					n.requireView(n.running()...)
					n.loseEverything(victim, rest, cause)
				})
			})
		}
	}
}

// loseEverything has a victim cease to be a member, and requires all that this means.
func (n *testNet) loseEverything(victim *testPeer, rest []*testPeer, cause func(before func())) {
	t, before := n.t, victim.connections()
	was, ended := n.orderer.Height(), n.watchEnd(rest)
	var held []network.Stream
	for _, p := range rest {
		require.Contains(t, n.holdings(p, victim, before), "view", "peer %d", p.number)
	}
	request := delimited(&syncpb.Request{Scope: topics.Name(topics.Announcements, channelName, block.HeaderHash(n.genesis.Header)), From: 1, To: 4})
	cause(func() { // one stream that is being served, and two on which nothing whole was said yet
		for _, p := range rest {
			held = append(held, victim.hold(p, blocksync.Protocol.ID, request), victim.hold(p, topics.PushProtocol.ID, []byte{200}), victim.hold(p, relay.Protocol.ID, []byte{2, 200}))
		}
		time.Sleep(500 * time.Millisecond)
	})
	event, height := time.Now(), n.orderer.Height()
	for _, p := range rest {
		for what := n.holdings(p, victim, before); len(what) > 0; what = n.holdings(p, victim, before) {
			require.Less(t, time.Since(event), membership.DefaultTiming().AliveInterval, "peer %d leaves it %v", p.number, what)
			time.Sleep(5 * time.Millisecond)
		}
	}
	t.Logf("all was lost %s after the event", time.Since(event))
	for _, s := range held {
		got, err := io.Copy(io.Discard, s)
		require.Error(t, err, "stream of %s was ended in good order", s.Protocol())
		require.Less(t, got, int64(2<<20), "bytes of an answer of 4 MiB")
	}
	time.Sleep(heartbeat)
	for _, p := range rest {
		if p.org == victim.org {
			leader, _ := p.channel.Leader()
			require.Equal(t, p.host.ID(), leader, "the one who is left leads")
		}
	}
	if victim.node.Certificate.NotAfter.Before(event) {
		require.False(t, victim.channel.Status().Leads, "the victim knows that it has expired, and thinks that it leads")
	}
	require.LessOrEqual(t, victim.channel.Height(), height, "the victim got blocks")
	w, wicked := n.turnWicked(victim), time.Now()
	n.order(5, 2<<10, 300*time.Millisecond)
	n.intrude([]*stranger{w}, rest)
	n.order(2, 200<<10, 300*time.Millisecond)
	n.intrude([]*stranger{w}, rest)
	time.Sleep(2 * heartbeat)
	n.requireAll(time.Second, rest...)
	n.requireMembers(rest...)
	for _, p := range rest {
		at := event // by the clock
		if height > was {
			at = ended(p)
		}
		require.NotZero(t, at)
		w.requireSilence(p, at.Add(inFlight), wicked, height)
	}
}

// inFlight is how long after it was sent something may arrive.
const inFlight = 20 * time.Millisecond

// watchEnd notes when each peer commits the next block, if it does before the test asks.
func (n *testNet) watchEnd(peers []*testPeer) func(*testPeer) time.Time {
	var mu sync.Mutex
	at := map[*testPeer]time.Time{}
	next := n.orderer.Height() + 1
	for _, p := range peers {
		go func() {
			if p.channel.WaitHeight(context.Background(), next) == nil {
				mu.Lock()
				defer mu.Unlock()
				at[p] = time.Now()
			}
		}()
	}
	return func(p *testPeer) time.Time {
		mu.Lock()
		defer mu.Unlock()
		return at[p]
	}
}

// requireSilence requires that a peer has told a former member nothing since it is none: no block behind the configuration that
// made an end of it, no heartbeat, and nobody's address. What it held up before, it may still have read until it turned wicked;
// since then it was not told the channel's name either, and nobody passed on what it said.
func (s *stranger) requireSilence(p *testPeer, since, wicked time.Time, first uint64) {
	t, all := s.net.t, s.wire.from(p.host.ID(), since)
	s.requireNothing(all, first)
	for _, other := range s.net.peers {
		s.requireNoAddress(all, p, other)
	}
	later := s.wire.from(p.host.ID(), wicked)
	t.Logf("from peer %d it got %d bytes after the end, %d of them when it had turned wicked", p.number, len(all), len(later))
	require.Contains(t, string(later), "/multistream/", "it heard nothing at all")
	s.requireNothing(later, 1)
	require.False(t, bytes.Contains(later, []byte(channelName)), "name of the channel")
	require.False(t, p.tap.passedOn(mark), "peer %d passed on what it said", p.number)
}

// turnWicked makes a stranger of a peer that was a member: it goes on without weft, knows all names, and speaks by hand.
func (n *testNet) turnWicked(p *testPeer) *stranger {
	local, err := msp.NewSigningIdentity(p.org.MSPID, p.node.CertPEM(), p.node.Key)
	require.NoError(n.t, err)
	then := p.node.Certificate.NotAfter.Add(-time.Minute)
	if time.Now().Before(then) {
		then = time.Now()
	}
	record, err := msp.IssueRecord(p.key, local, uint64(time.Now().UnixNano()), then)
	require.NoError(n.t, err)
	w := &stranger{net: n, name: "that was a member", host: p.host, key: p.key, record: record, speaks: pubsubProtocols, wire: p.wire, heard: map[protocol.ID]*bytes.Buffer{}}
	w.local = &msp.Local{Signer: local}
	require.NoError(n.t, p.weft.Close())
	p.weft = nil // it does not run any more
	n.t.Cleanup(func() { require.NoError(n.t, p.host.close()) })
	w.answer()
	return w
}

// holdings is what a peer still leaves to a victim.
func (n *testNet) holdings(p, victim *testPeer, before map[string]peer.ID) (what []string) {
	id := victim.host.ID()
	if slices.ContainsFunc(p.channel.Members(), func(m weft.Member) bool { return m.ID == id }) {
		what = append(what, "view")
	}
	if leader, _ := p.channel.Leader(); leader == id {
		what = append(what, "leadership")
	}
	for _, c := range p.host.Network().ConnsToPeer(id) {
		for _, s := range c.GetStreams() {
			if slices.Contains([]protocol.ID{blocksync.Protocol.ID, topics.PushProtocol.ID, relay.Protocol.ID}, s.Protocol()) {
				what = append(what, "stream "+string(s.Protocol()))
			}
		}
	}
	for _, c := range victim.host.Network().ConnsToPeer(p.host.ID()) {
		if before[c.ID()] != "" && !p.plain {
			what = append(what, "connection")
		}
	}
	return what
}

// hold opens a stream by hand, says something on it, and does not read.
func (p *testPeer) hold(to *testPeer, id protocol.ID, data []byte) network.Stream {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	s, err := p.host.NewStream(ctx, to.host.ID(), id)
	require.NoError(p.net.t, err)
	_, _ = s.Write(data)
	_ = s.SetReadDeadline(time.Now().Add(time.Minute))
	p.net.t.Cleanup(func() { _ = s.Reset() })
	return s
}

// running are the peers that run.
func (n *testNet) running() (all []*testPeer) {
	for _, p := range n.peers {
		if p.weft != nil {
			all = append(all, p)
		}
	}
	return all
}

// renew gives a peer another certificate for the key that it has, which is good until end, on the running node if it runs.
func (p *testPeer) renew(end time.Time) {
	node, err := p.org.Renew(p.node, time.Now().Add(-time.Hour), end)
	require.NoError(p.net.t, err)
	p.node = node
	local, err := node.Local()
	require.NoError(p.net.t, err)
	require.NoError(p.net.t, p.weft.SetIdentity(context.Background(), local))
}
