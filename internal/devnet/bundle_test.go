// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// network is a channel with everybody's keys.
type network struct {
	orgs     []*devnet.Org
	orderers []*devnet.Node
	genesis  *common.Block
	bundle   *channelconfig.Bundle
}

func newNetwork(t *testing.T, consensus, capability string, orderers int) *network {
	t.Helper()
	nodes, identities := orderingNodes(t, newOrg(t, "Orderer"), orderers)
	n := &network{orgs: []*devnet.Org{newOrg(t, "Org1"), newOrg(t, "Org2")}, orderers: identities}
	var err error
	n.genesis, err = devnet.Genesis(devnet.Channel{
		ID: "mychannel", Orgs: n.orgs, Orderers: nodes, Consensus: consensus, Capability: capability,
		Anchors:   map[string][]string{"Org1MSP": {"127.0.0.1:7051", "[::1]:8051"}},
		BatchSize: 7, BatchTimeout: 300 * time.Millisecond, MaxBytes: 1 << 20,
	}, start)
	require.NoError(t, err)
	n.bundle, err = channelconfig.FromBlock(n.genesis)
	require.NoError(t, err)
	return n
}

func TestBundleOfGenesis(t *testing.T) {
	for name, c := range map[string]struct {
		consensus, capability string
		orderers              int
	}{
		"raft":           {devnet.Raft, "", 3},
		"raft with V3_0": {devnet.Raft, devnet.V3_0, 1},
		"BFT of four":    {devnet.BFT, "", 4},
		"BFT of one":     {devnet.BFT, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, c.consensus, c.capability, c.orderers)
			b := n.bundle
			require.Equal(t, "mychannel", b.ChannelID())
			require.Zero(t, b.Sequence())
			require.Equal(t, c.consensus, b.ConsensusType())
			require.EqualValues(t, 7, b.BatchSize().GetMaxMessageCount())
			require.EqualValues(t, 1<<20, b.BatchSize().GetAbsoluteMaxBytes())
			require.Equal(t, 300*time.Millisecond, b.BatchTimeout())
			require.Len(t, b.Endpoints(), c.orderers)
			require.Equal(t, "127.0.0.1:7050", b.Endpoints()[0].Address)
			require.Equal(t, [][]byte{n.orderers[0].Org.TLSRoot()}, b.Endpoints()[0].TLSRoots)
			if c.consensus == devnet.BFT {
				require.Len(t, b.Consenters(), c.orderers)
			}
			require.Len(t, b.Orgs(), 2)
			i := slices.IndexFunc(b.Orgs(), func(o channelconfig.Org) bool { return o.Name == "Org1" })
			require.Equal(t, "Org1MSP", b.Orgs()[i].MSPID)
			require.Equal(t, []channelconfig.Anchor{{Host: "127.0.0.1", Port: 7051}, {Host: "::1", Port: 8051}}, b.Orgs()[i].Anchors)
		})
	}
}

// Who may do what in a new channel.
func TestRolesInGenesis(t *testing.T) {
	n := newNetwork(t, devnet.Raft, "", 1)
	org := n.orgs[0]
	stranger := newOrg(t, "Org9")
	for name, c := range map[string]struct {
		node                     *devnet.Node
		member, readers, writers bool
	}{
		"peer":     {enroll(t, org, "peer0", devnet.Peer), true, true, false},
		"client":   {enroll(t, org, "user1", devnet.Client), false, true, true},
		"admin":    {enroll(t, org, "admin", devnet.Admin), false, true, true},
		"orderer":  {n.orderers[0], false, true, true},
		"stranger": {enroll(t, stranger, "peer0", devnet.Peer), false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			id := identity(t, c.node)
			require.Equal(t, c.member, n.bundle.Member(id) == nil, "member")
			require.Equal(t, c.readers, n.bundle.EvaluateIdentity("/Channel/Readers", id) == nil, "reads")
			require.Equal(t, c.writers, n.bundle.Evaluate("/Channel/Writers", signedBy(t, c.node)) == nil, "writes")
		})
	}
	admins := slices.Concat(signedBy(t, enroll(t, n.orgs[0], "admin", devnet.Admin)), signedBy(t, enroll(t, n.orgs[1], "admin", devnet.Admin)))
	require.Error(t, n.bundle.Evaluate("/Channel/Application/Admins", admins[:1]))
	require.NoError(t, n.bundle.Evaluate("/Channel/Application/Admins", admins))
}

func identity(t *testing.T, node *devnet.Node) *msp.Identity {
	t.Helper()
	id, err := msp.ParseIdentity(node.Serialize())
	require.NoError(t, err)
	return id
}

func signedBy(t *testing.T, node *devnet.Node) []channelconfig.SignedData {
	t.Helper()
	data := []byte("data of " + node.Name)
	signature, err := node.Sign(data)
	require.NoError(t, err)
	return []channelconfig.SignedData{{Data: data, Identity: node.Serialize(), Signature: signature}}
}

// Blocks signed by the orderers of the genesis block satisfy its BlockValidation policy, with a quorum and no fewer.
func TestBlocksOfItsOrderers(t *testing.T) {
	for name, c := range map[string]struct {
		consensus       string
		orderers, signs int
		identifiers, ok bool
	}{
		"raft, one":                    {devnet.Raft, 3, 1, false, true},
		"raft, none":                   {devnet.Raft, 3, 0, false, false},
		"BFT, quorum":                  {devnet.BFT, 4, 3, true, true},
		"BFT, quorum with identities":  {devnet.BFT, 4, 3, false, true},
		"BFT, one short":               {devnet.BFT, 4, 2, true, false},
		"BFT of one":                   {devnet.BFT, 1, 1, true, true},
		"raft does not take numbers":   {devnet.Raft, 3, 3, true, false},
		"BFT, one short of identities": {devnet.BFT, 4, 2, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, c.consensus, "", c.orderers)
			b := nextBlock(t, n.genesis, 0, transaction(t, "mychannel", enroll(t, n.orgs[0], "user1", devnet.Client)))
			signBlock(t, b, 0, c.identifiers, n.orderers[:c.signs])
			err := channelconfig.NewVerifier(n.bundle, n.genesis.GetHeader()).Verify(b)
			if !c.ok {
				require.ErrorIs(t, err, channelconfig.ErrSignatures)
				return
			}
			require.NoError(t, err)
		})
	}
}

// nextBlock is the unsigned block after last.
func nextBlock(t *testing.T, last *common.Block, config uint64, txs ...*common.Envelope) *common.Block {
	t.Helper()
	b := &common.Block{
		Header: &common.BlockHeader{Number: last.GetHeader().GetNumber() + 1, PreviousHash: block.HeaderHash(last.GetHeader())},
		Data:   &common.BlockData{},
	}
	for _, tx := range txs {
		raw, err := proto.Marshal(tx)
		require.NoError(t, err)
		b.Data.Data = append(b.Data.Data, raw)
	}
	b.Header.DataHash = block.DataHash(b.GetData())
	signBlock(t, b, config, false, nil)
	return b
}

// signBlock replaces metadata entry 0 by the signatures of the orderers over the block: with their identities, or with
// their consenter numbers.
func signBlock(t *testing.T, b *common.Block, config uint64, identifiers bool, orderers []*devnet.Node) {
	t.Helper()
	metadata := &common.Metadata{Value: marshal(t, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: config}})}
	for i, orderer := range orderers {
		signature := &common.MetadataSignature{}
		var header []byte
		if identifiers {
			header = marshal(t, &common.IdentifierHeader{Identifier: uint32(i + 1), Nonce: []byte("nonce")})
			signature.IdentifierHeader = header
		} else {
			header = marshal(t, &common.SignatureHeader{Creator: orderer.Serialize(), Nonce: []byte("nonce")})
			signature.SignatureHeader = header
		}
		var err error
		signature.Signature, err = orderer.Sign(slices.Concat(metadata.GetValue(), header, block.HeaderBytes(b.GetHeader())))
		require.NoError(t, err)
		metadata.Signatures = append(metadata.Signatures, signature)
	}
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{marshal(t, metadata), {}, {}, {}, {}}}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}

// A verifier follows the configurations that Update makes: an organization comes, an authority is rotated, a client is
// revoked.
func TestVerifierFollowsUpdates(t *testing.T) {
	n := newNetwork(t, devnet.Raft, "", 1)
	org := n.orgs[0]
	newcomer := newOrg(t, "Org4")
	newPeer := enroll(t, newcomer, "peer0", devnet.Peer)
	user := enroll(t, org, "user2", devnet.Client)
	verifier, last := channelconfig.NewVerifier(n.bundle, n.genesis.GetHeader()), n.genesis

	step := func(changes ...devnet.Change) {
		config := verifier.Bundle().Config()
		next, err := devnet.Update(config, changes...)
		require.NoError(t, err)
		var admins []devnet.Signer
		for _, o := range append(slices.Clone(n.orgs), newcomer) {
			signers, err := o.Administrators(start)
			require.NoError(t, err)
			admins = append(admins, signers...)
		}
		update, err := devnet.UpdateEnvelope("mychannel", config, next, start, user, admins...)
		require.NoError(t, err)
		envelope, err := devnet.ConfigEnvelope("mychannel", next, update, n.orderers[0], start)
		require.NoError(t, err)
		number := last.GetHeader().GetNumber() + 1
		last = nextBlock(t, last, number, envelope)
		signBlock(t, last, number, false, n.orderers)
		require.NoError(t, verifier.Verify(last))
		require.NoError(t, verifier.Advance(last))
		require.Equal(t, number, verifier.Bundle().Number())
		require.Equal(t, next.GetSequence(), verifier.Bundle().Sequence())
	}

	require.ErrorIs(t, verifier.Bundle().Member(identity(t, newPeer)), channelconfig.ErrUnknownOrg)
	step(devnet.AddOrg(newcomer, "127.0.0.1:13051"))
	require.NoError(t, verifier.Bundle().Member(identity(t, newPeer)))

	require.NoError(t, org.RotateCA(start))
	latePeer := enroll(t, org, "peer9", devnet.Peer)
	require.ErrorIs(t, verifier.Bundle().Member(identity(t, latePeer)), channelconfig.ErrUnknownOrg)
	step(devnet.SetMSP(org))
	require.NoError(t, verifier.Bundle().Member(identity(t, latePeer)))

	require.NoError(t, verifier.Bundle().Evaluate("/Channel/Writers", signedBy(t, user)))
	require.NoError(t, org.Revoke(user.Certificate, start))
	step(devnet.SetMSP(org))
	require.Error(t, verifier.Bundle().Evaluate("/Channel/Writers", signedBy(t, user)))

	step(devnet.RemoveOrg("Org4"))
	require.ErrorIs(t, verifier.Bundle().Member(identity(t, newPeer)), channelconfig.ErrUnknownOrg)
}

// In a bubble the clock stands in the year 2000: identities made there are valid there.
func TestMaterialInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		require.Equal(t, 2000, now.Year())
		org, err := devnet.NewOrg("Org1", now)
		require.NoError(t, err)
		node, err := org.Enroll("peer0", devnet.Peer, now)
		require.NoError(t, err)
		local, err := node.Local()
		require.NoError(t, err)
		require.NoError(t, local.Signer.ValidAt(time.Now()))
		cert, _, err := org.TLS("orderer0", nil, now)
		require.NoError(t, err)
		genesis, err := devnet.Genesis(devnet.Channel{
			ID: "bubble", Orgs: []*devnet.Org{org},
			Orderers: []devnet.OrderingNode{{Org: org, Address: "127.0.0.1:7050", TLSCert: cert, Identity: node.CertPEM()}},
		}, now)
		require.NoError(t, err)
		b, err := channelconfig.FromBlock(genesis)
		require.NoError(t, err)
		require.NoError(t, b.Member(local.Signer.Identity))
	})
}
