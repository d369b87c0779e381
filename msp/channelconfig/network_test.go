// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

const channelID = "testchannel"

// network is a channel whose keys the test holds: it can sign what a recorded network would not.
type network struct {
	testing.TB
	now                  time.Time
	org1, org2, ordering *devnet.Org
	orderers             []*devnet.Node
	genesis              *common.Block
	bft                  bool
}

func newNetwork(t testing.TB, consensus string) *network {
	t.Helper()
	return newNetworkAt(t, consensus, 4, time.Now())
}

// newNetworkAt makes a network with so many ordering nodes, all of whose certificates are of a time.
func newNetworkAt(t testing.TB, consensus string, nodes int, now time.Time) *network {
	t.Helper()
	n := &network{TB: t, now: now, bft: consensus == devnet.BFT}
	n.org1, n.org2, n.ordering = n.org("Org1"), n.org("Org2"), n.org("Orderer")
	channel := devnet.Channel{
		ID: channelID, Orgs: []*devnet.Org{n.org1, n.org2}, Consensus: consensus,
		Anchors: map[string][]string{n.org1.MSPID: {"peer0.org1:7051", "peer1.org1:7052"}},
	}
	for i := range nodes {
		node := n.enroll(n.ordering, fmt.Sprintf("orderer%d", i), devnet.Orderer)
		tls, _, err := n.ordering.TLS(node.Name, nil, now)
		require.NoError(t, err)
		n.orderers = append(n.orderers, node)
		channel.Orderers = append(channel.Orderers, devnet.OrderingNode{
			Org: n.ordering, Address: fmt.Sprintf("127.0.0.1:%d", 7050+i), TLSCert: tls, Identity: node.CertPEM(),
		})
	}
	var err error
	n.genesis, err = devnet.Genesis(channel, now)
	require.NoError(t, err)
	return n
}

func (n *network) org(name string) *devnet.Org {
	n.Helper()
	org, err := devnet.NewOrg(name, n.now)
	require.NoError(n, err)
	return org
}

func (n *network) enroll(org *devnet.Org, name string, role devnet.Role) *devnet.Node {
	n.Helper()
	node, err := org.Enroll(name, role, n.now)
	require.NoError(n, err)
	return node
}

// identity enrolls a node and returns what others know of it.
func (n *network) identity(org *devnet.Org, role devnet.Role) *msp.Identity {
	n.Helper()
	id, err := msp.ParseIdentity(n.enroll(org, "someone", role).Serialize())
	require.NoError(n, err)
	return id
}

func (n *network) bundle() *channelconfig.Bundle {
	n.Helper()
	b, err := channelconfig.FromBlock(n.genesis)
	require.NoError(n, err)
	return b
}

func (n *network) verifier() *channelconfig.Verifier {
	n.Helper()
	return channelconfig.NewVerifier(n.bundle(), n.genesis.GetHeader())
}

// block makes the block that v expects, signed by the orderers.
func (n *network) block(v *channelconfig.Verifier, txs ...*common.Envelope) *common.Block {
	b := n.unsigned(v, txs...)
	n.sign(b, n.orderers[:3]...)
	return b
}

// config makes the configuration block that v expects, with the update that the administrators have signed.
func (n *network) config(v *channelconfig.Verifier, channel string, c *common.Config) *common.Block {
	n.Helper()
	return n.configBy(v, channel, c, n.admins()...)
}

// configBy is config with the signatures of some.
func (n *network) configBy(v *channelconfig.Verifier, channel string, c *common.Config, admins ...devnet.Signer) *common.Block {
	n.Helper()
	update, err := devnet.UpdateEnvelope(channel, v.Bundle().Config(), c, time.Now(), nil, admins...)
	require.NoError(n, err)
	return n.configFor(v, channel, c, update)
}

// configFor is config with any last_update.
func (n *network) configFor(v *channelconfig.Verifier, channel string, c *common.Config, update *common.Envelope) *common.Block {
	n.Helper()
	tx, err := devnet.ConfigEnvelope(channel, c, update, nil, time.Now())
	require.NoError(n, err)
	return n.block(v, tx)
}

// admins are administrators of the organizations that the channel begins with.
func (n *network) admins() (admins []devnet.Signer) {
	n.Helper()
	for _, org := range []*devnet.Org{n.org1, n.org2, n.ordering} {
		signers, err := org.Administrators(n.now)
		require.NoError(n, err)
		admins = append(admins, signers...)
	}
	return admins
}

func (n *network) unsigned(v *channelconfig.Verifier, txs ...*common.Envelope) *common.Block {
	if len(txs) == 0 {
		txs = []*common.Envelope{{Payload: []byte("payload"), Signature: []byte("signature")}}
	}
	data := &common.BlockData{}
	for _, tx := range txs {
		data.Data = append(data.Data, marshal(tx))
	}
	value := marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: v.Bundle().Number()}})
	return &common.Block{
		Header:   &common.BlockHeader{Number: v.Next(), PreviousHash: v.PreviousHash(), DataHash: block.DataHash(data)},
		Data:     data,
		Metadata: &common.BlockMetadata{Metadata: [][]byte{marshal(&common.Metadata{Value: value}), {}, {}, {}, {}}},
	}
}

// sign adds signatures in the form of the channel: by consenter ID on BFT, by creator else.
func (n *network) sign(b *common.Block, by ...*devnet.Node) {
	for _, node := range by {
		if i := slices.Index(n.orderers, node); n.bft && i >= 0 {
			n.signAs(b, uint32(i+1), node)
		} else {
			n.signByCreator(b, node)
		}
	}
}

// signAs adds a signature that claims to be by the consenter with an ID.
func (n *network) signAs(b *common.Block, id uint32, node *devnet.Node) {
	alterSignatures(b, func(m *common.Metadata) {
		header := marshal(&common.IdentifierHeader{Identifier: id, Nonce: []byte("nonce")})
		m.Signatures = append(m.Signatures, &common.MetadataSignature{IdentifierHeader: header, Signature: n.over(b, m, header, node)})
	})
}

func (n *network) signByCreator(b *common.Block, node *devnet.Node) {
	alterSignatures(b, func(m *common.Metadata) {
		header := marshal(&common.SignatureHeader{Creator: node.Serialize(), Nonce: []byte("nonce")})
		m.Signatures = append(m.Signatures, &common.MetadataSignature{SignatureHeader: header, Signature: n.over(b, m, header, node)})
	})
}

func (n *network) over(b *common.Block, m *common.Metadata, header []byte, node *devnet.Node) []byte {
	n.Helper()
	signature, err := node.Sign(slices.Concat(m.GetValue(), header, block.HeaderBytes(b.GetHeader())))
	require.NoError(n, err)
	return signature
}

// update returns the configuration that follows the one of b.
func (n *network) update(b *channelconfig.Bundle, changes ...devnet.Change) *common.Config {
	n.Helper()
	next, err := devnet.Update(b.Config(), changes...)
	require.NoError(n, err)
	return next
}

// altered returns a copy of the channel's first configuration, altered.
func (n *network) altered(alter func(root *common.ConfigGroup)) *common.Config {
	c := proto.Clone(n.bundle().Config()).(*common.Config)
	alter(c.ChannelGroup)
	return c
}
