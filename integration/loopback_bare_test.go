// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// bare is the least that peers need for a block over libp2p's streams: each gets it in pieces, forwards its own ones to all
// others, hashes all twice, as a relay and a verifier have to, and writes it to a file. Nothing is announced, proved, signed,
// decoded or repaired.
type bare struct {
	*loopback
	source peer.ID
	all    []*barePeer // the first is the source
}

const (
	barePiece  = 31 << 10 // with what yamux adds, two TLS records
	bareHeader = 8        // block and piece
)

type barePeer struct {
	bare *bare
	host corehost.Host
	file *os.File
	to   []network.Stream // by number; nil: itself

	mu     sync.Mutex // guards all below
	bodies map[uint32]*bareBody
	got    int64 // bytes of pieces
}

type bareBody struct {
	data []byte
	left int // bytes that are missing
}

// byBare measures them.
func (l *loopback) byBare(t *testing.T, transport string) {
	b, s, ctx := &bare{loopback: l}, newSockets(t, transport, l.peers), context.Background()
	dir := t.TempDir()
	if _, err := os.Stat("/dev/shm"); err == nil {
		dir, err = os.MkdirTemp("/dev/shm", "bare-")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	}
	for i := range l.peers {
		h, err := libp2p.New(s.listening(i)...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close()) })
		f, err := os.Create(filepath.Join(dir, h.ID().String()))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		if i == 0 {
			b.source = h.ID()
		}
		p := &barePeer{bare: b, host: h, file: f, to: make([]network.Stream, l.peers), bodies: map[uint32]*bareBody{}}
		h.SetStreamHandler("/bare", p.receive)
		for number, other := range b.all {
			require.NoError(t, h.Connect(ctx, peer.AddrInfo{ID: other.host.ID(), Addrs: other.host.Addrs()}))
			p.to[number], other.to[i] = p.open(t, other), other.open(t, p)
		}
		b.all = append(b.all, p)
	}
	stop := watchUsage(t, l.restful())
	b.spread()
	l.usage = stop()
	for _, p := range b.all {
		p.mu.Lock()
		l.after.payload += p.got
		p.mu.Unlock()
	}
}

// open opens a stream, and says so at once: whoever accepts one waits for ten seconds.
func (p *barePeer) open(t *testing.T, other *barePeer) network.Stream {
	s, err := p.host.NewStream(context.Background(), other.host.ID(), "/bare")
	require.NoError(t, err)
	_, err = s.Write(nil)
	require.NoError(t, err)
	return s
}

// spread sends the blocks, each piece to one peer.
func (b *bare) spread() {
	body, start := make([]byte, b.size), time.Now()
	for n := range b.blocks {
		time.Sleep(time.Until(start.Add(time.Duration(n) * b.every)))
		b.leaves(n)
		b.bytes += int64(b.size)
		for at := 0; at < b.size; at += barePiece {
			piece := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(n)), uint32(at))
			piece = append(piece, body[at:min(at+barePiece, b.size)]...)
			_, _ = b.all[0].to[1+at/barePiece%(b.peers-1)].Write(piece)
		}
	}
	for end := time.Now().Add(patience); !b.complete() && time.Now().Before(end); {
		time.Sleep(50 * ms)
	}
}

// receive reads what another peer sends until it is gone.
func (p *barePeer) receive(s network.Stream) {
	source := s.Conn().RemotePeer() == p.bare.source
	piece := make([]byte, bareHeader+barePiece)
	for {
		if _, err := io.ReadFull(s, piece[:bareHeader]); err != nil {
			return
		}
		n, at := binary.BigEndian.Uint32(piece), int(binary.BigEndian.Uint32(piece[4:]))
		b := p.body(n)
		data := b.data[at:min(at+barePiece, len(b.data))]
		if _, err := io.ReadFull(s, data); err != nil {
			return
		}
		if source {
			p.forward(piece[:bareHeader+copy(piece[bareHeader:], data)])
		}
		p.took(n, b, len(data))
	}
}

// forward sends a piece to all but the source.
func (p *barePeer) forward(piece []byte) {
	for _, to := range p.to[1:] {
		if to != nil {
			_, _ = to.Write(piece)
		}
	}
}

func (p *barePeer) body(n uint32) *bareBody {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.bodies[n]
	if b == nil {
		b = &bareBody{data: make([]byte, p.bare.size), left: p.bare.size}
		p.bodies[n] = b
	}
	return b
}

// took notes that bytes of a block have come; whoever brings the last finishes it.
func (p *barePeer) took(n uint32, b *bareBody, bytes int) {
	p.mu.Lock()
	b.left -= bytes
	p.got += int64(bytes)
	whole := b.left == 0
	if whole {
		delete(p.bodies, n)
	}
	p.mu.Unlock()
	if !whole {
		return
	}
	for range 2 {
		_ = sha256.Sum256(b.data)
	}
	if _, err := p.file.WriteAt(b.data, int64(n)*int64(len(b.data))); err == nil {
		p.bare.arrived(int(n))
	}
}
