// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
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
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

// stranger is a host of an organization that is in no channel, with a CA of its own. It speaks weft's protocols and pubsub's
// by hand, so that no rule binds it, and keeps every byte that it is sent on them.
type stranger struct {
	net    *testNet
	host   corehost.Host
	key    crypto.PrivKey
	local  *msp.Local
	record *msp.Record

	mu    sync.Mutex // guards heard
	heard map[protocol.ID]*bytes.Buffer
}

var pubsubProtocols = []protocol.ID{pubsub.GossipSubID_v13, pubsub.GossipSubID_v12, pubsub.GossipSubID_v11, pubsub.GossipSubID_v10, pubsub.FloodSubID}

// newStranger makes a stranger at an address of the network. Of pubsub it speaks the given protocols.
func (n *testNet) newStranger(number int, protocols ...protocol.ID) *stranger {
	key, _, err := crypto.GenerateEd25519Key(rand.NewChaCha8([32]byte{byte(number)}))
	require.NoError(n.t, err)
	h, err := libp2p.New(append(n.Options(number), libp2p.Identity(key), libp2p.DisableMetrics())...)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, h.Close()) })
	s := &stranger{net: n, host: h, key: key, heard: map[protocol.ID]*bytes.Buffer{}}
	s.local, err = n.enroll(n.newOrg("Strangers"), "peer0", devnet.Peer).Local()
	require.NoError(n.t, err)
	s.record, err = msp.IssueRecord(key, s.local.Signer, uint64(time.Now().UnixNano()), time.Now())
	require.NoError(n.t, err)
	for _, id := range append(protocols, "/weft/auth/1.0.0", "/weft/sync/1.0.0", "/weft/push/1.0.0") {
		h.SetStreamHandler(id, func(raw network.Stream) { s.listen(raw) })
	}
	return s
}

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

// everything is all that was heard on any protocol.
func (s *stranger) everything() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []byte
	for _, b := range s.heard {
		all = append(all, b.Bytes()...)
	}
	return all
}

// meet connects to a peer and shows it the stranger's record, and answers nothing itself.
func (s *stranger) meet(p *testPeer) {
	s.connect(p)
	s.say(p, weftHost.AuthProtocol.ID, delimited(&hostpb.AuthRequest{Record: s.record.Bytes()}))
}

func (s *stranger) connect(p *testPeer) {
	err := s.host.Connect(context.Background(), peer.AddrInfo{ID: p.host.ID(), Addrs: p.host.Network().ListenAddresses()})
	require.NoError(s.net.t, err)
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

// speak opens a stream for pubsub and leaves it open; what is written later goes there.
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
