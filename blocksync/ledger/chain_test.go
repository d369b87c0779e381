// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
)

// chain makes blocks that link, with random transactions.
type chain struct {
	random *rand.Rand
	blocks []*common.Block
}

func newChain(seed uint64) *chain { return &chain{random: rand.New(rand.NewPCG(seed, 0))} }

// add appends n blocks of one transaction with a body of size bytes.
func (c *chain) add(n, size int) []*common.Block {
	from := len(c.blocks)
	for range n {
		c.block(size, txID(len(c.blocks)))
	}
	return c.blocks[from:]
}

// block appends a block whose transactions have the given IDs.
func (c *chain) block(size int, ids ...string) *common.Block {
	data := &common.BlockData{}
	for _, id := range ids {
		data.Data = append(data.Data, c.envelope(id, size/len(ids)))
	}
	h := &common.BlockHeader{Number: uint64(len(c.blocks)), DataHash: block.DataHash(data)}
	if h.Number > 0 {
		h.PreviousHash = block.HeaderHash(c.blocks[h.Number-1].GetHeader())
	}
	b := &common.Block{Header: h, Data: data, Metadata: &common.BlockMetadata{Metadata: make([][]byte, 5)}}
	c.blocks = append(c.blocks, b)
	return b
}

func (c *chain) envelope(id string, size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(c.random.Uint32())
	}
	return marshal(&common.Envelope{Payload: marshal(&common.Payload{
		Header: &common.Header{ChannelHeader: marshal(&common.ChannelHeader{ChannelId: "ch", TxId: id})},
		Data:   body,
	})})
}

func txID(n int) string { return fmt.Sprintf("tx-%d", n) }

func marshal(m proto.Message) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}

// requireBlocks checks that the ledger answers every question about exactly these blocks.
func requireBlocks(t require.TestingT, l *ledger.Ledger, blocks []*common.Block) {
	require.Equal(t, uint64(len(blocks)), l.Height())
	for i, b := range blocks {
		requireBlock(t, l, uint64(i), b)
	}
	requireRuns(t, l, blocks)
	_, err := l.Bytes(l.Height())
	require.ErrorIs(t, err, ledger.ErrNotFound)
}

// requireRuns reads the blocks several at a time into room for some of them.
func requireRuns(t require.TestingT, l *ledger.Ledger, blocks []*common.Block) {
	buf := make([]byte, 0, 1000)
	for n := 0; n < len(blocks); {
		got, err := l.Read(uint64(n), math.MaxUint64, buf)
		require.NoError(t, err)
		require.NotEmpty(t, got)
		for _, raw := range got {
			require.Equal(t, marshal(blocks[n]), raw)
			n++
		}
	}
}

func requireBlock(t require.TestingT, l *ledger.Ledger, n uint64, b *common.Block) {
	raw, err := l.Bytes(n)
	require.NoError(t, err)
	require.Equal(t, marshal(b), raw)
	size, err := l.Size(n)
	require.NoError(t, err)
	require.Equal(t, len(raw), size)
	hash, err := l.HeaderHash(n)
	require.NoError(t, err)
	require.Equal(t, block.HeaderHash(b.GetHeader()), hash)
	got, err := l.NumberByHash(hash)
	require.NoError(t, err)
	require.Equal(t, n, got)
	id, err := block.TxID(b.GetData().GetData()[0])
	require.NoError(t, err)
	got, err = l.NumberByTx(string(id))
	require.NoError(t, err)
	require.LessOrEqual(t, got, n)
}

func open(t testing.TB, dir string, o ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// fastDir is a temporary directory in memory where there is one: for tests that open a ledger hundreds of times and
// would only wait for the disk.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "weft-ledger-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// filled makes a directory with a chain, one Append a block, and closes it.
func filled(t testing.TB, o ledger.Options, blocks []*common.Block) string {
	t.Helper()
	dir := filepath.Join(fastDir(t), "ledger")
	l := open(t, dir, o)
	for _, b := range blocks {
		require.NoError(t, l.Append(b))
	}
	require.NoError(t, l.Close())
	return dir
}

// snapshot copies a directory as a kill would leave it; what is removed between listing and reading is left out.
func snapshot(t require.TestingT, dir, to string) {
	require.NoError(t, os.RemoveAll(to))
	require.NoError(t, os.Mkdir(to, 0o700))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, f.Name()), raw, 0o600))
	}
}

// segments returns the paths of the segment files, oldest first.
func segments(t require.TestingT, dir string) []string {
	paths, err := filepath.Glob(filepath.Join(dir, "*.blocks"))
	require.NoError(t, err)
	return paths
}

func index(dir string) string { return filepath.Join(dir, "index.db") }

// frameSize is what a block takes in a segment.
func frameSize(b *common.Block) int64 { return int64(ledger.HeaderSize + proto.Size(b)) }

// flip changes one bit of a file.
func flip(t require.TestingT, path string, offset int64) {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	raw[offset] ^= 0x10
	require.NoError(t, os.WriteFile(path, raw, 0o600))
}
