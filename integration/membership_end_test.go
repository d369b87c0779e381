// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
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
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
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
// and as a leader, have cut its streams, and have closed its connections if the host is their own. From then on it gets no
// byte of the channel, and the rest go on.
func TestWhoIsNoMemberLosesEverything(t *testing.T) {
	for _, end := range ends {
		for _, plain := range []bool{false, true} {
			name := end.name + " on weft's hosts"
			if plain {
				name = end.name + " on a caller's hosts"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNet(t, lan, 2, 2)
					for _, p := range n.peers {
						p.plain, p.tap = plain, &tap{}
					}
					victim, rest := n.peers[3], n.peers[:3]
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
	var held []network.Stream
	for _, p := range rest {
		require.Contains(t, n.holdings(p, victim, before), "view", "peer %d", p.number)
	}
	request := delimited(&syncpb.Request{Scope: topics.Name(topics.Announcements, channelName, block.HeaderHash(n.genesis.Header)), From: 1, To: 4})
	cause(func() { // one stream that is being served, and one on which nothing whole was said yet
		for _, p := range rest {
			held = append(held, victim.hold(p, blocksync.Protocol.ID, request), victim.hold(p, topics.PushProtocol.ID, []byte{200}))
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
	w := n.turnWicked(victim)
	n.order(5, 2<<10, 300*time.Millisecond)
	w.intrude(rest)
	n.order(2, 200<<10, 300*time.Millisecond)
	w.intrude(rest)
	time.Sleep(2 * heartbeat)
	n.requireAll(time.Second, rest...)
	n.requireMembers(rest...)
	require.Equal(t, w.before, victim.heard(), "messages that pubsub brought to the victim")
	require.Zero(t, w.got.Load(), "bytes that the victim got on weft's streams")
}

// wicked is a host whose identity was good, and which goes on without weft: it knows all names, and speaks by hand.
type wicked struct {
	*testPeer
	record []byte
	before int          // messages that it heard on pubsub until now
	got    atomic.Int64 // bytes on streams, without libp2p's negotiation and authentication
}

func (n *testNet) turnWicked(p *testPeer) *wicked {
	local, err := msp.NewSigningIdentity(p.org.MSPID, p.node.CertPEM(), p.node.Key)
	require.NoError(n.t, err)
	then := p.node.Certificate.NotAfter.Add(-time.Minute)
	if time.Now().Before(then) {
		then = time.Now()
	}
	record, err := msp.IssueRecord(p.key, local, uint64(time.Now().UnixNano()), then)
	require.NoError(n.t, err)
	w := &wicked{testPeer: p, record: record.Bytes()}
	require.NoError(n.t, p.weft.Close())
	p.weft = nil // it does not run any more
	n.t.Cleanup(func() { require.NoError(n.t, p.host.Close()) })
	for _, id := range []protocol.ID{blocksync.Protocol.ID, topics.PushProtocol.ID} {
		p.host.SetStreamHandler(id, func(s network.Stream) { w.listen(s) })
	}
	for _, kind := range []topics.Kind{topics.Announcements, topics.Members} {
		topic, err := p.host.pubsub.Join(topics.Name(kind, channelName, block.HeaderHash(n.genesis.Header)))
		require.NoError(n.t, err)
		_, err = topic.Subscribe()
		require.NoError(n.t, err)
	}
	w.before = p.heard()
	return w
}

func (w *wicked) listen(s network.Stream) {
	n, _ := io.Copy(io.Discard, s)
	w.got.Add(n)
}

// intrude connects to peers, shows them the record that was good, and asks for blocks.
func (w *wicked) intrude(peers []*testPeer) {
	name := topics.Name(topics.Announcements, channelName, block.HeaderHash(w.net.genesis.Header))
	for _, p := range peers {
		info := peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Network().ListenAddresses()}
		require.NoError(w.net.t, w.host.Connect(context.Background(), info))
		w.say(p, weftHost.AuthProtocol.ID, delimited(&hostpb.AuthRequest{Record: w.record}))
		_ = w.host.Connect(context.Background(), info) // it was thrown out
		w.got.Add(w.say(p, blocksync.Protocol.ID, delimited(&syncpb.Request{Scope: name, From: 1, To: 4})))
	}
}

// say says something on a stream of its own and returns how many bytes are answered; none on a connection that was closed.
func (w *wicked) say(to *testPeer, id protocol.ID, data []byte) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	s, err := w.host.NewStream(ctx, to.host.ID(), id)
	if err != nil {
		return 0
	}
	_, _ = s.Write(data)
	_ = s.SetReadDeadline(time.Now().Add(3 * time.Second))
	got, _ := io.Copy(io.Discard, s)
	_ = s.Reset()
	return got
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
			if s.Protocol() == blocksync.Protocol.ID || s.Protocol() == topics.PushProtocol.ID {
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

// heard is how many messages the peer's pubsub was given by others.
func (p *testPeer) heard() (count int) {
	p.tap.mu.Lock()
	defer p.tap.mu.Unlock()
	for _, m := range p.tap.delivered {
		if m.ReceivedFrom != p.host.ID() {
			count++
		}
	}
	return count
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
