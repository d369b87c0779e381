// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/devnet"
)

// TestBigBlockSyncs: a block of 40 MB, legal where AbsoluteMaxBytes is 50 MB, between hosts with weft's own limits for the
// smallest network. Nothing stays reserved.
func TestBigBlockSyncs(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Configure(t, devnet.SetBatchSize(&orderer.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: 50 << 20, PreferredMaxBytes: 2 << 20}))
		n.Grow(t, 1, 40<<20)
		var managers []network.ResourceManager
		n.options = func() libp2p.Option {
			m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(weftHost.Limits(0)), rcmgr.WithMetricsDisabled())
			require.NoError(t, err)
			managers = append(managers, m)
			return func(c *libp2p.Config) error {
				c.ResourceManager = m // in place of the simulated network's
				return nil
			}
		}
		server, client := n.node(t, 1), n.node(t, 1)
		for _, b := range n.Blocks[1:] {
			require.NoError(t, server.Submit(t.Context(), b))
		}
		n.requireHeight(t, server, 3, time.Minute)
		connect(t, client, server)
		client.Have(server.ID(), 3)
		n.requireHeight(t, client, 3, time.Minute)
		time.Sleep(time.Second)
		for _, m := range managers {
			require.NoError(t, m.ViewService(blocksync.Protocol.Service, func(s network.ServiceScope) error {
				require.Zero(t, s.Stat().Memory)
				return nil
			}))
		}
	})
}
