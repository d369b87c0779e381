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
func recorded(f *testing.F, number int) *common.Block {
	f.Helper()
	raw, err := os.ReadFile(filepath.Join("../../msp/channelconfig/testdata/bftchannel", fmt.Sprintf("block-%06d.pb", number)))
	require.NoError(f, err)
	b := &common.Block{}
	require.NoError(f, proto.Unmarshal(raw, b))
	return b
}

func bundle(f *testing.F, b *common.Block) *channelconfig.Bundle {
	f.Helper()
	under, err := channelconfig.FromBlock(b)
	require.NoError(f, err)
	return under
}
