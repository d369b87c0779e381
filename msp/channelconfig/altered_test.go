// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// What a verifier says to a recorded block that was altered on the way.
func TestAlteredBlocks(t *testing.T) {
	tests := map[string]struct {
		alter func(*common.Block)
		want  error
		text  string
	}{
		"nothing":                 {func(*common.Block) {}, nil, ""},
		"no header":               {func(b *common.Block) { b.Header = nil }, channelconfig.ErrMalformed, "no header"},
		"number":                  {func(b *common.Block) { b.Header.Number++ }, channelconfig.ErrNumber, ""},
		"previous hash":           {func(b *common.Block) { b.Header.PreviousHash[0] ^= 1 }, channelconfig.ErrPreviousHash, ""},
		"no previous hash":        {func(b *common.Block) { b.Header.PreviousHash = nil }, channelconfig.ErrPreviousHash, ""},
		"previous hash very long": {func(b *common.Block) { b.Header.PreviousHash = make([]byte, 1<<16) }, channelconfig.ErrPreviousHash, "(65536 bytes)"},
		"data hash":               {func(b *common.Block) { b.Header.DataHash[0] ^= 1 }, channelconfig.ErrDataHash, ""},
		"no metadata":             {func(b *common.Block) { b.Metadata = nil }, channelconfig.ErrMetadata, "has 0 entries, it must have 5"},
		"four metadata entries":   {func(b *common.Block) { b.Metadata.Metadata = b.Metadata.Metadata[:4] }, channelconfig.ErrMetadata, "has 4 entries"},
		"unsigned metadata":       {func(b *common.Block) { b.Metadata.Metadata[2] = []byte("filled by a peer") }, nil, ""},
		"entry 0 empty":           {func(b *common.Block) { b.Metadata.Metadata[0] = nil }, channelconfig.ErrSignatures, "signers: 0"},
		"entry 0 not protobuf":    {func(b *common.Block) { b.Metadata.Metadata[0] = []byte{0xff} }, channelconfig.ErrMetadata, ""},
		"entry 0 too big":         {func(b *common.Block) { b.Metadata.Metadata[0] = make([]byte, block.MaxSignaturesSize+1) }, channelconfig.ErrMetadata, "the limit is"},
		"no data":                 {func(b *common.Block) { b.Data = nil }, channelconfig.ErrMalformed, "no transaction"},
		"order of transactions":   {func(b *common.Block) { slices.Reverse(b.Data.Data) }, channelconfig.ErrDataHash, ""},
		"a transaction less":      {func(b *common.Block) { b.Data.Data = b.Data.Data[1:] }, channelconfig.ErrDataHash, "its 9 transactions"},
		"a bit of a transaction":  {func(b *common.Block) { tx := b.Data.Data[3]; tx[len(tx)-1] ^= 1 }, channelconfig.ErrDataHash, ""},
		"boundary moved":          {joinFirstTwo, channelconfig.ErrMalformed, "transaction 0 of 9"},
		"signed value": {func(b *common.Block) {
			alterSignatures(b, func(m *common.Metadata) { m.Value = append(m.Value, m.Value...) })
		}, channelconfig.ErrSignatures, "bad signature"},
		"signature": {func(b *common.Block) {
			alterSignatures(b, func(m *common.Metadata) {
				for _, s := range m.Signatures {
					s.Signature[len(s.Signature)-1] ^= 1
				}
			})
		}, channelconfig.ErrSignatures, "bad signature"},
		"no signatures": {func(b *common.Block) {
			alterSignatures(b, func(m *common.Metadata) { m.Signatures = nil })
		}, channelconfig.ErrSignatures, ""},
		"signature header not protobuf": {func(b *common.Block) {
			alterSignatures(b, func(m *common.Metadata) { m.Signatures[0].SignatureHeader = []byte{0xff} })
		}, channelconfig.ErrMetadata, "header of signature 1"},
	}
	for channel, at := range map[string]struct {
		file string
		v    func(testing.TB) *channelconfig.Verifier
	}{"raft": {"mychannel/block-000042.pb", raftAt42}, "bft": {"bftchannel/block-000008.pb", bftAt8}} {
		for name, tt := range tests {
			t.Run(channel+"/"+name, func(t *testing.T) {
				v, b := at.v(t), recorded(t, at.file)
				next, previous := v.Next(), v.PreviousHash()
				tt.alter(b)
				err := v.Verify(b)
				require.ErrorIs(t, err, tt.want)
				if tt.want != nil {
					require.ErrorContains(t, err, tt.text)
				}
				require.Equal(t, next, v.Next())
				require.Equal(t, previous, v.PreviousHash())
			})
		}
	}
}

// Errors say what is wrong with numbers and hashes, so that an operator can compare.
func TestErrorTexts(t *testing.T) {
	v, b := raftAt42(t), recorded(t, "mychannel/block-000042.pb")
	expected := hex.EncodeToString(v.PreviousHash())

	b.Header.Number = 7
	require.EqualError(t, v.Verify(b), "channelconfig: wrong block number: block 7 where 42 is next")
	b.Header.Number, b.Header.PreviousHash = 42, []byte{0xab}
	require.EqualError(t, v.Verify(b),
		"channelconfig: previous hash does not match: block 42 names ab, the header of the block before it hashes to "+expected)

	b = recorded(t, "mychannel/block-000042.pb")
	named := hex.EncodeToString(b.Header.DataHash)
	b.Data.Data = b.Data.Data[:2]
	require.EqualError(t, v.Verify(b),
		"channelconfig: data hash does not match: the header of block 42 names "+named+", its 2 transactions hash to "+
			hex.EncodeToString(block.DataHash(b.Data)))
}

// Whoever would be asked later does not hide what is wrong first: the order of the checks is Fabric's.
func TestOrderOfChecks(t *testing.T) {
	v, b := raftAt42(t), recorded(t, "mychannel/block-000042.pb")
	good := proto.Clone(b).(*common.Block)
	b.Header.Number, b.Header.PreviousHash, b.Header.DataHash, b.Metadata.Metadata = 1, nil, nil, nil
	joinFirstTwo(b)

	for _, step := range []struct {
		want   error
		repair func()
	}{
		{channelconfig.ErrNumber, func() { b.Header.Number = good.Header.Number }},
		{channelconfig.ErrPreviousHash, func() { b.Header.PreviousHash = good.Header.PreviousHash }},
		{channelconfig.ErrMetadata, func() { b.Metadata.Metadata = make([][]byte, 5) }},
		{channelconfig.ErrMalformed, func() { b.Data = good.Data }},
		{channelconfig.ErrDataHash, func() { b.Header.DataHash = good.Header.DataHash }},
		{channelconfig.ErrSignatures, func() { b.Metadata = good.Metadata }},
		{nil, func() {}},
	} {
		require.ErrorIs(t, v.Verify(b), step.want)
		step.repair()
	}
}

func joinFirstTwo(b *common.Block) {
	txs := b.Data.Data
	b.Data.Data = append([][]byte{slices.Concat(txs[0], txs[1])}, txs[2:]...)
}

func alterSignatures(b *common.Block, alter func(*common.Metadata)) {
	m := &common.Metadata{}
	if err := proto.Unmarshal(b.Metadata.Metadata[0], m); err != nil {
		panic(err)
	}
	alter(m)
	b.Metadata.Metadata[0] = marshal(m)
}

func marshal(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}
