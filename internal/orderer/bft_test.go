// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"maps"
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Blocks of a BFT channel verify as Fabric's do, across a configuration block, and carry a quorum of three of four, not always the same.
func TestBFTBlocksVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, ledger := orderertest.NewBFT(t, 4), orderer.NewMemory()
		cfg := n.Config()
		cfg.Ledger = ledger
		o := n.Orderer(t, cfg)
		n.Fill(t, o, 4)
		n.Configure(t, o)
		n.Fill(t, o, 7)
		verifier, quorums := channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader()), map[uint32]bool{}
		for number := uint64(1); number < 7; number++ {
			b, err := ledger.Block(number)
			require.NoError(t, err)
			require.NoError(t, verifier.Verify(b))
			require.NoError(t, verifier.VerifyAttestation(&common.Block{Header: b.Header, Metadata: b.Metadata}))
			require.NoError(t, verifier.Advance(b))
			md, _, err := block.OrdererMetadata(b.Metadata)
			require.NoError(t, err)
			require.Len(t, md.Signatures, 3)
			for _, s := range md.Signatures {
				require.Empty(t, s.SignatureHeader)
				header := &common.IdentifierHeader{}
				require.NoError(t, proto.Unmarshal(s.IdentifierHeader, header))
				quorums[header.Identifier] = true
			}
		}
		require.Len(t, quorums, 4)
	})
}

func TestBFTWantsAQuorumOfKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.NewBFT(t, 4)
		cfg := n.Config()
		cfg.Consenters = maps.Clone(cfg.Consenters)
		delete(cfg.Consenters, 4)
		_, err := orderer.New(cfg)
		require.ErrorIs(t, err, orderer.ErrIdentity, "two of three are no quorum of four")
		cfg.Consenters = nil
		_, err = orderer.New(cfg)
		require.ErrorIs(t, err, orderer.ErrIdentity)
	})
}
