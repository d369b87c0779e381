// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/topics/evidence"
)

// TestOrderingServiceForks: the leader of one organization pulls from an orderer that goes on with another block 4 than the one that the other
// leader pulls from; both are signed as the channel demands, by a quorum of the consenters on a BFT channel. Every peer goes on with
// what it has, and keeps a proof that names whoever signed both.
func TestOrderingServiceForks(t *testing.T) {
	for name, c := range map[string]struct {
		service func(t *testing.T) *orderertest.Network
		guilty  int // how many have signed both
	}{
		"raft": {func(t *testing.T) *orderertest.Network { return orderertest.New(t) }, 1},
		"BFT":  {func(t *testing.T) *orderertest.Network { return orderertest.NewBFT(t, 4) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const common = 4
				n := newCensored(t, c.service(t), 1<<32, 2, 2)
				n.orderOn(common)
				other := n.fork(n.service.Addresses[1])
				for i, p := range n.peers {
					if i%2 == 1 {
						p.start()
						continue
					}
					mine := n.service.Addresses[i/2]
					p.start(n.from(func(address string) bool { return address == mine })...)
				}
				time.Sleep(meeting)
				n.requireAll(time.Second, n.peers...)
				n.orderOn(common + 2)
				n.service.Fill(t, other, common+2)
				time.Sleep(10 * time.Second)
				for _, p := range n.peers {
					require.EqualValues(t, common+2, p.channel.Height(), "peer %d goes on", p.number)
					found := p.channel.Evidence()
					require.NotEmpty(t, found, "peer %d", p.number)
					require.Equal(t, evidence.Fork, found[0].Kind)
					require.EqualValues(t, common, found[0].Number)
					require.Len(t, found[0].Names(), c.guilty)
					n.requireProven(found[0])
				}
			})
		})
	}
}

// fork serves a second ordering service at an address, which has the blocks so far and makes its own ones from now on.
func (n *censored) fork(address string) *orderer.Orderer {
	ledger := orderer.NewMemory()
	for number := range n.orderer.Height() {
		require.NoError(n.t, ledger.Append(n.ordered(number)))
	}
	cfg := n.service.Config()
	cfg.Ledger = ledger
	o, err := orderer.New(cfg)
	require.NoError(n.t, err)
	n.t.Cleanup(n.service.Serve(n.t, o))
	(&orderertest.Rogue{Chain: o, Ledger: ledger}).Serve(n.t, n.service, address)
	return o
}
