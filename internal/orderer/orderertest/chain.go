// SPDX-License-Identifier: Apache-2.0

package orderertest

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer"
)

// Chain is an ordering service that can be stopped and started again with what it has ordered.
type Chain struct {
	net    *Network
	ledger *orderer.Memory
	now    *orderer.Orderer
}

// NewChain makes a chain that is not served yet.
func NewChain(_ testing.TB, n *Network) *Chain { return &Chain{net: n, ledger: orderer.NewMemory()} }

// Serve starts the service at the addresses, in place of the one that was stopped.
func (c *Chain) Serve(t testing.TB, addresses ...string) (stop func()) {
	t.Helper()
	cfg := c.net.Config()
	cfg.Ledger = c.ledger
	o, err := orderer.New(cfg)
	require.NoError(t, err)
	c.now = o
	return c.net.Serve(t, o, addresses...)
}

// Fill orders blocks of one transaction each until the chain has a height.
func (c *Chain) Fill(t testing.TB, height uint64) { c.net.Fill(t, c.now, height) }

// Block returns a block that has been ordered.
func (c *Chain) Block(t testing.TB, number uint64) *common.Block {
	t.Helper()
	b, err := c.ledger.Block(number)
	require.NoError(t, err)
	return b
}
