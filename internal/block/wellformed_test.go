// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

func TestWellFormed(t *testing.T) {
	good := envelope(common.HeaderType_ENDORSER_TRANSACTION, "ch", "tx1")
	config := envelope(common.HeaderType_CONFIG, "ch", "")
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 7)
	payload, signature := []byte("\x0a\x03abc"), []byte("\x12\x03sig")

	tests := map[string]struct {
		txs  [][]byte
		want string // empty: well formed
	}{
		"one transaction":                    {txs: [][]byte{good}},
		"several":                            {txs: [][]byte{good, good, good}},
		"unknown field at the end":           {txs: [][]byte{slices.Concat(good, unknown)}},
		"payload as varint at the end":       {txs: [][]byte{slices.Concat(payload, signature, []byte{0x08, 1})}},
		"single configuration, unsigned":     {txs: [][]byte{unsigned(config)}},
		"single configuration with trailing": {txs: [][]byte{slices.Concat(config, unknown)}},
		"no transaction":                     {want: "no transaction"},
		"empty transaction":                  {txs: [][]byte{{}}, want: "transaction 0 of 1: no payload"},
		"moved boundary":                     {txs: [][]byte{good, slices.Concat(good, good)}, want: "transaction 1 of 2: "},
		"second payload":                     {txs: [][]byte{slices.Concat(payload, signature, payload)}, want: "5 trailing bytes"},
		"not protobuf":                       {txs: [][]byte{[]byte("\xff\xff\xff")}, want: "field tag"},
		"truncated":                          {txs: [][]byte{good[:len(good)-1]}, want: "unexpected EOF"},
		"no payload":                         {txs: [][]byte{signature}, want: "where the payload must be"},
		"empty payload":                      {txs: [][]byte{slices.Concat([]byte{0x0a, 0}, signature)}, want: "empty payload"},
		"no signature":                       {txs: [][]byte{payload}, want: "no signature"},
		"empty signature":                    {txs: [][]byte{slices.Concat(payload, []byte{0x12, 0})}, want: "empty signature"},
		"signature first":                    {txs: [][]byte{slices.Concat(signature, payload)}, want: "where the payload must be"},
		"unknown field between":              {txs: [][]byte{slices.Concat(payload, unknown, signature)}, want: "where the signature must be"},
		"long form of a length":              {txs: [][]byte{slices.Concat([]byte("\x0a\x83\x00abc"), signature)}, want: "shortest form"},
		"long form of a tag":                 {txs: [][]byte{slices.Concat([]byte("\x8a\x00\x03abc"), signature)}, want: "shortest form"},
		"stray end of a group":               {txs: [][]byte{slices.Concat(payload, signature, []byte{0x1c})}, want: "trailing"},
		"configuration beside another":       {txs: [][]byte{unsigned(config), good}, want: "no signature"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := block.WellFormed(&common.BlockData{Data: tt.txs})
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, block.ErrMalformed)
			require.ErrorContains(t, err, tt.want)
		})
	}
	require.ErrorIs(t, block.WellFormed(nil), block.ErrMalformed)
}

// FuzzWellFormed compares the walk over the wire bytes with what Fabric does: decode, look, encode, compare.
func FuzzWellFormed(f *testing.F) {
	good := envelope(common.HeaderType_ENDORSER_TRANSACTION, "ch", "tx1")
	for _, seed := range [][]byte{
		nil, good, slices.Concat(good, good), slices.Concat(good, []byte{0x18, 1}), slices.Concat(good, []byte{0x1b, 0x08, 1, 0x1c}),
		[]byte("\x0a\x83\x00abc\x12\x01s"), []byte("\x0a\x01p\x12\x01s\x08\x01"), []byte("\x0a\x01p\x12\x01s\xfa\xff\xff\xff\x7f\x00"),
		[]byte("\x0a\x01p\x12\x01s\xf8\xff\xff\xff\x1f\x00"), envelope(common.HeaderType_CONFIG, "ch", ""),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tx []byte) {
		d := &common.BlockData{Data: [][]byte{tx}}
		config := referenceIsConfig(tx)
		require.Equal(t, config, block.IsConfig(&common.Block{Data: d}))
		want := config || referenceWellFormed(tx)
		require.Equal(t, want, block.WellFormed(d) == nil, "%x", tx)
	})
}

func referenceWellFormed(tx []byte) bool {
	e := &common.Envelope{}
	if proto.Unmarshal(tx, e) != nil || len(e.Payload) == 0 || len(e.Signature) == 0 {
		return false
	}
	again, err := proto.Marshal(e)
	return err == nil && bytes.Equal(again, tx)
}

func referenceIsConfig(tx []byte) bool {
	e, p, h := &common.Envelope{}, &common.Payload{}, &common.ChannelHeader{}
	return proto.Unmarshal(tx, e) == nil && proto.Unmarshal(e.Payload, p) == nil && p.Header != nil &&
		proto.Unmarshal(p.Header.ChannelHeader, h) == nil && h.Type == int32(common.HeaderType_CONFIG)
}

func BenchmarkWellFormed(b *testing.B) {
	// What the check costs for a block of 500 transactions of 4 KB, and that it allocates nothing.
	tx := marshal(&common.Envelope{Payload: make([]byte, 4096), Signature: make([]byte, 70)})
	d := &common.BlockData{}
	for range 500 {
		d.Data = append(d.Data, tx)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := block.WellFormed(d); err != nil {
			b.Fatal(err)
		}
	}
}

func envelope(kind common.HeaderType, channel, txID string) []byte {
	header := &common.Header{ChannelHeader: marshal(&common.ChannelHeader{Type: int32(kind), ChannelId: channel, TxId: txID})}
	return marshal(&common.Envelope{Payload: marshal(&common.Payload{Header: header, Data: []byte("data")}), Signature: []byte("signature")})
}

func unsigned(tx []byte) []byte {
	e := &common.Envelope{}
	if err := proto.Unmarshal(tx, e); err != nil {
		panic(err)
	}
	e.Signature = nil
	return marshal(e)
}

func marshal(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}
