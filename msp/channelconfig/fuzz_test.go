// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// A configuration block may hold anything; what is accepted can be asked everything.
func FuzzFromBlock(f *testing.F) {
	for _, name := range []string{"mychannel/block-000000.pb", "bftchannel/block-000000.pb", "mychannel/block-000041.pb"} {
		f.Add(marshal(recorded(f, name)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := &common.Block{}
		if proto.Unmarshal(raw, b) != nil {
			return
		}
		bundle, err := channelconfig.FromBlock(b)
		if err != nil {
			require.Nil(t, bundle)
			return
		}
		require.NotEmpty(t, bundle.ChannelID())
		require.Positive(t, bundle.BatchTimeout())
		for _, e := range bundle.Endpoints() {
			_ = e.Address
		}
		for _, org := range bundle.Orgs() {
			require.NotNil(t, bundle.MSP(org.MSPID))
		}
		require.Error(t, bundle.VerifySignatures(&common.BlockHeader{Number: 1}, []byte{0xff}))
	})
}

// Whatever is done to the bytes of a block, it is accepted only with the header and the data that the orderers signed.
func FuzzVerify(f *testing.F) {
	type place struct {
		v    *channelconfig.Verifier
		good *common.Block
	}
	places := []place{
		{raftAt42(f), recorded(f, "mychannel/block-000042.pb")},
		{bftAt8(f), recorded(f, "bftchannel/block-000008.pb")},
	}
	for i, p := range places {
		f.Add(marshal(p.good), i == 1)
		f.Add(marshal(&common.Block{Header: p.good.GetHeader(), Metadata: p.good.GetMetadata()}), i == 1)
	}
	f.Fuzz(func(t *testing.T, raw []byte, bft bool) {
		p := places[0]
		if bft {
			p = places[1]
		}
		b := &common.Block{}
		if proto.Unmarshal(raw, b) != nil {
			return
		}
		accepted := p.v.Verify(b) == nil
		if p.v.VerifyAttestation(b) == nil {
			require.Equal(t, block.HeaderBytes(p.good.GetHeader()), block.HeaderBytes(b.GetHeader()))
		} else {
			require.False(t, accepted)
		}
		if accepted {
			require.Equal(t, p.good.GetData().GetData(), b.GetData().GetData())
		}
	})
}
