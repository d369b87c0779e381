// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// newColluder makes a host with an identity that belongs to the channel, which speaks by hand as a stranger does. It claims
// 2^63 blocks and to lead, and takes requests for blocks without answering.
func (n *testNet) newColluder(number int, local *msp.Local) *stranger {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{byte(number), byte(number >> 8)}))
	require.NoError(n.t, err)
	h, err := libp2p.New(append(n.Options(number), libp2p.Identity(key), libp2p.DisableMetrics())...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, h.Close()) })
	s := &stranger{net: n, host: h, key: key, local: local, heard: map[protocol.ID]*bytes.Buffer{}}
	s.record, err = msp.IssueRecord(key, local.Signer, uint64(time.Now().UnixNano()), time.Now())
	require.NoError(n.t, err)
	h.SetStreamHandler(blocksync.Protocol.ID, func(raw network.Stream) {
		var q syncpb.Request
		if protodelim.UnmarshalFrom(bufio.NewReader(raw), &q) == nil {
			_, _ = raw.Read(make([]byte, 1)) // until the other end gives up
		}
		_ = raw.Reset()
	})
	return s
}

// boast tells a peer a heartbeat with a height that nobody has.
func (s *stranger) boast(p *testPeer, sequence uint64) {
	salt := block.HeaderHash(s.net.genesis.Header)
	scope := topics.Name(topics.Announcements, channelName, salt)
	topic := topics.Name(topics.Members, channelName, salt)
	h := membership.Heartbeat{Sequence: sequence, Channels: []membership.ChannelState{
		{Scope: scope, Height: 1<<63 + sequence, HeadHash: make([]byte, 32), Leader: true},
	}}
	content, err := h.Marshal()
	require.NoError(s.net.t, err)
	sealed, err := msp.Seal(membership.Purpose, topic, s.record, s.local.Signer, content)
	require.NoError(s.net.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	raw, err := s.host.NewStream(ctx, p.host.ID(), topics.PushProtocol.ID)
	if err != nil {
		return
	}
	_, _ = raw.Write(delimited(&topicspb.Push{Topic: topic, Data: sealed}))
	_ = raw.Close()
}

// TestThirdColludes: 12 identities of 4 organizations, of which 4 have 2 host keys each, claim 2^63 blocks and to lead, and sit
// on requests. Blocks reach the 8 honest peers as if they were not there, and a peer that joins late catches up.
func TestThirdColludes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, simtest.Link{Latency: 10 * time.Millisecond}, 4, 2)
		late := n.peers[7]
		n.peers = n.peers[:7]
		n.startAll()
		var colluders []*stranger
		for i, org := range n.orgs {
			local, err := n.enroll(org, fmt.Sprint("colluder", i), devnet.Peer).Local()
			require.NoError(t, err)
			for key := range 2 {
				s := n.newColluder(100+10*i+key, local)
				for _, p := range n.peers {
					s.meet(p)
				}
				colluders = append(colluders, s)
			}
		}
		var worst time.Duration
		for round := range uint64(10) {
			for _, s := range colluders {
				for _, p := range n.peers {
					s.boast(p, round+1)
				}
			}
			n.order(1, 100<<10, 0)
			worst = max(worst, n.await(5*time.Second, n.peers...))
		}
		require.Less(t, worst, time.Second, "the slowest block")
		n.peers = append(n.peers, late)
		late.start()
		n.requireAll(30*time.Second, n.peers...)
		for _, p := range n.peers {
			require.Less(t, p.channel.Status().Highest, uint64(1)<<62, "what nobody has is not shown")
		}
	})
}
