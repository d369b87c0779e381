// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func newForwarder(t *testing.T, cfg deliver.Config) *deliver.Forwarder {
	t.Helper()
	f, err := deliver.NewForwarder(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// Envelopes go to the orderer that was named, over one connection, and its answer comes back as it is.
func TestForwarderPassesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		var dialed atomic.Int32
		cfg := config(t, n)
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			dialed.Add(1)
			return n.Dial(ctx, address)
		}
		f := newForwarder(t, cfg)
		for range 4 {
			answer, err := f.Broadcast(t.Context(), n.Addresses[1], n.Transaction(t, 10))
			require.NoError(t, err)
			require.Equal(t, common.Status_SUCCESS, answer.GetStatus())
		}
		synctest.Wait() // an answer comes before the block is cut
		require.EqualValues(t, 3, o.Height(), "two blocks of two transactions")
		require.EqualValues(t, 1, dialed.Load())
		answer, err := f.Broadcast(t.Context(), n.Addresses[0], &common.Envelope{})
		require.NoError(t, err)
		require.Equal(t, common.Status_BAD_REQUEST, answer.GetStatus())
		require.NotEmpty(t, answer.GetInfo())
		_, err = f.Broadcast(t.Context(), "elsewhere:7050", n.Transaction(t, 10))
		require.ErrorIs(t, err, deliver.ErrNotOrderer)
		require.NoError(t, f.Close())
		_, err = f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// An orderer that is down is an error at once, and soon works again after it has come back.
func TestForwarderOverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		chain := orderertest.NewChain(t, n)
		f := newForwarder(t, config(t, n))
		_, err := f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.Equal(t, codes.Unavailable, status.Code(err))
		time.Sleep(time.Hour)
		_, err = f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.Equal(t, codes.Unavailable, status.Code(err))
		stop := chain.Serve(t, n.Addresses...)
		defer stop()
		time.Sleep(3 * time.Second)
		_, err = f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.NoError(t, err)
	})
}

// The roots of an orderer follow the configuration: a connection made under others is not used any more.
func TestForwarderFollowsTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Orderer(t, n.Config())
		var endpoints atomic.Pointer[[]channelconfig.Endpoint]
		current := n.Bundle(t).Endpoints()
		endpoints.Store(&current)
		cfg := config(t, n)
		cfg.Endpoints = func() []channelconfig.Endpoint { return *endpoints.Load() }
		f := newForwarder(t, cfg)
		_, err := f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.NoError(t, err)
		other := current[0]
		other.TLSRoots = [][]byte{orderertest.Org(t, "Other").TLSRoot()}
		endpoints.Store(&[]channelconfig.Endpoint{other})
		_, err = f.Broadcast(t.Context(), other.Address, n.Transaction(t, 10))
		require.Equal(t, codes.Unavailable, status.Code(err))
		endpoints.Store(&current)
		_, err = f.Broadcast(t.Context(), n.Addresses[0], n.Transaction(t, 10))
		require.NoError(t, err)
	})
}
