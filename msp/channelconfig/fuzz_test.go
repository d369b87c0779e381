// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// patch replaces cut bytes of raw at an offset: small inputs reach everywhere in a big recorded block.
func patch(raw []byte, offset, cut uint32, insert []byte) []byte {
	from := int(offset) % (len(raw) + 1)
	to := min(from+int(cut), len(raw))
	return slices.Concat(raw[:from], insert, raw[to:])
}

// A configuration block may hold anything; what is accepted can be asked everything.
func FuzzFromBlock(f *testing.F) {
	seeds := [][]byte{marshal(recorded(f, "mychannel/block-000000.pb")), marshal(recorded(f, "bftchannel/block-000000.pb"))}
	f.Add(uint8(0), uint32(0), uint32(0), []byte{})
	f.Add(uint8(1), uint32(0), uint32(0), []byte{})
	f.Add(uint8(0), uint32(100), uint32(2), []byte{0xff, 0x7f})
	f.Add(uint8(0), uint32(0), ^uint32(0), marshal(&common.Block{Header: &common.BlockHeader{Number: 1}}))
	f.Fuzz(func(t *testing.T, seed uint8, offset, cut uint32, insert []byte) {
		b := &common.Block{}
		if proto.Unmarshal(patch(seeds[int(seed)%len(seeds)], offset, cut, insert), b) != nil {
			return
		}
		bundle, err := channelconfig.FromBlock(b)
		if err != nil {
			require.Nil(t, bundle)
			return
		}
		require.NotEmpty(t, bundle.ChannelID())
		require.Positive(t, bundle.BatchTimeout())
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
		raw  []byte
	}
	var places []place
	for _, p := range []place{
		{v: raftAt42(f), good: recorded(f, "mychannel/block-000042.pb")},
		{v: bftAt8(f), good: recorded(f, "bftchannel/block-000008.pb")},
	} {
		p.raw = marshal(p.good)
		places = append(places, p)
	}
	for i, p := range places {
		metadata := uint32(len(p.raw) - 300)
		f.Add(uint8(i), uint32(0), uint32(0), []byte{})
		f.Add(uint8(i), uint32(10), uint32(1), []byte{0})
		f.Add(uint8(i), metadata, uint32(1), []byte{0xff})
		f.Add(uint8(i), uint32(len(p.raw)), uint32(0), []byte{0x1a, 0x02, 0x0a, 0x00})
	}
	f.Fuzz(func(t *testing.T, at uint8, offset, cut uint32, insert []byte) {
		p := places[int(at)%len(places)]
		b := &common.Block{}
		if proto.Unmarshal(patch(p.raw, offset, cut, insert), b) != nil {
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

// Whatever stands as last_update in a configuration block that the orderers have signed: the block is taken only with the
// configuration that the channel's administrators have signed.
func FuzzLastUpdate(f *testing.F) {
	genuine := recorded(f, "mychannel/block-000048.pb")
	update, config := configEnvelope(f, genuine)
	raw := marshal(update)
	bundle, err := channelconfig.FromBlock(recorded(f, "mychannel/block-000041.pb"))
	require.NoError(f, err)
	want := config.GetChannelGroup()
	f.Fuzz(func(t *testing.T, offset, cut uint32, insert []byte) {
		envelope := &common.Envelope{}
		if proto.Unmarshal(patch(raw, offset, cut, insert), envelope) != nil {
			return
		}
		result, err := channelconfig.Apply(bundle, envelope)
		if err != nil {
			require.Nil(t, result)
			return
		}
		require.True(t, proto.Equal(want, result))
	})
}

// configEnvelope returns the update and the configuration in a configuration block.
func configEnvelope(t testing.TB, b *common.Block) (*common.Envelope, *common.Config) {
	t.Helper()
	envelope, payload, config := &common.Envelope{}, &common.Payload{}, &common.ConfigEnvelope{}
	require.NoError(t, proto.Unmarshal(b.GetData().GetData()[0], envelope))
	require.NoError(t, proto.Unmarshal(envelope.GetPayload(), payload))
	require.NoError(t, proto.Unmarshal(payload.GetData(), config))
	return config.GetLastUpdate(), config.GetConfig()
}
