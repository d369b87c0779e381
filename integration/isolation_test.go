// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/topics"
)

// standings are what the members of a channel stand on.
var standings = []struct {
	name           string
	plain, guarded bool
}{
	{"weft's hosts", false, false},
	{"a caller's pubsub with the guard", true, true},
	{"a caller's pubsub without it", true, false},
}

// outsiders are those who never were members. They know all topic names, and the messages that the members send each other.
var outsiders = []struct {
	name   string
	manner manner
	speaks []protocol.ID // of pubsub
	org    func(n *testNet, other *devnet.Org) *devnet.Org
}{
	{"of an organization that is not in the channel", shows, pubsubProtocols, strange},
	{"that speaks floodsub", shows, []protocol.ID{pubsub.FloodSubID}, strange},
	{"that speaks old gossipsub", shows, []protocol.ID{pubsub.GossipSubID_v11, pubsub.GossipSubID_v10}, strange},
	{"of the channel that never authenticates", mute, pubsubProtocols, ofTheChannel},
	{"of the channel that stalls in authentication", stalls, pubsubProtocols, ofTheChannel},
	{"of another channel on the same nodes", shows, pubsubProtocols, func(_ *testNet, other *devnet.Org) *devnet.Org { return other }},
}

func strange(n *testNet, _ *devnet.Org) *devnet.Org      { return n.newOrg("Strangers") }
func ofTheChannel(n *testNet, _ *devnet.Org) *devnet.Org { return n.orgs[1] }

// TestOutsidersHearNothing: hosts that are connected to every peer try whatever the protocols let them say, again and again.
// Of every byte that reaches them, none is of a block, an announcement, a heartbeat, a certificate, the address of somebody
// else or the name of the channel; and nobody passes on what they say.
func TestOutsidersHearNothing(t *testing.T) {
	for i, on := range standings {
		t.Run("members on "+on.name, func(t *testing.T) {
			if testing.Short() && i > 0 {
				t.Skip("weft's own hosts come first")
			}
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, 2, 2)
				for _, p := range n.peers {
					p.plain, p.guarded, p.tap = on.plain, on.guarded, &tap{}
				}
				n.startAll()
				other := n.joinAnother()
				var all []*stranger
				for i, o := range outsiders {
					s := n.newStranger(100+i, o.org(n, other), o.speaks...)
					s.name, s.manner = o.name, o.manner
					all = append(all, s)
				}
				n.order(2, 2<<10, 50*time.Millisecond)
				n.intrude(all, n.peers)
				n.order(3, 2<<10, 300*time.Millisecond)
				n.order(2, 40<<10, 300*time.Millisecond)
				n.intrude(all, n.peers)
				time.Sleep(2 * heartbeat)
				n.requireAll(time.Second, n.peers...)
				for i, s := range all {
					s.requireIgnorance(outsiders[i].name == "of another channel on the same nodes")
				}
				n.requireView(n.peers...)
			})
		})
	}
}

// joinAnother joins all peers to a second channel, which has a third organization.
func (n *testNet) joinAnother() *devnet.Org {
	other := n.newOrg("Other")
	genesis, err := devnet.Genesis(devnet.Channel{
		ID: otherChannel, Orgs: append(slices.Clone(n.orgs), other),
		Orderers: []devnet.OrderingNode{{Org: n.org, Address: "orderer.example.com:7051", TLSCert: n.config.TLS.Certificate[0], Identity: n.enroll(n.org, "orderer1", devnet.Orderer).CertPEM()}},
	}, time.Now())
	require.NoError(n.t, err)
	for _, p := range n.peers {
		_, err := p.weft.Join(context.Background(), genesis, weft.AsFollower())
		require.NoError(n.t, err)
	}
	return other
}

const otherChannel = "secondchannel"

// intrude has all strangers try everything on all peers, at the same time.
func (n *testNet) intrude(all []*stranger, peers []*testPeer) {
	var wg sync.WaitGroup
	for _, s := range all {
		r := s.repertoire()
		for _, p := range peers {
			wg.Go(func() { s.intrude(p, r) })
		}
	}
	wg.Wait()
}

// requireIgnorance requires that nothing of what the members know was in what reached the stranger, and that nothing of what it
// said was passed on. A member of another channel, to which the peers belong as well, knows these, and nothing of this channel.
func (s *stranger) requireIgnorance(elsewhere bool) {
	t, n := s.net.t, s.net
	for _, p := range n.peers {
		all := s.wire.from(p.host.ID(), time.Time{})
		t.Logf("a stranger %s got %d bytes from peer %d", s.name, len(all), p.number)
		require.Contains(t, string(all), "/multistream/", "%s heard nothing at all", s.name)
		s.requireNothing(all, 1)
		require.False(t, bytes.Contains(all, []byte(channelName)), "%s: name of the channel", s.name)
		require.False(t, p.tap.passedOn(mark), "peer %d passed on what a stranger %s said", p.number, s.name)
		if elsewhere {
			require.True(t, bytes.Contains(all, p.node.CertPEM()), "it is no member of the other channel")
			continue
		}
		s.requireNobody(all, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range []protocol.ID{blocksync.Protocol.ID, topics.PushProtocol.ID, relay.Protocol.ID} {
		if b := s.heard[id]; b != nil && !elsewhere {
			require.Empty(t, b.Bytes(), "%s: bytes on %s", s.name, id)
		}
	}
}

// requireNothing requires that there is nothing of a block from a number on in what was heard: hashes are in announcements and
// heartbeats as well.
func (s *stranger) requireNothing(heard []byte, first uint64) {
	t, n := s.net.t, s.net
	t.Helper()
	for number := first; number < n.orderer.Height(); number++ {
		b := n.ordered(number)
		require.False(t, bytes.Contains(heard, b.Header.DataHash), "%s: data hash of block %d", s.name, number)
		require.False(t, bytes.Contains(heard, block.HeaderHash(b.Header)), "%s: hash of block %d", s.name, number)
		tx := b.Data.Data[0]
		require.False(t, bytes.Contains(heard, tx[len(tx)/2:len(tx)/2+32]), "%s: data of block %d", s.name, number)
	}
}

// requireNobody requires that nobody but a peer itself is in what it said: no certificate, ID nor address.
func (s *stranger) requireNobody(heard []byte, by *testPeer) {
	t := s.net.t
	t.Helper()
	for _, p := range s.net.peers {
		require.False(t, bytes.Contains(heard, p.node.Certificate.Raw), "%s: certificate of peer %d", s.name, p.number)
		require.False(t, bytes.Contains(heard, p.node.CertPEM()), "%s: certificate of peer %d", s.name, p.number)
		require.False(t, bytes.Contains(heard, []byte(p.org.MSPID)), "%s: MSP ID of peer %d", s.name, p.number)
		s.requireNoAddress(heard, by, p)
	}
}

func (s *stranger) requireNoAddress(heard []byte, by, p *testPeer) {
	t := s.net.t
	t.Helper()
	id, err := peer.IDFromPrivateKey(p.key)
	require.NoError(t, err)
	if p == by || id == s.host.ID() { // whom it is connected to, and itself: libp2p tells where it is seen
		return
	}
	require.False(t, bytes.Contains(heard, []byte(id.String())), "%s: ID of peer %d from %d", s.name, p.number, by.number)
	require.False(t, bytes.Contains(heard, []byte(id)), "%s: ID of peer %d from %d", s.name, p.number, by.number)
	require.False(t, bytes.Contains(heard, ma.StringCast(simtest.Address(p.number)).Bytes()), "%s: address of peer %d from %d", s.name, p.number, by.number)
}
