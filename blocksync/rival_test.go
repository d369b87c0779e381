// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
)

// TestRivals: another block for a number and behind the same block is told of, whoever brings it and whenever; nothing else is.
func TestRivals(t *testing.T) {
	for name, c := range map[string]struct {
		// play is told the true blocks 1 and 2, and a signed rival of block 2.
		play func(t *testing.T, n *net, nd *node, rival *common.Block)
		want []peer.ID
	}{
		"beside the true one": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			nd.Offer(n.clone(2), "a")
			nd.Offer(rival, "b")
			nd.Offer(n.clone(1), "a")
		}, []peer.ID{"b"}},
		"after it": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			nd.Offer(n.clone(1), "a")
			nd.Offer(n.clone(2), "a")
			synctest.Wait()
			require.Equal(t, blocksync.Stale, nd.Offer(rival, "b"))
		}, []peer.ID{"b"}},
		"after it, by our own source": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			nd.Offer(n.clone(1), "a")
			nd.Offer(n.clone(2), "a")
			synctest.Wait()
			require.ErrorIs(t, nd.Submit(t.Context(), rival), blocksync.ErrRejected)
		}, []peer.ID{""}},
		"before it, with another body": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			rival.Data.Data[0] = []byte("forged")
			nd.Offer(n.clone(1), "a")
			nd.Offer(rival, "b")
			synctest.Wait()
			nd.Offer(n.clone(2), "a")
		}, []peer.ID{"b"}},
		"not signed": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			rival.Metadata.Metadata[0] = nil
			nd.Offer(n.clone(1), "a")
			nd.Offer(rival, "b")
			nd.Offer(n.clone(2), "a")
		}, nil},
		"on another chain": {func(t *testing.T, n *net, nd *node, rival *common.Block) {
			rival.Header.PreviousHash[0] ^= 1
			nd.Offer(n.clone(2), "a")
			nd.Offer(rival, "b")
			nd.Offer(n.clone(1), "a")
			synctest.Wait()
			nd.Offer(proto.CloneOf(rival), "c")
		}, nil},
		"the true one again": {func(t *testing.T, n *net, nd *node, _ *common.Block) {
			nd.Offer(n.clone(2), "a")
			nd.Offer(n.clone(2), "b")
			nd.Offer(n.clone(1), "a")
			synctest.Wait()
			nd.Offer(n.clone(2), "c")
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, 1, 10)
				rival := n.Next(t, 10)
				n.Grow(t, 1, 10)
				var from []peer.ID
				nd := n.node(t, 1, func(c *blocksync.Config) {
					c.Rival = func(b *common.Block, id peer.ID) {
						require.EqualValues(t, 2, b.Header.Number)
						from = append(from, id)
					}
				})
				c.play(t, n, nd, rival)
				n.requireHeight(t, nd, 3, time.Second)
				synctest.Wait()
				require.Equal(t, c.want, from)
			})
		})
	}
}
