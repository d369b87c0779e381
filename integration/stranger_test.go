// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// stranger is a host that is not, or not any more, or not yet a member of the channel. It speaks weft's protocols and pubsub's
// by hand, so that no rule binds it, and keeps every byte that it is sent.
type stranger struct {
	net    *testNet
	name   string
	host   corehost.Host
	key    crypto.PrivKey
	local  *msp.Local
	record *msp.Record
	manner manner
	speaks []protocol.ID // of pubsub
	wire   *wire

	mu    sync.Mutex // guards heard
	heard map[protocol.ID]*bytes.Buffer
}

// manner is how a stranger deals with authentication.
type manner int

const (
	shows  manner = iota // it shows its record
	mute                 // it never opens authentication, and answers nothing
	stalls               // it opens authentication, says half of it, and waits
)

var pubsubProtocols = []protocol.ID{pubsub.GossipSubID_v13, pubsub.GossipSubID_v12, pubsub.GossipSubID_v11, pubsub.GossipSubID_v10, pubsub.FloodSubID}

// newStranger makes a stranger of an organization at an address of the network. Of pubsub it speaks the given protocols.
func (n *testNet) newStranger(number int, org *devnet.Org, protocols ...protocol.ID) *stranger {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{byte(number), byte(number >> 8)}))
	require.NoError(n.t, err)
	s := &stranger{net: n, key: key, speaks: protocols, wire: &wire{}, heard: map[protocol.ID]*bytes.Buffer{}}
	s.host, err = libp2p.New(append(s.wire.options(n.Net, number), libp2p.Identity(key), libp2p.DisableMetrics())...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, s.host.Close()) })
	s.enroll(org, fmt.Sprintf("stranger%d", number))
	s.answer()
	return s
}

// enroll gives the stranger an identity of an organization, and a record.
func (s *stranger) enroll(org *devnet.Org, name string) {
	var err error
	s.local, err = s.net.enroll(org, name, devnet.Peer).Local()
	require.NoError(s.net.t, err)
	s.record, err = msp.IssueRecord(s.key, s.local.Signer, uint64(time.Now().UnixNano()), time.Now())
	require.NoError(s.net.t, err)
}

// answer listens to whoever speaks weft's protocols or pubsub to the stranger, and says nothing.
func (s *stranger) answer() {
	for _, id := range append(slices.Clone(s.speaks), weftProtocols...) {
		s.host.SetStreamHandler(id, func(raw network.Stream) { s.listen(raw) })
	}
}

var weftProtocols = []protocol.ID{weftHost.AuthProtocol.ID, blocksync.Protocol.ID, topics.PushProtocol.ID, relay.Protocol.ID}

// listen keeps what comes on a stream until it ends.
func (s *stranger) listen(raw network.Stream) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := raw.Read(buffer)
		s.keep(raw.Protocol(), buffer[:n])
		if err != nil {
			return
		}
	}
}

func (s *stranger) keep(id protocol.ID, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard[id] == nil {
		s.heard[id] = &bytes.Buffer{}
	}
	s.heard[id].Write(data)
}

// meet connects to a peer and authenticates in the stranger's manner.
func (s *stranger) meet(p *testPeer) {
	s.connect(p)
	s.authenticate(p)
}

// connect connects to a peer, which may have thrown the stranger out, or do so at any moment.
func (s *stranger) connect(p *testPeer) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = s.host.Connect(ctx, peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Network().ListenAddresses()})
}

func (s *stranger) authenticate(p *testPeer) {
	request := delimited(&hostpb.AuthRequest{Record: s.record.Bytes()})
	switch s.manner {
	case shows:
		s.say(p, weftHost.AuthProtocol.ID, request)
	case stalls:
		_, _ = s.speak(p, weftHost.AuthProtocol.ID).Write(request[:len(request)/2])
	}
}

// say opens a stream, writes, and listens for a while to what comes back. That the peer does not speak the protocol, or
// resets the stream, is as good as silence.
func (s *stranger) say(p *testPeer, id protocol.ID, data []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	raw, err := s.host.NewStream(ctx, p.host.ID(), id)
	if err != nil {
		return
	}
	_ = raw.SetDeadline(time.Now().Add(3 * time.Second))
	_, _ = raw.Write(data)
	_ = raw.CloseWrite()
	s.listen(raw)
	_ = raw.Reset()
}

// speak opens a stream and leaves it open; what is written later goes there.
func (s *stranger) speak(p *testPeer, id protocol.ID) io.Writer {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	raw, err := s.host.NewStream(ctx, p.host.ID(), id)
	if err != nil {
		return io.Discard
	}
	s.net.t.Cleanup(func() { _ = raw.Reset() })
	return raw
}

// delimited is a message as it travels, on pubsub as well.
func delimited(m proto.Message) []byte {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	_, _ = protodelim.MarshalTo(w, m)
	_ = w.Flush()
	return b.Bytes()
}
