// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
)

// What is stored is what was verified, byte for byte: whatever peers wrote beside the block is gone, whoever reads the ledger later
// verifies the same chain, and stores the same bytes again.
func TestStoredIsWhatWasVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := blocktest.New(t)
		c.Grow(t, 5, 3000)
		c.Configure(t, devnet.SetAnchors("Org1", "peer:7051"))
		c.Grow(t, 20, 200)
		dir := t.TempDir()
		replay(t, c, dir, func(number int) *common.Block {
			b := proto.CloneOf(c.Blocks[number])
			b.Metadata.Metadata[2] = []byte("a peer's verdicts")
			b.ProtoReflect().SetUnknown([]byte{0x4a, 1, 'x'})
			return decoded(t, encode(t, b), number)
		})
		l := reopen(t, dir)
		again := t.TempDir()
		replay(t, c, again, func(number int) *common.Block {
			raw, err := l.Bytes(uint64(number))
			require.NoError(t, err)
			require.Equal(t, encode(t, c.Blocks[number]), raw)
			return decoded(t, raw, number)
		})
		copied := reopen(t, again)
		for number := range c.Height() {
			want, err := l.Bytes(number)
			require.NoError(t, err)
			got, err := copied.Bytes(number)
			require.NoError(t, err)
			require.Equal(t, want, got)
			hash, err := copied.HeaderHash(number)
			require.NoError(t, err)
			require.Equal(t, block.HeaderHash(c.Blocks[number].Header), hash)
		}
	})
}

// replay has a sync store the chain, block by block as bring has them, in a ledger of its own.
func replay(t *testing.T, c *blocktest.Chain, dir string, bring func(number int) *common.Block) {
	l := reopen(t, dir)
	require.NoError(t, l.Append(c.Genesis))
	s, err := blocksync.New(blocksync.Config{Channel: c.Channel, Ledger: l, Verifier: c.Verifier(t, 1)})
	require.NoError(t, err)
	s.Workers(2)
	stop := background(t, s.Run)
	for number := 1; number < len(c.Blocks); number++ {
		require.Equal(t, blocksync.Stored, s.Offer(bring(number), "peer"))
	}
	require.NoError(t, s.WaitHeight(t.Context(), c.Height()))
	require.NoError(t, stop())
	require.NoError(t, l.Close())
}

func reopen(t *testing.T, dir string) *ledger.Ledger {
	l, err := ledger.Open(dir, ledger.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func decoded(t *testing.T, raw []byte, number int) *common.Block {
	b, err := blocksync.DecodeBlock(raw, uint64(number))
	require.NoError(t, err)
	return b
}
