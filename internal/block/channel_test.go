// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/block"
)

func TestChannelHeader(t *testing.T) {
	tx := envelope(common.HeaderType_ENDORSER_TRANSACTION, "mychannel", "tx1")
	h, err := block.ChannelHeader(tx)
	require.NoError(t, err)
	require.Equal(t, "mychannel", h.GetChannelId())

	id, err := block.TxID(tx)
	require.NoError(t, err)
	require.Equal(t, "tx1", string(id))

	channel, err := block.ChannelID(withData(tx))
	require.NoError(t, err)
	require.Equal(t, "mychannel", channel)
}

// Protobuf merges a header that occurs twice and keeps the last of everything else.
func TestChannelHeaderOfARepeatedHeader(t *testing.T) {
	first := marshal(&common.Payload{Header: &common.Header{ChannelHeader: marshal(&common.ChannelHeader{ChannelId: "first"})}})
	second := marshal(&common.Payload{Header: &common.Header{ChannelHeader: marshal(&common.ChannelHeader{ChannelId: "second"})}})
	bare := marshal(&common.Payload{Header: &common.Header{SignatureHeader: []byte("creator")}})

	for want, payload := range map[string][]byte{"second": slices.Concat(first, second), "first": slices.Concat(first, bare)} {
		h, err := block.ChannelHeader(marshal(&common.Envelope{Payload: payload}))
		require.NoError(t, err)
		require.Equal(t, want, h.GetChannelId())
	}
}

func TestChannelHeaderErrors(t *testing.T) {
	tests := map[string]struct {
		tx   []byte
		want string
	}{
		"empty":                 {nil, "payload has no header"},
		"envelope not protobuf": {[]byte{0xff}, "envelope"},
		"payload not protobuf":  {marshal(&common.Envelope{Payload: []byte{0xff}}), "payload"},
		"header not protobuf":   {marshal(&common.Envelope{Payload: []byte{0x0a, 1, 0xff}}), "payload"},
		"no header":             {marshal(&common.Envelope{Payload: marshal(&common.Payload{Data: []byte("x")})}), "no header"},
		"channel header not protobuf": {
			marshal(&common.Envelope{Payload: marshal(&common.Payload{Header: &common.Header{ChannelHeader: []byte{0xff}}})}), "channel header",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := block.ChannelHeader(tt.tx)
			require.ErrorIs(t, err, block.ErrEnvelope)
			require.ErrorContains(t, err, tt.want)
			_, err = block.TxID(tt.tx)
			require.ErrorIs(t, err, block.ErrEnvelope)
			require.False(t, block.IsConfig(withData(tt.tx)))
		})
	}
	_, err := block.ChannelID(nil)
	require.ErrorIs(t, err, block.ErrEnvelope)
}

func TestIsConfig(t *testing.T) {
	config := envelope(common.HeaderType_CONFIG, "ch", "")
	endorser := envelope(common.HeaderType_ENDORSER_TRANSACTION, "ch", "tx")
	require.True(t, block.IsConfig(withData(config)))
	require.False(t, block.IsConfig(withData(endorser)))
	require.False(t, block.IsConfig(withData(config, config)), "a configuration transaction is alone in its block")
	require.False(t, block.IsConfig(withData()))
	require.False(t, block.IsConfig(nil))
}

func withData(txs ...[]byte) *common.Block {
	return &common.Block{Data: &common.BlockData{Data: txs}}
}
