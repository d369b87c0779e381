// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// TestSigners: who signed is who ordered it, whoever else has put a signature beside.
func TestSigners(t *testing.T) {
	for _, consensus := range []string{devnet.Raft, devnet.BFT} {
		t.Run(consensus, func(t *testing.T) {
			n := newNetwork(t, consensus)
			v, o := n.verifier(), n.orderers
			stranger := n.enroll(n.org("Org9"), "peer0", devnet.Orderer)
			member := n.enroll(n.org1, "peer0", devnet.Peer)
			other := n.enroll(n.ordering, "orderer9", devnet.Orderer)
			for name, tt := range map[string]struct {
				sign func(*common.Block)
				want []*devnet.Node
			}{
				"nobody":            {func(*common.Block) {}, nil},
				"two":               {func(b *common.Block) { n.sign(b, o[2], o[0]) }, []*devnet.Node{o[2], o[0]}},
				"each once":         {func(b *common.Block) { n.sign(b, o[1], o[1]) }, []*devnet.Node{o[1]}},
				"others beside":     {func(b *common.Block) { n.sign(b, stranger, o[3], member) }, []*devnet.Node{o[3]}},
				"one that is bad":   {func(b *common.Block) { n.sign(b, o[0], o[1]); spoilFirst(b) }, []*devnet.Node{o[1]}},
				"no node of a list": {func(b *common.Block) { n.sign(b, other) }, map[string][]*devnet.Node{devnet.Raft: {other}}[consensus]},
			} {
				t.Run(name, func(t *testing.T) {
					b := n.unsigned(v)
					tt.sign(b)
					ids, err := v.Bundle().Signers(b.Header, b.Metadata.Metadata[0])
					require.NoError(t, err)
					require.Len(t, ids, len(tt.want))
					for i, id := range ids {
						want, err := msp.ParseCreator(tt.want[i].Serialize())
						require.NoError(t, err)
						require.Equal(t, want.Digest(), id.Digest())
					}
				})
			}
		})
	}
}

func TestSignersOfBadMetadata(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	_, err := n.bundle().Signers(&common.BlockHeader{Number: 1}, []byte{0xff})
	require.ErrorIs(t, err, channelconfig.ErrMetadata)
}
