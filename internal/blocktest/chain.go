// SPDX-License-Identifier: Apache-2.0

// Package blocktest makes channels and signed chains of blocks for tests: whatever an ordering service would have made, and
// whatever it would not. Everything is made with the clock of the caller, so it works inside a testing/synctest bubble.
package blocktest

import (
	"crypto/ed25519"
	"crypto/sha256"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Chain is a channel and its blocks so far. Blocks belong to the chain: clone one before it is changed.
type Chain struct {
	*orderertest.Network
	Blocks []*common.Block

	bundle *channelconfig.Bundle
	random *mathrand.ChaCha8
}

// New makes a channel whose chain is its genesis block.
func New(t testing.TB) *Chain {
	t.Helper()
	c := &Chain{Network: orderertest.New(t), random: mathrand.NewChaCha8([32]byte{})}
	require.NoError(t, block.Normalize(c.Genesis))
	c.Blocks, c.bundle = []*common.Block{c.Genesis}, c.Network.Bundle(t)
	return c
}

// Height is the number of the next block.
func (c *Chain) Height() uint64 { return uint64(len(c.Blocks)) }

// InForce is the configuration in force for the next block.
func (c *Chain) InForce() *channelconfig.Bundle { return c.bundle }

// Grow adds n blocks of one transaction each, of about size bytes.
func (c *Chain) Grow(t testing.TB, n, size int) {
	t.Helper()
	for range n {
		c.add(c.Next(t, size))
	}
}

// Next makes a block of about size bytes for the end of the chain, and does not add it: two of them are a fork.
func (c *Chain) Next(t testing.TB, size int) *common.Block {
	t.Helper()
	tx, err := devnet.Transaction(c.Channel, c.Client, size, c.random, time.Now())
	require.NoError(t, err)
	return c.Block(t, c.Blocks[len(c.Blocks)-1], envelope(t, tx))
}

// Configure adds a configuration block.
func (c *Chain) Configure(t testing.TB, changes ...devnet.Change) {
	t.Helper()
	config, update := c.Update(t, c.bundle.Config(), changes...)
	tx, err := devnet.ConfigEnvelope(c.Channel, config, update, c.orderer(), time.Now())
	require.NoError(t, err)
	last := c.Blocks[len(c.Blocks)-1]
	b := c.unsigned(last, envelope(t, tx))
	c.Sign(t, b, b.Header.Number)
	c.add(b)
	c.bundle, err = channelconfig.FromBlock(b)
	require.NoError(t, err)
}

// Block makes a block of the given transactions behind another, signed under the configuration in force.
func (c *Chain) Block(t testing.TB, previous *common.Block, txs ...[]byte) *common.Block {
	t.Helper()
	b := c.unsigned(previous, txs...)
	c.Sign(t, b, c.bundle.Number())
	return b
}

func (c *Chain) unsigned(previous *common.Block, txs ...[]byte) *common.Block {
	data := &common.BlockData{Data: txs}
	return &common.Block{
		Header: &common.BlockHeader{
			Number: previous.Header.Number + 1, PreviousHash: block.HeaderHash(previous.Header), DataHash: block.DataHash(data),
		},
		Data: data,
	}
}

// Sign gives a block the metadata of an ordering service: a signature over its header as it is now.
func (c *Chain) Sign(t testing.TB, b *common.Block, lastConfig uint64) {
	t.Helper()
	SignAs(t, b, lastConfig, c.Identity)
}

// SignAs is Sign by anybody.
func SignAs(t testing.TB, b *common.Block, lastConfig uint64, signers ...*msp.SigningIdentity) {
	t.Helper()
	value := encode(t, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: lastConfig}})
	signed := &common.Metadata{Value: value}
	for _, signer := range signers {
		header := encode(t, &common.SignatureHeader{Creator: signer.Serialize(), Nonce: make([]byte, 24)})
		signature, err := signer.Sign(slices.Concat(value, header, block.HeaderBytes(b.Header)))
		require.NoError(t, err)
		signed.Signatures = append(signed.Signatures, &common.MetadataSignature{SignatureHeader: header, Signature: signature})
	}
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{encode(t, signed)}}
	require.NoError(t, block.Normalize(b))
}

func (c *Chain) add(b *common.Block) { c.Blocks = append(c.Blocks, b) }

// Verifier stands at a height; no configuration block may be between the genesis block and there.
func (c *Chain) Verifier(t testing.TB, height uint64) *channelconfig.Verifier {
	t.Helper()
	return channelconfig.NewVerifier(c.Network.Bundle(t), c.Blocks[height-1].Header)
}

func (c *Chain) orderer() devnet.Signer { return c.Identity }

// Member is an identity with a host key.
type Member struct {
	Signer *msp.SigningIdentity
	Key    crypto.PrivKey
	Record *msp.Record
}

// Member enrolls a node of an organization and issues its member record.
func (c *Chain) Member(t testing.TB, org *devnet.Org, name string, role devnet.Role) *Member {
	t.Helper()
	seed := sha256.Sum256([]byte(org.Name + name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	require.NoError(t, err)
	m := &Member{Key: key, Signer: orderertest.Signer(t, orderertest.Enroll(t, org, name, role))}
	m.Record, err = msp.IssueRecord(key, m.Signer, 1, time.Now())
	require.NoError(t, err)
	return m
}

// Seal signs a control message as the member.
func (m *Member) Seal(t testing.TB, purpose, scope string, content []byte) []byte {
	t.Helper()
	raw, err := msp.Seal(purpose, scope, m.Record, m.Signer, content)
	require.NoError(t, err)
	return raw
}

func envelope(t testing.TB, e *common.Envelope) []byte { return encode(t, e) }

func encode(t testing.TB, m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}
