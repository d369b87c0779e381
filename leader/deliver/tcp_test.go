// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"net"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// The same over real sockets, outside virtual time: the default dialer, and an address by IP.
func TestOverTCP(t *testing.T) {
	n := orderertest.New(t)
	o, err := orderer.New(n.Config())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- o.Serve(ctx, l) }()
	n.Fill(t, o, 5)

	cfg := config(t, n)
	cfg.Dial = nil
	cfg.Endpoints = func() []channelconfig.Endpoint {
		return []channelconfig.Endpoint{{Address: l.Addr().String(), MSPID: n.Ordering.MSPID, TLSRoots: [][]byte{n.Ordering.TLSRoot()}}}
	}
	blocks := make(chan *common.Block)
	stop := pull(t, newClient(t, cfg), 1, func(_ context.Context, b *common.Block) error {
		blocks <- b
		return nil
	})
	verifier := channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader())
	for range 4 {
		b := <-blocks
		require.NoError(t, verifier.Verify(b))
		require.NoError(t, verifier.Advance(b))
	}
	require.Error(t, stop())
	cancel()
	require.NoError(t, <-served)
}
