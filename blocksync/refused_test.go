// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// TestOwnSourceIsRefusedAtOnce: whatever is wrong with a block of our own source, whoever waits for the verdict hears it without
// another block, and what is good is committed.
func TestOwnSourceIsRefusedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		bad  func(t *testing.T, n *net) *common.Block // in place of block 2
		want error
	}{
		"another body": {func(_ *testing.T, n *net) *common.Block { return n.forged(2) }, channelconfig.ErrDataHash},
		"another chain": {func(_ *testing.T, n *net) *common.Block {
			b := n.clone(2)
			b.Header.PreviousHash[0] ^= 1
			return b
		}, channelconfig.ErrPreviousHash},
		"no signature": {func(_ *testing.T, n *net) *common.Block {
			b := n.clone(2)
			b.Metadata.Metadata[0] = nil
			return b
		}, channelconfig.ErrSignatures},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, 3, 10)
				nd := n.node(t, 1)
				refused := background(t, nd.Refused)
				require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
				require.NoError(t, nd.Submit(t.Context(), c.bad(t, n)))
				synctest.Wait()
				err := refused()
				require.ErrorIs(t, err, blocksync.ErrRejected)
				require.ErrorIs(t, err, c.want)

				require.NoError(t, nd.Submit(t.Context(), n.clone(2)), "the source may not have heard it yet")
				require.NoError(t, nd.Settle(t.Context()), "it was told already")
				require.EqualValues(t, 3, nd.Position().Height)
			})
		})
	}
}

func TestSettle(t *testing.T) {
	t.Run("waits for what is under way, so that nothing comes twice", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 3, 10)
			nd := n.node(t, 1)
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			defer open()
			nd.ledger.set(func() { nd.ledger.gate = gate })
			for _, b := range n.Blocks[1:] {
				require.NoError(t, nd.Submit(t.Context(), b))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.ErrorIs(t, nd.Settle(ctx), context.DeadlineExceeded)
			settled := background(t, nd.Settle)
			open()
			synctest.Wait()
			require.NoError(t, settled())
			require.EqualValues(t, 4, nd.Position().Height)
		})
	})
	t.Run("tells of a bad block that nobody was told of, behind those that hold", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 3, 10)
			nd := n.node(t, 1)
			require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
			require.NoError(t, nd.Submit(t.Context(), n.forged(2)))
			require.ErrorIs(t, nd.Settle(t.Context()), blocksync.ErrRejected)
			require.EqualValues(t, 2, nd.Position().Height)
			require.NoError(t, nd.Settle(t.Context()), "once")
		})
	})
	t.Run("waits for what holds before a bad block", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 2, 10)
			nd := n.node(t, 1)
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			defer open()
			nd.ledger.set(func() { nd.ledger.gate = gate })
			require.NoError(t, nd.Submit(t.Context(), n.forged(2)))
			require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.ErrorIs(t, nd.Settle(ctx), context.DeadlineExceeded, "block 1 is verified, and not committed")
			open()
			require.ErrorIs(t, nd.Settle(t.Context()), blocksync.ErrRejected)
			require.EqualValues(t, 2, nd.Position().Height)
		})
	})
	t.Run("drops what hangs in the air", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 3, 10)
			nd := n.node(t, 1)
			require.NoError(t, nd.Submit(t.Context(), n.clone(3)))
			require.NoError(t, nd.Settle(t.Context()))
			require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
			require.NoError(t, nd.Submit(t.Context(), n.clone(2)))
			n.requireHeight(t, nd, 3, time.Second)
			time.Sleep(time.Second)
			require.EqualValues(t, 3, nd.Position().Height, "block 3 has to come again")
		})
	})
	t.Run("ends with Run", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			nd := n.node(t, 1)
			refused := background(t, nd.Refused)
			require.NoError(t, nd.stop())
			require.ErrorIs(t, refused(), blocksync.ErrStopped)
		})
	})
}

// TestOwnSourceStrays: our source brings another block than a peer did, whose block is the one that is committed.
func TestOwnSourceStrays(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 2, 10)
		nd := n.node(t, 1)
		require.Equal(t, blocksync.Stored, nd.Offer(n.clone(2), "peer"))
		fork := n.clone(2)
		fork.Header.DataHash[0] ^= 1
		require.NoError(t, nd.Submit(t.Context(), fork))
		require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
		require.ErrorIs(t, nd.Settle(t.Context()), blocksync.ErrRejected)
		n.requireHeight(t, nd, 3, time.Second)
		require.ErrorIs(t, nd.Submit(t.Context(), fork), blocksync.ErrRejected, "at once, when it is committed already")
		require.NoError(t, nd.Submit(t.Context(), n.clone(2)))
	})
}
