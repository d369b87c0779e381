// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func TestOverridesReplaceAddressAndRoots(t *testing.T) {
	other := orderertest.Org // a certificate authority that the orderer is not of
	for name, c := range map[string]struct {
		configured func(*orderertest.Network) channelconfig.Endpoint
		override   func(*orderertest.Network) deliver.Override
	}{
		"address alone": {
			func(n *orderertest.Network) channelconfig.Endpoint {
				return channelconfig.Endpoint{Address: "gone:7050", MSPID: n.Ordering.MSPID, TLSRoots: [][]byte{n.Ordering.TLSRoot()}}
			},
			func(n *orderertest.Network) deliver.Override {
				return deliver.Override{From: "gone:7050", To: n.Addresses[0]}
			},
		},
		"address and roots": {
			func(n *orderertest.Network) channelconfig.Endpoint {
				return channelconfig.Endpoint{Address: "gone:7050", MSPID: n.Ordering.MSPID, TLSRoots: [][]byte{other(t, "Other").TLSRoot()}}
			},
			func(n *orderertest.Network) deliver.Override {
				return deliver.Override{From: "gone:7050", To: n.Addresses[1], TLSRoots: [][]byte{n.Ordering.TLSRoot()}}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := orderertest.New(t)
				o := n.Orderer(t, n.Config())
				n.Fill(t, o, 2)
				configured, override := c.configured(n), c.override(n)
				cfg, r := config(t, n), &receiver{}
				cfg.Endpoints = func() []channelconfig.Endpoint { return []channelconfig.Endpoint{configured} }
				cfg.Overrides = []deliver.Override{{From: "unrelated:1", To: "nowhere:1"}, override}
				client := newClient(t, cfg)
				stop := pull(t, client, 0, r.submit)
				synctest.Wait()
				require.Equal(t, []uint64{0, 1}, r.numbers())
				require.Equal(t, override.To, client.Endpoint())
				client.Refresh() // the overridden endpoints are as before
				synctest.Wait()
				require.Equal(t, override.To, client.Endpoint())
				require.Error(t, stop())
			})
		})
	}
}
