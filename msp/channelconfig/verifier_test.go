// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func TestVerifierFollowsAChain(t *testing.T) {
	for _, consensus := range []string{devnet.Raft, devnet.BFT} {
		t.Run(consensus, func(t *testing.T) {
			n := newNetwork(t, consensus)
			v := n.verifier()
			require.EqualValues(t, 1, v.Next())
			require.Equal(t, block.HeaderHash(n.genesis.GetHeader()), v.PreviousHash())
			for range 3 {
				b := n.block(v)
				require.NoError(t, v.Verify(b))
				require.NoError(t, v.Advance(b))
				require.ErrorIs(t, v.Verify(b), channelconfig.ErrNumber, "a block is next once")
			}
			require.EqualValues(t, 4, v.Next())
		})
	}
}

func TestConfigBlocks(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	size := &orderer.BatchSize{MaxMessageCount: 7, AbsoluteMaxBytes: 1000, PreferredMaxBytes: 1000}
	sequence := func(s uint64) *common.Config {
		c := n.update(n.bundle())
		c.Sequence = s
		return c
	}
	tests := map[string]struct {
		channel string
		config  *common.Config
		want    error
		text    string
	}{
		"the next one":       {channelID, n.update(n.bundle(), devnet.SetBatchSize(size)), nil, ""},
		"of another channel": {"another", n.update(n.bundle()), channelconfig.ErrConfig, `channel "another", this is "testchannel"`},
		"the same sequence":  {channelID, sequence(0), channelconfig.ErrConfig, "sequence 0, the next is 1"},
		"a sequence too far": {channelID, sequence(2), channelconfig.ErrConfig, "sequence 2, the next is 1"},
		"invalid":            {channelID, &common.Config{Sequence: 1}, channelconfig.ErrConfig, "no channel group"},
		"empty":              {channelID, nil, channelconfig.ErrConfig, "no channel group"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := n.verifier()
			b := n.config(v, tt.channel, tt.config)
			before := v.Bundle()
			for _, judge := range []func(*common.Block) error{v.Verify, v.Advance} {
				err := judge(b)
				require.ErrorIs(t, err, tt.want)
				if tt.want != nil {
					require.ErrorContains(t, err, tt.text)
				}
			}
			if tt.want != nil {
				require.EqualValues(t, 1, v.Next())
				require.Same(t, before, v.Bundle())
				return
			}
			require.EqualValues(t, 2, v.Next())
			require.EqualValues(t, 1, v.Bundle().Number())
			require.EqualValues(t, 7, v.Bundle().BatchSize().GetMaxMessageCount())
		})
	}
}

// A configuration that was verified at one position must not be taken for the one of another block.
func TestAdvanceTakesItsOwnConfig(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	count := func(messages uint32) *common.Block {
		size := &orderer.BatchSize{MaxMessageCount: messages, AbsoluteMaxBytes: 1000, PreferredMaxBytes: 1000}
		return n.config(v, channelID, n.update(n.bundle(), devnet.SetBatchSize(size)))
	}
	seven, eight := count(7), count(8)
	require.NoError(t, v.Verify(seven))
	require.NoError(t, v.Verify(eight))
	require.NoError(t, v.Advance(seven))
	require.EqualValues(t, 7, v.Bundle().BatchSize().GetMaxMessageCount())
}

func TestAdvanceOnlyToTheNextBlock(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	require.ErrorIs(t, v.Advance(n.genesis), channelconfig.ErrNumber)
	require.ErrorIs(t, v.Advance(nil), channelconfig.ErrNumber)
	require.ErrorIs(t, v.Verify(nil), channelconfig.ErrMalformed)
	require.ErrorIs(t, v.VerifyAttestation(nil), channelconfig.ErrMalformed)
	require.ErrorIs(t, v.VerifyHeader(nil, nil), channelconfig.ErrNumber)
	require.EqualValues(t, 1, v.Next())
}

// The orderers that sign from a configuration block on are those of its configuration.
func TestNewOrderersAfterAConfigBlock(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	old := n.orderers
	later := n.org("Later")
	group, err := devnet.OrdererOrgGroup(later, "127.0.0.1:9050")
	require.NoError(t, err)
	config := n.config(v, channelID, n.update(n.bundle(), func(root *common.ConfigGroup) error {
		root.Groups["Orderer"].Groups = map[string]*common.ConfigGroup{"Later": group}
		return nil
	}))
	n.orderers = []*devnet.Node{n.enroll(later, "a", devnet.Orderer), n.enroll(later, "b", devnet.Orderer), n.enroll(later, "c", devnet.Orderer)}
	require.ErrorIs(t, v.Verify(n.block(v)), channelconfig.ErrSignatures, "not in force yet")

	require.NoError(t, v.Verify(config))
	require.NoError(t, v.Advance(config))
	require.NoError(t, v.Verify(n.block(v)))
	n.orderers = old
	require.ErrorIs(t, v.Verify(n.block(v)), channelconfig.ErrSignatures, "not in force any more")
}

func TestRaftSignatures(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	user := n.enroll(n.org1, "user", devnet.Client)
	stranger := n.enroll(n.org("Orderer"), "orderer0", devnet.Orderer) // same MSP ID, another CA
	nowhere := n.enroll(n.org("Nowhere"), "x", devnet.Orderer)
	tests := map[string]struct {
		sign func(*common.Block)
		want error
		text string
	}{
		"an orderer":                    {func(b *common.Block) { n.sign(b, n.orderers[0]) }, nil, ""},
		"any member of the orderer org": {func(b *common.Block) { n.sign(b, n.enroll(n.ordering, "admin", devnet.Admin)) }, nil, ""},
		"junk beside it":                {func(b *common.Block) { n.sign(b, nowhere, user, stranger, n.orderers[0]) }, nil, ""},
		"nobody":                        {func(*common.Block) {}, channelconfig.ErrSignatures, "signers: 0"},
		"a user":                        {func(b *common.Block) { n.sign(b, user) }, channelconfig.ErrSignatures, `signed by Org1MSP/"user"`},
		"an unknown CA":                 {func(b *common.Block) { n.sign(b, stranger) }, channelconfig.ErrSignatures, "certificate of an unknown CA"},
		"an unknown organization":       {func(b *common.Block) { n.sign(b, nowhere) }, channelconfig.ErrSignatures, `MSP ID "NowhereMSP"`},
		"by consenter ID, without V3_0": {func(b *common.Block) { n.signAs(b, 1, n.orderers[0]) }, channelconfig.ErrSignatures, "signature 1"},
		"a bad signature before a good": {func(b *common.Block) { n.sign(b, n.orderers[0], n.orderers[0]); spoilFirst(b) }, nil, ""},
		"a bad signature": {func(b *common.Block) { n.sign(b, n.orderers[0]); spoilFirst(b) },
			channelconfig.ErrSignatures, "bad signature"},
		"not protobuf as creator": {func(b *common.Block) {
			alterSignatures(b, func(m *common.Metadata) {
				m.Signatures = []*common.MetadataSignature{{SignatureHeader: marshal(&common.SignatureHeader{Creator: []byte{0xff}})}}
			})
		}, channelconfig.ErrSignatures, "malformed identity"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := n.unsigned(v)
			tt.sign(b)
			checkSignatures(t, v, b, tt.want, tt.text)
		})
	}
}

func TestBFTSignatures(t *testing.T) {
	n := newNetwork(t, devnet.BFT)
	v := n.verifier()
	o := n.orderers
	tests := map[string]struct {
		sign func(*common.Block)
		want error
		text string
	}{
		"a quorum":                  {func(b *common.Block) { n.sign(b, o[3], o[0], o[2]) }, nil, ""},
		"all":                       {func(b *common.Block) { n.sign(b, o...) }, nil, ""},
		"a quorum by creator":       {func(b *common.Block) { n.signByCreator(b, o[0]); n.signByCreator(b, o[1]); n.signByCreator(b, o[2]) }, nil, ""},
		"both forms":                {func(b *common.Block) { n.sign(b, o[0], o[1]); n.signByCreator(b, o[2]) }, nil, ""},
		"two":                       {func(b *common.Block) { n.sign(b, o[0], o[1]) }, channelconfig.ErrSignatures, "signers: 2"},
		"one signer in both forms":  {func(b *common.Block) { n.sign(b, o[0], o[1]); n.signByCreator(b, o[1]) }, channelconfig.ErrSignatures, "signers: 2"},
		"one signer three times":    {func(b *common.Block) { n.sign(b, o[0], o[0], o[0]) }, channelconfig.ErrSignatures, "signers: 1"},
		"unknown consenter":         {func(b *common.Block) { n.sign(b, o[0], o[1]); n.signAs(b, 9, o[2]) }, channelconfig.ErrSignatures, "no consenter with ID 9"},
		"unknown beside a quorum":   {func(b *common.Block) { n.signAs(b, 9, o[2]); n.sign(b, o[0], o[1], o[2]) }, nil, ""},
		"in the name of another":    {func(b *common.Block) { n.sign(b, o[0], o[1]); n.signAs(b, 4, o[2]) }, channelconfig.ErrSignatures, "bad signature"},
		"an orderer, not consenter": {func(b *common.Block) { n.sign(b, o[0], o[1], n.enroll(n.ordering, "x", devnet.Orderer)) }, channelconfig.ErrSignatures, "signers: 3"},
		"bad identifier header": {func(b *common.Block) {
			n.sign(b, o...)
			alterSignatures(b, func(m *common.Metadata) { m.Signatures[3].IdentifierHeader = []byte{0xff} })
		}, channelconfig.ErrMetadata, "header of signature 4"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := n.unsigned(v)
			tt.sign(b)
			checkSignatures(t, v, b, tt.want, tt.text)
		})
	}
}

// Every way to ask about the signatures gives the same answer.
func checkSignatures(t *testing.T, v *channelconfig.Verifier, b *common.Block, want error, text string) {
	t.Helper()
	attestation := &common.Block{Header: b.GetHeader(), Metadata: b.GetMetadata()}
	entry0 := b.GetMetadata().GetMetadata()[0]
	for _, err := range []error{
		v.Verify(b), v.VerifyAttestation(attestation), v.VerifyHeader(b.GetHeader(), entry0), v.Bundle().VerifySignatures(b.GetHeader(), entry0),
	} {
		require.ErrorIs(t, err, want)
		if want != nil {
			require.ErrorContains(t, err, text)
			require.NotErrorIs(t, err, channelconfig.ErrUnknownOrg)
		}
	}
}

func spoilFirst(b *common.Block) {
	alterSignatures(b, func(m *common.Metadata) {
		first := proto.Clone(m.Signatures[0]).(*common.MetadataSignature)
		first.Signature[len(first.Signature)-1] ^= 1
		m.Signatures[0] = first
	})
}

// The certificates of the ordering nodes are read once for a configuration, not once for a block: reading one takes some
// hundred allocations.
func TestCertificatesAreReadOnce(t *testing.T) {
	for _, consensus := range []string{devnet.Raft, devnet.BFT} {
		t.Run(consensus, func(t *testing.T) {
			n := newNetwork(t, consensus)
			v := n.verifier()
			b := n.block(v)
			require.NoError(t, v.Verify(b))
			signatures := 3.0
			require.Less(t, testing.AllocsPerRun(5, func() { require.NoError(t, v.Verify(b)) }), 60*signatures)
		})
	}
}

// Nothing is concluded from one signature for another: the creator is known, the altered bytes are not.
func TestKnownCreatorsProveNothing(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	b := n.block(v)
	require.NoError(t, v.Verify(b))
	alterSignatures(b, func(m *common.Metadata) {
		for _, s := range m.Signatures {
			s.Signature[len(s.Signature)-1] ^= 1
		}
	})
	require.ErrorIs(t, v.Verify(b), channelconfig.ErrSignatures)
}
