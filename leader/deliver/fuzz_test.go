// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// FuzzHeader feeds a client what an orderer can send in place of the headers and blocks that were asked for. Whatever it is, the client does
// not panic, takes blocks with the right number alone, and moves over no header but one that links and, where its block is missing, carries a
// quorum of a real BFT chain.
func FuzzHeader(f *testing.F) {
	config, next := recorded(f, 7), recorded(f, 8)
	before, after := bundle(f, recorded(f, 0)), bundle(f, config)
	for _, b := range []*common.Block{config, next, {Header: config.Header, Metadata: config.Metadata}, {Header: next.Header, Metadata: next.Metadata}} {
		raw, err := proto.Marshal(blockAnswer(b))
		require.NoError(f, err)
		for _, missing := range []bool{true, false} {
			f.Add(raw, true, missing)
			f.Add(raw, false, missing)
		}
		f.Add(raw[:len(raw)/2], true, true)
	}
	f.Add([]byte{0x08, 0xc8, 0x01}, true, true)
	unsigned, err := proto.Marshal(blockAnswer(withoutSignatures(f, next)))
	require.NoError(f, err)
	f.Add(unsigned, false, true)
	f.Fuzz(func(t *testing.T, raw []byte, first, missing bool) {
		answer := &orderer.DeliverResponse{}
		if proto.Unmarshal(raw, answer) != nil {
			return
		}
		b, place, under := answer.GetBlock(), next, after
		if first {
			place, under = config, before
		}
		number := place.Header.Number
		if deliver.Check(b, number) == nil {
			require.Equal(t, number, b.Header.Number)
		}
		v := channelconfig.VerifierAt(under, number, place.Header.PreviousHash)
		if deliver.Vouch(v, b, missing) != nil {
			require.Equal(t, number, v.Next(), "it stays where it is")
			return
		}
		require.Equal(t, number+1, v.Next())
		require.Equal(t, place.Header.PreviousHash, b.Header.PreviousHash)
		if missing {
			require.NoError(t, under.VerifySignatures(b.Header, b.Metadata.Metadata[0]))
		}
	})
}

// recorded is a block of a BFT channel of Fabric 3.1; 7 is a configuration block.
func recorded(f testing.TB, number int) *common.Block {
	f.Helper()
	raw, err := os.ReadFile(filepath.Join("../../msp/channelconfig/testdata/bftchannel", fmt.Sprintf("block-%06d.pb", number)))
	require.NoError(f, err)
	b := &common.Block{}
	require.NoError(f, proto.Unmarshal(raw, b))
	return b
}

func bundle(f testing.TB, b *common.Block) *channelconfig.Bundle {
	f.Helper()
	under, err := channelconfig.FromBlock(b)
	require.NoError(f, err)
	return under
}

// withoutSignatures is the header of a block that names its configuration, and that nobody has signed.
func withoutSignatures(t testing.TB, b *common.Block) *common.Block {
	t.Helper()
	md, _, err := block.OrdererMetadata(b.Metadata)
	require.NoError(t, err)
	entry0, err := proto.Marshal(&common.Metadata{Value: md.Value})
	require.NoError(t, err)
	return &common.Block{Header: b.Header, Metadata: &common.BlockMetadata{Metadata: [][]byte{entry0, {}, {}, {}, {}}}}
}

// What of a header counts: its link always, its signatures where the block is missing, and all of a configuration block.
func TestVouch(t *testing.T) {
	config, next := recorded(t, 7), recorded(t, 8)
	before, after := bundle(t, recorded(t, 0)), bundle(t, config)
	header := func(b *common.Block) *common.Block { return &common.Block{Header: b.Header, Metadata: b.Metadata} }
	unlinked := proto.CloneOf(header(next))
	unlinked.Header.PreviousHash[0] ^= 1
	mute := proto.CloneOf(config)
	mute.Metadata = withoutSignatures(t, config).Metadata
	for name, tc := range map[string]struct {
		under         *channelconfig.Bundle
		at            uint64
		b             *common.Block
		missing, here error
	}{
		"a header":                               {after, 8, header(next), nil, nil},
		"a whole block":                          {after, 8, next, nil, nil},
		"unsigned":                               {after, 8, withoutSignatures(t, next), channelconfig.ErrSignatures, nil},
		"unlinked":                               {after, 8, unlinked, channelconfig.ErrPreviousHash, channelconfig.ErrPreviousHash},
		"under another configuration":            {before, 8, header(next), deliver.ErrMalformed, deliver.ErrMalformed},
		"a configuration block":                  {before, 7, config, nil, nil},
		"a configuration block, unsigned":        {before, 7, mute, channelconfig.ErrSignatures, channelconfig.ErrSignatures},
		"a configuration block without its data": {before, 7, header(config), deliver.ErrMalformed, deliver.ErrMalformed},
		"another number":                         {after, 9, header(next), channelconfig.ErrNumber, channelconfig.ErrNumber},
		"nothing":                                {after, 8, nil, deliver.ErrMalformed, deliver.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			previous := next.Header.PreviousHash
			if tc.at == 7 {
				previous = config.Header.PreviousHash
			}
			for missing, want := range map[bool]error{true: tc.missing, false: tc.here} {
				v := channelconfig.VerifierAt(tc.under, tc.at, previous)
				err := deliver.Vouch(v, tc.b, missing)
				require.ErrorIs(t, err, want)
				if want == nil {
					require.Equal(t, tc.at+1, v.Next())
				}
			}
		})
	}
}
