// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// forgedBlocks are blocks that follow the last one of the chain, and that no peer may take. They are announced, and given in
// answer to requests.
var forgedBlocks = []struct {
	name string
	make func(h *hat) *common.Block
}{
	{"nobody has signed", func(h *hat) *common.Block { return h.signed(h.successor()) }},
	{"a member has signed", func(h *hat) *common.Block { return h.signed(h.successor(), h.local.Signer) }},
	{"an unrelated CA's orderer has signed", func(h *hat) *common.Block { return h.signed(h.successor(), h.alienOf(h.alien.Org.MSPID)) }},
	{"one that may not has signed three times", func(h *hat) *common.Block {
		return h.signed(h.successor(), slices.Repeat([]*msp.SigningIdentity{h.alienOf(h.alien.Org.MSPID)}, 3)...)
	}},
	{"a removed orderer has signed", func(h *hat) *common.Block { return h.signed(h.successor(), h.retired) }},
	{"high-S", func(h *hat) *common.Block { return h.resigned(h.signed(h.successor(), h.orderer()), highS) }},
	{"a bit of the signature", func(h *hat) *common.Block { return h.resigned(h.signed(h.successor(), h.orderer()), flipLast) }},
	{"another block's signatures", func(h *hat) *common.Block {
		b := h.successor()
		b.Metadata = proto.CloneOf(h.net.ordered(h.net.orderer.Height() - 1)).Metadata
		return b
	}},
	{"header altered", func(h *hat) *common.Block {
		b, other := h.signed(h.successor(), h.orderer()), h.successor()
		b.Data, b.Header = other.Data, other.Header
		return b
	}},
	{"last_config altered", func(h *hat) *common.Block {
		b := h.signed(h.successor(), h.orderer())
		return h.reworked(b, func(m *common.Metadata) {
			m.Value = encoded(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: h.random.Uint64N(2)}})
		})
	}},
	{"configuration block that the forger has made", func(h *hat) *common.Block { return h.signed(h.configuration(nil), h.local.Signer) }},
	{"configuration block, altered and signed again", func(h *hat) *common.Block {
		by := h.alienOf(h.net.org.MSPID)
		return h.signed(h.configuration(by), by)
	}},
	{"configuration block with the signatures of the last", func(h *hat) *common.Block {
		b := h.configuration(nil)
		b.Metadata = proto.CloneOf(h.net.ordered(h.net.orderer.Bundle().Number())).Metadata
		return b
	}},
}

func (h *hat) orderer() *msp.SigningIdentity { return h.net.config.Identity }

// successor is an unsigned block after the last one.
func (h *hat) successor() *common.Block {
	seed := [32]byte{}
	copy(seed[:], h.bytes(32))
	tx, err := devnet.Transaction(channelName, h.net.client, 200, rand.NewChaCha8(seed), time.Now())
	require.NoError(h.net.t, err)
	return h.after(encoded(tx))
}

func (h *hat) after(txs ...[]byte) *common.Block {
	last, data := h.net.ordered(h.net.orderer.Height()-1).Header, &common.BlockData{Data: txs}
	return &common.Block{Data: data, Header: &common.BlockHeader{Number: last.Number + 1, PreviousHash: block.HeaderHash(last), DataHash: block.DataHash(data)}}
}

// configuration is an unsigned configuration block, of a change that the forger alone has signed.
func (h *hat) configuration(by *msp.SigningIdentity) *common.Block {
	t, current := h.net.t, h.net.orderer.Bundle().Config()
	next, err := devnet.Update(current, devnet.RemoveOrg("Org1"))
	require.NoError(t, err)
	if by == nil {
		by = h.local.Signer
	}
	update, err := devnet.UpdateEnvelope(channelName, current, next, time.Now(), by, by)
	require.NoError(t, err)
	tx, err := devnet.ConfigEnvelope(channelName, next, update, by, time.Now())
	require.NoError(t, err)
	return h.after(encoded(tx))
}

// signed gives a block the metadata of an ordering service.
func (h *hat) signed(b *common.Block, by ...*msp.SigningIdentity) *common.Block {
	last := h.net.orderer.Bundle().Number()
	if block.IsConfig(b) {
		last = b.Header.Number
	}
	blocktest.SignAs(h.net.t, b, last, by...)
	return b
}

// reworked changes what is in metadata entry 0.
func (h *hat) reworked(b *common.Block, change func(*common.Metadata)) *common.Block {
	m := &common.Metadata{}
	require.NoError(h.net.t, proto.Unmarshal(b.Metadata.Metadata[0], m))
	change(m)
	b.Metadata.Metadata[0] = encoded(m)
	require.NoError(h.net.t, block.Normalize(b))
	return b
}

func (h *hat) resigned(b *common.Block, change func([]byte) []byte) *common.Block {
	return h.reworked(b, func(m *common.Metadata) { m.Signatures[0].Signature = change(m.Signatures[0].Signature) })
}

// highS is the other signature that any ECDSA signature on P-256 is good for.
func highS(der []byte) []byte {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		panic(err) // an orderer made it
	}
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	raw, err := asn1.Marshal(sig)
	if err != nil {
		panic(err)
	}
	return raw
}

func flipLast(der []byte) []byte {
	der = slices.Clone(der)
	der[len(der)-1] ^= 1
	return der
}

// bare is the announcement of a block without its body inside.
func (h *hat) bare(b *common.Block) *topics.Announcement {
	a := h.announcement(b)
	a.Data = nil
	return a
}

func (h *hat) announcement(b *common.Block) *topics.Announcement {
	a, err := topics.Announce(b)
	require.NoError(h.net.t, err)
	return a
}
