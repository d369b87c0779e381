// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/devnet"
)

func TestRestartOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 2)
		n.startAll()
		n.order(10, 4<<10, 50*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		for _, p := range n.peers {
			p.stop()
		}
		n.kill()
		time.Sleep(time.Minute)
		for _, p := range n.peers {
			p.open()
			p.join()
			require.EqualValues(t, 11, p.channel.Height(), "height of peer %d out of its ledger", p.number)
			p.stop()
		}
		n.serve()
		n.startAll()
		n.order(10, 4<<10, 50*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		n.requireView(n.peers...)
	})
}

// TestLedgerOfTheCaller: the channel neither opens nor closes it, and goes on from where it stands.
func TestLedgerOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 2)
		n.peers[0].start(weft.AsLeader())
		own, err := ledger.Open(filepath.Join(t.TempDir(), "own"), ledger.Options{Channel: channelName})
		require.NoError(t, err)
		n.peers[1].start(weft.WithLedger(own))
		n.order(5, 4<<10, 10*time.Millisecond)
		n.requireAll(10*time.Second, n.peers...)
		require.EqualValues(t, 6, own.Height())

		n.peers[1].stop()
		n.order(5, 4<<10, 10*time.Millisecond)
		_, err = own.Bytes(5)
		require.NoError(t, err, "the channel closed the caller's ledger")
		n.peers[1].start(weft.WithLedger(own))
		n.requireAll(10*time.Second, n.peers...)
		n.peers[1].stop()
		require.NoError(t, own.Close())
	})
}

// TestIdentityIsRenewed: with the same certificate and with a new one and a new key, on live connections.
func TestIdentityIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 2, 2)
		n.startAll()
		renewed := n.peers[2] // a leader: it signs announcements and asks the ordering service
		id, before := renewed.host.ID(), renewed.connections()
		for _, node := range []*devnet.Node{renewed.node, n.enroll(renewed.org, "peer0", devnet.Peer)} {
			local, err := node.Local()
			require.NoError(t, err)
			require.NoError(t, renewed.weft.SetIdentity(context.Background(), local))
			for _, p := range n.peers {
				for _, m := range p.channel.Members() {
					require.True(t, m.Alive, "%s, as peer %d knows it", m.ID, p.number)
				}
			}
			n.order(5, 4<<10, 50*time.Millisecond)
			n.requireAll(time.Second, n.peers...)
			n.requireView(n.peers...)
			require.Equal(t, id, renewed.weft.ID())
			require.Subset(t, renewed.connections(), before)
			require.Equal(t, node.Certificate.Raw, n.member(n.peers[0], id).Record.Identity().Certificate().Raw)
		}
		other, err := n.peers[0].node.Local()
		require.NoError(t, err)
		require.ErrorIs(t, renewed.weft.SetIdentity(context.Background(), other), weft.ErrOtherOrg)
	})
}

// connections are the IDs of the peer's connections.
func (p *testPeer) connections() map[string]peer.ID {
	all := map[string]peer.ID{}
	for _, c := range p.host.Network().Conns() {
		all[c.ID()] = c.RemotePeer()
	}
	return all
}

func (n *testNet) member(p *testPeer, id peer.ID) weft.Member {
	for _, m := range p.channel.Members() {
		if m.ID == id {
			return m
		}
	}
	require.Fail(n.t, "no such member", "%s, at peer %d", id, p.number)
	return weft.Member{}
}

// TestLeaveIsSeenAtOnce: by everybody, a round trip later; and the leaver can come back.
func TestLeaveIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 2, 2)
		n.startAll()
		leaver, rest := n.peers[1], []*testPeer{n.peers[0], n.peers[2], n.peers[3]}
		require.NoError(t, leaver.channel.Leave(context.Background()))
		require.Empty(t, leaver.weft.Channels())
		time.Sleep(300 * time.Millisecond)
		for _, p := range rest {
			require.False(t, p.lists(leaver), "peer %d still lists the leaver", p.number)
		}
		n.order(5, 4<<10, 50*time.Millisecond)
		n.requireMembers(rest...)
		leaver.join()
		n.requireAll(time.Second, n.peers...)
		n.requireView(n.peers...)
	})
}

// TestLeaveOfANewMemberIsSeenAtOnce: before pubsub has taken it into a mesh, when only streams reach the others.
func TestLeaveOfANewMemberIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 2, 1)
		stays, leaver := n.peers[0], n.peers[1]
		stays.start()
		time.Sleep(meeting)
		leaver.start()
		for !stays.lists(leaver) {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, leaver.channel.Leave(context.Background()))
		time.Sleep(300 * time.Millisecond)
		require.False(t, stays.lists(leaver))
	})
}

// lists says whether a peer has another one in its view.
func (p *testPeer) lists(other *testPeer) bool {
	return slices.ContainsFunc(p.channel.Members(), func(m weft.Member) bool { return m.ID == other.host.ID() })
}

// TestCloseLeavesNothing: no handler, topic or validator; so a second node on the same host works, and only then.
func TestCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 2)
		n.startAll()
		p := n.peers[1]
		local, err := p.node.Local()
		require.NoError(t, err)
		_, err = weft.New(p.host, p.host.pubsub, local, weft.WithGuard(p.host.guard), weft.WithLogger(n.log))
		require.ErrorIs(t, err, weft.ErrHostInUse)
		n.order(5, 4<<10, 10*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		for _, name := range n.topicNames() {
			_, err := p.host.pubsub.Join(name)
			require.Error(t, err, "topic %s is free while the node is open", name)
		}

		require.NoError(t, p.weft.Close())
		require.NoError(t, p.weft.Close(), "twice")
		for _, name := range n.topicNames() {
			require.Error(t, p.host.pubsub.UnregisterTopicValidator(name), "validator of %s", name)
			topic, err := p.host.pubsub.Join(name)
			require.NoError(t, err)
			require.NoError(t, topic.Close())
		}
		for _, id := range p.host.Mux().Protocols() {
			require.NotContains(t, id, "/weft/")
		}
		for _, c := range p.host.Network().Conns() {
			require.False(t, p.host.ConnManager().IsProtected(c.RemotePeer(), "weft-member"))
		}
		_, err = p.weft.Join(context.Background(), n.genesis)
		require.ErrorIs(t, err, weft.ErrClosed)

		p.newNode()
		p.join()
		time.Sleep(meeting)
		n.order(5, 4<<10, 10*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		n.requireView(n.peers...)
	})
}

func TestJoinRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 1)
		p := n.peers[0].start(weft.AsLeader())
		n.order(1, 1<<10, 0)
		n.requireAll(time.Second, p)
		ctx := context.Background()

		_, err := p.weft.Join(ctx, n.genesis)
		require.ErrorIs(t, err, weft.ErrJoined)
		_, err = p.weft.Join(ctx, n.ordered(1))
		require.ErrorIs(t, err, weft.ErrGenesis)
		_, err = p.weft.Join(ctx, nil)
		require.ErrorIs(t, err, weft.ErrGenesis)

		require.NoError(t, p.channel.Close())
		_, other := n.newOrdering()
		_, err = p.weft.Join(ctx, other)
		require.ErrorIs(t, err, weft.ErrOtherGenesis)
		p.join() // nothing of the failed one is left
		require.EqualValues(t, 2, p.channel.Height())
	})
}

// TestBlocksFollow: the iterator yields what is there, waits for what comes, and ends when the channel does.
func TestBlocksFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 1)
		p := n.peers[0].start(weft.AsLeader())
		var numbers []uint64
		ended := make(chan error)
		go func() {
			for b, err := range p.channel.Blocks(context.Background(), 1) {
				if err != nil {
					ended <- err
					break
				}
				numbers = append(numbers, b.Header.Number)
			}
		}()
		n.order(3, 1<<10, time.Second)
		require.NoError(t, p.channel.Close())
		require.ErrorIs(t, <-ended, weft.ErrClosed)
		require.Equal(t, []uint64{1, 2, 3}, numbers)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.join()
		require.ErrorIs(t, p.channel.WaitHeight(ctx, 100), context.DeadlineExceeded)
	})
}
