// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// Whatever the bytes of an envelope are, it is answered with a status, and nothing is ordered.
func FuzzEnvelope(f *testing.F) {
	n := orderertest.New(f)
	o, err := orderer.New(n.Config())
	require.NoError(f, err)
	for _, e := range []*common.Envelope{
		{}, {Payload: []byte{0xff}}, request(n, seek(oldest(), newest())), n.Transaction(f, 10),
		{Payload: request(n, seek(oldest(), newest())).Payload, Signature: []byte{0x30, 0x06, 2, 1, 1, 2, 1, 1}},
	} {
		f.Add(e.GetPayload(), e.GetSignature())
	}
	f.Fuzz(func(t *testing.T, payload, signature []byte) {
		e := &common.Envelope{Payload: payload, Signature: signature}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		refused := &server.Refusal{}
		if err := o.Order(ctx, e); !errors.Is(err, context.Canceled) {
			require.ErrorAs(t, err, &refused)
			require.NotEqual(t, common.Status_SUCCESS, refused.Status)
		}
		require.EqualValues(t, 1, o.Height())
	})
}
