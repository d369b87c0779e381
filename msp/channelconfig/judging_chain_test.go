// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// chainMaker makes one chain and the altered blocks that are judged along it.
type chainMaker struct {
	testing.TB
	name string
	now  time.Time

	id       string // of the channel
	admins   []*devnet.Node
	ordering *devnet.Org
	orderers []*devnet.Node
	app      []*devnet.Org
	bft      bool

	config     *common.Config
	number     uint64 // of the next block
	previous   []byte
	lastConfig uint64

	cases    bytes.Buffer
	seen     map[string]bool
	raw      bytes.Buffer
	branches []*chainMaker
}

// branch returns a chain with the same blocks, which goes on differently.
func (c *chainMaker) branch() *chainMaker {
	b := *c
	b.name = fmt.Sprintf("%s-%d", c.name, len(c.branches)+1)
	b.cases, b.raw, b.branches = bytes.Buffer{}, bytes.Buffer{}, nil
	for line := range bytes.Lines(c.cases.Bytes()) {
		col := bytes.SplitN(line, []byte{'\t'}, 4)
		if bytes.HasPrefix(col[3], []byte(formChain)) || bytes.HasPrefix(col[3], []byte(formGenesis)) {
			fmt.Fprintf(&b.cases, "%s\t%s", b.name, bytes.Join(col[1:], []byte{'\t'}))
		}
	}
	return &b
}

// begin makes the genesis block; edit may change its configuration.
func (c *chainMaker) begin(channel devnet.Channel, edit ...devnet.Change) {
	channel.ID = c.name
	genesis, err := devnet.Genesis(channel, c.now)
	require.NoError(c, err)
	c.id, c.bft = channel.ID, channel.Consensus == devnet.BFT
	if len(edit) > 0 {
		genesis = c.edited(genesis, edit)
	}
	c.config = configIn(c, genesis)
	c.add(genesis, formGenesis, "genesis block")
	c.number, c.previous, c.lastConfig = 1, block.HeaderHash(genesis.Header), 0
}

func (c *chainMaker) edited(genesis *common.Block, edit []devnet.Change) *common.Block {
	tx := &common.Envelope{}
	require.NoError(c, proto.Unmarshal(genesis.Data.Data[0], tx))
	payload, content := &common.Payload{}, &common.ConfigEnvelope{}
	require.NoError(c, proto.Unmarshal(tx.Payload, payload))
	require.NoError(c, proto.Unmarshal(payload.Data, content))
	for _, change := range edit {
		require.NoError(c, change(content.Config.ChannelGroup))
	}
	payload.Data = marshal(content)
	tx.Payload = marshal(payload)
	genesis.Data.Data[0] = marshal(tx)
	genesis.Header.DataHash = block.DataHash(genesis.Data)
	return genesis
}

func configIn(t testing.TB, b *common.Block) *common.Config {
	tx, payload, content := &common.Envelope{}, &common.Payload{}, &common.ConfigEnvelope{}
	require.NoError(t, proto.Unmarshal(b.Data.Data[0], tx))
	require.NoError(t, proto.Unmarshal(tx.Payload, payload))
	require.NoError(t, proto.Unmarshal(payload.Data, content))
	return content.Config
}

// network makes two application organizations, an ordering organization with n orderers, and administrators of all.
func (c *chainMaker) network(n int, channel devnet.Channel) devnet.Channel {
	c.app = []*devnet.Org{c.org("Org1"), c.org("Org2")}
	c.ordering = c.org("Orderer")
	for _, org := range c.app {
		c.admins = append(c.admins, c.enroll(org, "admin", devnet.Admin))
	}
	c.admins = append(c.admins, c.enroll(c.ordering, "admin", devnet.Admin))
	for i := range n {
		c.orderers = append(c.orderers, c.enroll(c.ordering, fmt.Sprintf("orderer%d", i), devnet.Orderer))
	}
	channel.Orgs, channel.Orderers = c.app, c.nodes(c.orderers...)
	return channel
}

func (c *chainMaker) org(name string) *devnet.Org {
	org, err := devnet.NewOrg(name, c.now)
	require.NoError(c, err)
	return org
}

func (c *chainMaker) enroll(org *devnet.Org, name string, role devnet.Role) *devnet.Node {
	node, err := org.Enroll(name, role, c.now)
	require.NoError(c, err)
	return node
}

// nodes describes orderers; all share one TLS certificate, which no verdict depends on.
func (c *chainMaker) nodes(orderers ...*devnet.Node) []devnet.OrderingNode {
	var nodes []devnet.OrderingNode
	for i, o := range orderers {
		nodes = append(nodes, devnet.OrderingNode{
			Org: o.Org, Address: fmt.Sprintf("127.0.0.1:%d", 7050+i), TLSCert: o.Org.TLSRoot(), Identity: o.CertPEM(),
		})
	}
	return nodes
}

// unsigned makes the next block with transactions, or one that looks like a transaction.
func (c *chainMaker) unsigned(txs ...*common.Envelope) *common.Block {
	if len(txs) == 0 {
		txs = []*common.Envelope{{Payload: fmt.Appendf(nil, "payload %d", c.number), Signature: []byte("signature")}}
	}
	data := &common.BlockData{}
	for _, tx := range txs {
		data.Data = append(data.Data, marshal(tx))
	}
	value := marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: c.lastConfig}})
	return &common.Block{
		Header:   &common.BlockHeader{Number: c.number, PreviousHash: c.previous, DataHash: block.DataHash(data)},
		Data:     data,
		Metadata: &common.BlockMetadata{Metadata: [][]byte{marshal(&common.Metadata{Value: value}), {}, {}, {}, {}}},
	}
}

// next makes the next block as the orderers by would.
func (c *chainMaker) next(by ...*devnet.Node) *common.Block { return c.signed(c.unsigned(), by...) }

// signed adds signatures: by ID for consenters of a BFT channel, by creator else.
func (c *chainMaker) signed(b *common.Block, by ...*devnet.Node) *common.Block {
	for _, node := range by {
		if i := slices.Index(c.orderers, node); c.bft && i >= 0 {
			c.signedAs(b, uint32(i+1), node)
		} else {
			c.signedByCreator(b, node.Serialize(), node)
		}
	}
	return b
}

func (c *chainMaker) signedAs(b *common.Block, id uint32, key devnet.Signer) *common.Block {
	header := marshal(&common.IdentifierHeader{Identifier: id, Nonce: []byte("nonce")})
	return c.signature(b, &common.MetadataSignature{IdentifierHeader: header}, key)
}

func (c *chainMaker) signedByCreator(b *common.Block, creator []byte, key devnet.Signer) *common.Block {
	header := marshal(&common.SignatureHeader{Creator: creator, Nonce: []byte("nonce")})
	return c.signature(b, &common.MetadataSignature{SignatureHeader: header}, key)
}

// signature completes s over the header that it names and adds it.
func (c *chainMaker) signature(b *common.Block, s *common.MetadataSignature, key devnet.Signer) *common.Block {
	alterSignatures(b, func(m *common.Metadata) {
		var err error
		signed := slices.Concat(m.GetValue(), s.GetSignatureHeader(), s.GetIdentifierHeader(), block.HeaderBytes(b.GetHeader()))
		s.Signature, err = key.Sign(signed)
		require.NoError(c, err)
		m.Signatures = append(m.Signatures, s)
	})
	return b
}

// update makes the configuration that follows, with the update that all administrators signed.
func (c *chainMaker) update(changes ...devnet.Change) (*common.Config, *common.Envelope) {
	next, err := devnet.Update(c.config, changes...)
	require.NoError(c, err)
	return next, c.updateTo(next)
}

func (c *chainMaker) updateTo(next *common.Config) *common.Envelope {
	var by []devnet.Signer
	for _, a := range c.admins {
		by = append(by, a)
	}
	from, to := proto.Clone(c.config).(*common.Config), proto.Clone(next).(*common.Config)
	shorten(from.ChannelGroup, to.ChannelGroup)
	tx, err := devnet.UpdateEnvelope(c.id, from, to, c.now, c.admins[0], by...)
	require.NoError(c, err)
	return tx
}

// shorten leaves of two versions of a group what an update must state: what changed, and the versions of what stays in a
// group whose members changed.
func shorten(from, to *common.ConfigGroup) {
	whole := from.GetVersion() != to.GetVersion()
	for key, value := range to.GetValues() {
		if old := from.GetValues()[key]; proto.Equal(old, value) {
			kept := &common.ConfigValue{Version: value.GetVersion()}
			keep(whole, key, kept, from.Values, to.Values)
		}
	}
	for key, policy := range to.GetPolicies() {
		if old := from.GetPolicies()[key]; proto.Equal(old, policy) {
			kept := &common.ConfigPolicy{Version: policy.GetVersion()}
			keep(whole, key, kept, from.Policies, to.Policies)
		}
	}
	for key, group := range to.GetGroups() {
		old := from.GetGroups()[key]
		switch {
		case proto.Equal(old, group):
			keep(whole, key, &common.ConfigGroup{Version: group.GetVersion()}, from.Groups, to.Groups)
		case old != nil:
			shorten(old, group)
		}
	}
}

func keep[V any](whole bool, key string, kept V, from, to map[string]V) {
	if !whole {
		delete(from, key)
		delete(to, key)
		return
	}
	from[key], to[key] = kept, kept
}

// configTx wraps a configuration as an orderer does.
func (c *chainMaker) configTx(next *common.Config, update *common.Envelope, by devnet.Signer) *common.Envelope {
	tx, err := devnet.ConfigEnvelope(c.id, next, update, by, c.now)
	require.NoError(c, err)
	return tx
}

// configured makes the next block with a changed configuration, signed by the orderers by.
func (c *chainMaker) configured(changes []devnet.Change, by ...*devnet.Node) *common.Block {
	next, update := c.update(changes...)
	return c.signed(c.configBlock(c.configTx(next, update, by[0])), by...)
}

// configBlock names itself as the last configuration, as orderers do.
func (c *chainMaker) configBlock(txs ...*common.Envelope) *common.Block {
	last := c.lastConfig
	c.lastConfig = c.number
	defer func() { c.lastConfig = last }()
	return c.unsigned(txs...)
}
