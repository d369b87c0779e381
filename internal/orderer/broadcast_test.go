// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

func broadcast(t *testing.T, n *orderertest.Network) pb.AtomicBroadcast_BroadcastClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := connect(t, n, nil).Broadcast(ctx)
	require.NoError(t, err)
	return stream
}

func TestBroadcastOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		stream := broadcast(t, n)
		for range 5 {
			require.NoError(t, stream.Send(n.Transaction(t, 10)))
			answer, err := stream.Recv()
			require.NoError(t, err)
			require.Equal(t, ok, answer.GetStatus())
		}
		require.NoError(t, stream.CloseSend())
		_, err := stream.Recv()
		require.ErrorIs(t, err, io.EOF)
		require.EqualValues(t, 3, o.Height(), "two blocks of two, one transaction left")
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 4, o.Height())
	})
}

func TestBroadcastRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		cfg := n.Config()
		cfg.BatchSize = &pb.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: 4096, PreferredMaxBytes: 1024}
		o := n.Orderer(t, cfg)
		transaction := func(channel string, signer devnet.Signer, size int) *common.Envelope {
			e, err := devnet.Transaction(channel, signer, size, rand.Reader, time.Now())
			require.NoError(t, err)
			return e
		}
		flipped := n.Transaction(t, 10)
		flipped.Signature[len(flipped.Signature)-1] ^= 1
		config := &common.Block{}
		proto.Merge(config, n.Genesis)
		smuggled := &common.Envelope{}
		require.NoError(t, proto.Unmarshal(config.GetData().GetData()[0], smuggled))
		update, err := devnet.UpdateEnvelope(n.Channel, o.Bundle().Config(), o.Bundle().Config(), time.Now(), n.Client)
		require.NoError(t, err)
		for name, tc := range map[string]struct {
			envelope *common.Envelope
			status   common.Status
		}{
			"empty envelope":       {&common.Envelope{}, common.Status_BAD_REQUEST},
			"garbage":              {&common.Envelope{Payload: []byte{0xff}}, common.Status_BAD_REQUEST},
			"unknown channel":      {transaction("elsewhere", n.Client, 10), common.Status_NOT_FOUND},
			"too big":              {transaction(n.Channel, n.Client, 4096), common.Status_BAD_REQUEST},
			"a peer may not write": {transaction(n.Channel, n.Peer, 10), common.Status_FORBIDDEN},
			"org outside":          {transaction(n.Channel, orderertest.Enroll(t, orderertest.Org(t, "Org9"), "c", devnet.Client), 10), common.Status_FORBIDDEN},
			"bad signature":        {flipped, common.Status_FORBIDDEN},
			"no signature":         {&common.Envelope{Payload: flipped.Payload}, common.Status_FORBIDDEN},
			"config transaction":   {smuggled, common.Status_BAD_REQUEST},
			"configuration update": {update, common.Status_BAD_REQUEST},
		} {
			stream := broadcast(t, n)
			require.NoError(t, stream.Send(tc.envelope), name)
			answer, err := stream.Recv()
			require.NoError(t, err, name)
			require.Equal(t, tc.status, answer.GetStatus(), name)
			require.NotEmpty(t, answer.GetInfo(), name)
			_, err = stream.Recv()
			require.ErrorIs(t, err, io.EOF, "%s: the stream ends after a rejection", name)

			refused := &server.Refusal{}
			require.ErrorAs(t, o.Order(t.Context(), tc.envelope), &refused, name)
			require.Equal(t, tc.status, refused.Status, name)
		}
		height, err := o.Cut(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, height, "nothing was ordered")

		o.Suspend(true)
		stream := broadcast(t, n)
		require.NoError(t, stream.Send(n.Transaction(t, 10)))
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, answer.GetStatus())
	})
}

// Fields that Fabric does not know are dropped: with them the block would be malformed for every peer.
func TestUnknownFieldsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		ledger := orderer.NewMemory()
		cfg := n.Config()
		cfg.Ledger = ledger
		o := n.Orderer(t, cfg)
		e := n.Transaction(t, 10)
		e.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 7))
		require.NoError(t, o.Order(t.Context(), e))
		_, err := o.Cut(t.Context())
		require.NoError(t, err)
		b, err := ledger.Block(1)
		require.NoError(t, err)
		require.NoError(t, block.WellFormed(b.GetData()))
		ordered := &common.Envelope{}
		require.NoError(t, proto.Unmarshal(b.GetData().GetData()[0], ordered))
		require.Empty(t, ordered.ProtoReflect().GetUnknown())
	})
}

func TestLargestTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		e := n.Transaction(t, 1000)
		size := uint32(len(e.GetPayload()) + len(e.GetSignature()))
		for limit, accepted := range map[uint32]bool{size: true, size - 1: false} {
			cfg := n.Config()
			cfg.BatchSize = &pb.BatchSize{MaxMessageCount: 1, AbsoluteMaxBytes: limit, PreferredMaxBytes: limit}
			o := n.Orderer(t, cfg)
			require.Equal(t, accepted, o.Order(t.Context(), e) == nil)
		}
	})
}
