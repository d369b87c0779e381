// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/chance"
	"github.com/weft-p2p/weft/internal/simtest"
)

func TestMain(m *testing.M) {
	chance.Fix()
	goleak.VerifyTestMain(m)
}

const scope = "/weft/1/channel"

var errDisk = errors.New("disk on fire")

// memory is a ledger in memory.
type memory struct {
	mu     sync.Mutex // guards all below
	blocks []*common.Block
	broken error         // what Append returns
	gate   chan struct{} // if set, Append waits for it
	unread bool          // Bytes fails
}

func (m *memory) Height() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.blocks))
}

func (m *memory) Append(blocks ...*common.Block) error {
	m.mu.Lock()
	gate, broken := m.gate, m.broken
	m.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if broken != nil {
		return broken
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range blocks {
		if b.Header.Number != uint64(len(m.blocks)) {
			return errors.New("out of order")
		}
		m.blocks = append(m.blocks, b)
	}
	return nil
}

func (m *memory) block(number uint64) (*common.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number >= uint64(len(m.blocks)) || m.unread {
		return nil, errDisk
	}
	return m.blocks[number], nil
}

func (m *memory) Bytes(number uint64) ([]byte, error) {
	b, err := m.block(number)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(b)
}

func (m *memory) HeaderHash(number uint64) ([]byte, error) {
	b, err := m.block(number)
	if err != nil {
		return nil, err
	}
	return block.HeaderHash(b.Header), nil
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// net is a simulated network of hosts that share a chain.
type net struct {
	*simtest.Net
	*blocktest.Chain
	hosts   int
	options func() libp2p.Option // if set, what else each host gets
}

func newNet(t *testing.T) *net {
	return &net{
		Net:   simtest.New(t, simtest.Link{Latency: 10 * time.Millisecond}),
		Chain: blocktest.New(t),
	}
}

// bubble runs a test with a network in virtual time.
func bubble(t *testing.T, test func(t *testing.T, n *net)) {
	synctest.Test(t, func(t *testing.T) { test(t, newNet(t)) })
}

func (n *net) host(t *testing.T) host.Host {
	options := n.Options(n.hosts)
	if n.options != nil {
		options = append(options, n.options())
	}
	h, err := libp2p.New(options...)
	require.NoError(t, err)
	n.hosts++
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// node is a host with a sync and a server.
type node struct {
	host.Host
	*blocksync.Sync
	ledger *memory
	stop   func() error // what Sync's Run returned
	reader func(peer.ID) bool
	room   atomic.Int64 // that new blocks leave to answers, in bytes a second; 0: all
}

// node makes a node that has the chain's first blocks; change changes its configuration.
func (n *net) node(t *testing.T, height int, change ...func(*blocksync.Config)) *node {
	nd := &node{Host: n.host(t), ledger: &memory{blocks: n.Blocks[:height:height]}, reader: func(peer.ID) bool { return true }}
	c := blocksync.Config{
		Channel: n.Channel, Scope: scope, Host: nd.Host, Ledger: nd.ledger, Verifier: n.Verifier(t, uint64(height)),
		MayAsk: func(peer.ID) bool { return true }, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	nd.Sync, err = blocksync.New(c)
	require.NoError(t, err)
	server := &blocksync.Server{
		Host: nd.Host, Speaks: func(peer.ID) bool { return true }, Room: nd.left, Log: c.Log,
		Channel: func(name string, reader peer.ID) *blocksync.Sync {
			if name != scope || !nd.reader(reader) {
				return nil
			}
			return nd.Sync
		},
	}
	serve := background(t, server.Run)
	nd.stop = background(t, nd.Run)
	t.Cleanup(func() {
		_ = nd.stop()
		require.NoError(t, serve())
	})
	return nd
}

// background runs something until stop, which returns what it returned.
func background(t *testing.T, run func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	synctest.Wait()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// connect connects a host with others.
func connect(t *testing.T, a host.Host, others ...host.Host) {
	for _, b := range others {
		require.NoError(t, a.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.Addrs()}))
	}
}

// requireHeight waits for a height, so long at most, and requires that the blocks are those of the chain.
func (n *net) requireHeight(t *testing.T, nd *node, height uint64, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	require.NoError(t, nd.WaitHeight(ctx, height), "height %d", nd.Position().Height)
	for number := range height {
		b, err := nd.ledger.block(number)
		require.NoError(t, err)
		require.True(t, proto.Equal(n.Blocks[number], b), "block %d", number)
	}
	require.Equal(t, block.HeaderHash(n.Blocks[nd.Position().Height-1].Header), nd.Position().Head)
}

// clone is a block of the chain that may be changed.
func (n *net) clone(number int) *common.Block { return proto.CloneOf(n.Blocks[number]) }

// forged is the block of the chain with another content.
func (n *net) forged(number int) *common.Block {
	b := n.clone(number)
	b.Data.Data[0] = append([]byte(nil), b.Data.Data[0]...)
	b.Data.Data[0][len(b.Data.Data[0])-1] ^= 1
	return b
}
