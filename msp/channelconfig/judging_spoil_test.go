// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// spoil lets blocks be judged that are the next one but for one thing. Those called resigned are signed again over what
// was altered, so that only the alteration itself can be the reason.
func (c *chainMaker) spoil(by ...*devnet.Node) {
	c.spoilHeader(by)
	c.spoilData(by)
	c.spoilMetadata(by)
	c.spoilSignature(by)
}

func (c *chainMaker) spoilHeader(by []*devnet.Node) {
	for what, alter := range map[string]func(*common.BlockHeader){
		"previous hash: one bit":       func(h *common.BlockHeader) { h.PreviousHash[3] ^= 4 },
		"previous hash: none":          func(h *common.BlockHeader) { h.PreviousHash = nil },
		"previous hash: longer":        func(h *common.BlockHeader) { h.PreviousHash = append(h.PreviousHash, 0) },
		"previous hash: the data hash": func(h *common.BlockHeader) { h.PreviousHash = h.DataHash },
		"number one less":              func(h *common.BlockHeader) { h.Number-- },
		"number one more":              func(h *common.BlockHeader) { h.Number++ },
		"number of 2^63":               func(h *common.BlockHeader) { h.Number = 1 << 63 },
		"data hash: one bit":           func(h *common.BlockHeader) { h.DataHash[0] ^= 1 },
		"data hash: none":              func(h *common.BlockHeader) { h.DataHash = nil },
		"data hash: cut":               func(h *common.BlockHeader) { h.DataHash = h.DataHash[:31] },
	} {
		altered := func(b *common.Block) *common.Block {
			b.Header = proto.Clone(b.Header).(*common.BlockHeader)
			alter(b.Header)
			return b
		}
		c.judge(altered(c.next(by...)), what)
		c.judge(c.signed(altered(c.unsigned()), by...), what+", resigned")
		c.attest(withoutData(c.signed(altered(c.unsigned()), by...)), what+", resigned, attestation")
	}
	b := c.next(by...)
	b.Header = nil
	c.judge(b, "no header")
}

func withoutData(b *common.Block) *common.Block {
	b.Data = nil
	return b
}

func (c *chainMaker) spoilData(by []*devnet.Node) {
	good := marshal(&common.Envelope{Payload: []byte("payload"), Signature: []byte("signature")})
	reversed := protowire.AppendTag(nil, 2, protowire.BytesType)
	reversed = protowire.AppendBytes(reversed, []byte("signature"))
	reversed = protowire.AppendTag(reversed, 1, protowire.BytesType)
	reversed = protowire.AppendBytes(reversed, []byte("payload"))
	for what, txs := range map[string][][]byte{
		"data: another transaction":         {good},
		"data: two transactions":            {good, good},
		"data: transactions joined":         {slices.Concat(good, good)},
		"data: trailing bytes":              {good, slices.Concat(good, []byte{0x18, 1})},
		"data: fields in other order":       {good, reversed},
		"data: field twice":                 {good, slices.Concat(good[:9], good)},
		"data: long varint":                 {good, slices.Concat([]byte{0x0a, 0x87, 0}, good[2:])},
		"data: no signature":                {good, good[:9]},
		"data: no payload":                  {good, good[9:]},
		"data: empty transaction":           {good, {}},
		"data: not protobuf":                {good, []byte("\xff\xff")},
		"data: no transactions":             {},
		"data: one transaction of no bytes": {{}},
	} {
		b := c.next(by...)
		b.Data = &common.BlockData{Data: txs}
		c.judge(b, what)
		b = c.unsigned()
		b.Data = &common.BlockData{Data: txs}
		b.Header.DataHash = block.DataHash(b.Data)
		c.judge(c.signed(b, by...), what+", resigned")
	}
	c.judge(withoutData(c.next(by...)), "data: none")
	c.attest(withoutData(c.next(by...)), "attestation")
	c.attest(c.next(by...), "attestation with data")
}

func (c *chainMaker) spoilMetadata(by []*devnet.Node) {
	for what, alter := range map[string]func(*common.Block){
		"metadata: none":         func(b *common.Block) { b.Metadata = nil },
		"metadata: no entries":   func(b *common.Block) { b.Metadata.Metadata = nil },
		"metadata: four entries": func(b *common.Block) { b.Metadata.Metadata = b.Metadata.Metadata[:4] },
		"metadata: six entries": func(b *common.Block) {
			b.Metadata.Metadata = append(b.Metadata.Metadata, []byte("more"))
		},
		"metadata: first entry empty":        func(b *common.Block) { b.Metadata.Metadata[0] = nil },
		"metadata: first entry not protobuf": func(b *common.Block) { b.Metadata.Metadata[0] = []byte{0xff} },
		"metadata: trailing field": func(b *common.Block) {
			b.Metadata.Metadata[0] = append(b.Metadata.Metadata[0], 0x78, 1)
		},
		"metadata: other entries filled": func(b *common.Block) {
			for i := 1; i < 5; i++ {
				b.Metadata.Metadata[i] = []byte("filled")
			}
		},
		"metadata: value repeated": func(b *common.Block) {
			m := &common.Metadata{}
			must(proto.Unmarshal(b.Metadata.Metadata[0], m))
			b.Metadata.Metadata[0] = slices.Concat(marshal(&common.Metadata{Value: []byte("first")}), b.Metadata.Metadata[0])
		},
	} {
		b := c.next(by...)
		alter(b)
		c.judge(b, what)
		c.attest(withoutData(b), what+", attestation")
	}
	for what, value := range map[string][]byte{
		"value: none":              nil,
		"value: other last config": marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 77}}),
		"value: no last config":    marshal(&common.OrdererBlockMetadata{ConsenterMetadata: []byte("metadata")}),
		"value: not protobuf":      []byte("\xff\xff"),
	} {
		set := func(b *common.Block) *common.Block {
			alterSignatures(b, func(m *common.Metadata) { m.Value = value })
			return b
		}
		c.judge(set(c.next(by...)), what)
		c.judge(c.signed(set(c.unsigned()), by...), what+", resigned")
	}
	earlier := c.unsigned()
	earlier.Header.Number--
	b := c.unsigned()
	b.Metadata = c.signed(earlier, by...).Metadata
	c.judge(b, "metadata of another header")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (c *chainMaker) spoilSignature(by []*devnet.Node) {
	for what, alter := range map[string]func(*common.MetadataSignature){
		"signature: one bit": func(s *common.MetadataSignature) { s.Signature[len(s.Signature)-1] ^= 1 },
		"signature: none":    func(s *common.MetadataSignature) { s.Signature = nil },
		"signature: cut":     func(s *common.MetadataSignature) { s.Signature = s.Signature[:len(s.Signature)-1] },
		"signature: trailing byte": func(s *common.MetadataSignature) {
			s.Signature = append(s.Signature, 0)
		},
		"signature: high S":     func(s *common.MetadataSignature) { s.Signature = scalars(s.Signature, highS) },
		"signature: R zero":     func(s *common.MetadataSignature) { s.Signature = scalars(s.Signature, zeroR) },
		"signature: S negative": func(s *common.MetadataSignature) { s.Signature = scalars(s.Signature, negativeS) },
		"signature: R plus N":   func(s *common.MetadataSignature) { s.Signature = scalars(s.Signature, largeR) },
		"signature: long length": func(s *common.MetadataSignature) {
			s.Signature = slices.Concat([]byte{0x30, 0x81}, s.Signature[1:])
		},
		"signature: R padded": func(s *common.MetadataSignature) {
			n := s.Signature[3]
			s.Signature = slices.Concat([]byte{0x30, s.Signature[1] + 1, 2, n + 1, 0}, s.Signature[4:])
		},
		"signature header: not protobuf": func(s *common.MetadataSignature) { s.SignatureHeader = []byte{0xff} },
		"signature header: other nonce": func(s *common.MetadataSignature) {
			s.SignatureHeader = bytes.Replace(s.SignatureHeader, []byte("nonce"), []byte("nonze"), 1)
			s.IdentifierHeader = bytes.Replace(s.IdentifierHeader, []byte("nonce"), []byte("nonze"), 1)
		},
		"signature: no headers": func(s *common.MetadataSignature) { s.SignatureHeader, s.IdentifierHeader = nil, nil },
	} {
		b := c.next(by...)
		alterSignatures(b, func(m *common.Metadata) { alter(m.Signatures[0]) })
		c.judge(b, what)
		b = c.next(by...)
		alterSignatures(b, func(m *common.Metadata) {
			s := proto.Clone(m.Signatures[0]).(*common.MetadataSignature)
			alter(s)
			m.Signatures = append([]*common.MetadataSignature{s}, m.Signatures...)
		})
		c.judge(b, what+", in front of a good one")
	}
	c.judge(c.next(), "signatures: none")
	c.judge(c.next(slices.Concat(by, by)...), "signatures: each twice")
	c.spoilCreator(by)
}

// spoilCreator plays with who claims to have signed.
func (c *chainMaker) spoilCreator(by []*devnet.Node) {
	first, rest := by[0], by[1:]
	for what, creator := range c.creators(first) {
		c.judge(c.signedByCreator(c.next(rest...), creator, first), "creator: "+what)
	}
	signatureOf := func(node, key *devnet.Node) *common.Block {
		return c.signedByCreator(c.next(rest...), node.Serialize(), key)
	}
	c.judge(signatureOf(c.orderers[1], first), "signers swapped")
	client := c.enroll(c.app[0], "user", devnet.Client)
	c.judge(signatureOf(client, client), "signed by a client of an application organization")
	c.judge(signatureOf(c.admins[0], c.admins[0]), "signed by an administrator of an application organization")
	admin := c.admins[2]
	c.judge(signatureOf(admin, admin), "signed by the administrator of the ordering organization")
	forged := c.enroll(c.org("Orderer"), first.Name, devnet.Orderer)
	c.judge(signatureOf(forged, forged), "signed under a certificate of another CA of the same name")
	header := marshal(&common.IdentifierHeader{Identifier: 1, Nonce: []byte("nonce")})
	c.judge(c.signature(c.next(rest...), &common.MetadataSignature{IdentifierHeader: header}, first), "signed with identifier 1")
	both := marshal(&common.SignatureHeader{Creator: first.Serialize()})
	s := &common.MetadataSignature{SignatureHeader: both}
	b := c.signature(c.next(rest...), s, first)
	alterSignatures(b, func(m *common.Metadata) { m.Signatures[len(rest)].IdentifierHeader = header })
	c.judge(b, "signed with creator, identifier header beside it")
}

// creators are other ways to write down an identity.
func (c *chainMaker) creators(node *devnet.Node) map[string][]byte {
	certificate, id := node.CertPEM(), node.Org.MSPID
	of := func(mspID string, cert []byte) []byte {
		return marshal(&mspproto.SerializedIdentity{Mspid: mspID, IdBytes: cert})
	}
	typed := func(kind string, headers map[string]string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: node.Certificate.Raw})
	}
	return map[string][]byte{
		"itself":                         of(id, certificate),
		"none":                           nil,
		"not protobuf":                   {0xff},
		"no MSP ID":                      of("", certificate),
		"no certificate":                 of(id, nil),
		"MSP ID of another organization": of(c.app[0].MSPID, certificate),
		"unknown MSP ID":                 of("NobodyMSP", certificate),
		"MSP ID in lower case":           of("orderermsp", certificate),
		"DER, not PEM":                   of(id, node.Certificate.Raw),
		"PEM with trailing bytes":        of(id, append(slices.Clone(certificate), "more"...)),
		"PEM with trailing newline":      of(id, append(slices.Clone(certificate), '\n')),
		"PEM with text in front":         of(id, append([]byte("text\n"), certificate...)),
		"PEM twice":                      of(id, slices.Concat(certificate, certificate)),
		"PEM of type PUBLIC KEY":         of(id, typed("PUBLIC KEY", nil)),
		"PEM of no type":                 of(id, typed("", nil)),
		"PEM with headers":               of(id, typed("CERTIFICATE", map[string]string{"k": "v"})),
		"PEM without last newline":       of(id, bytes.TrimSpace(certificate)),
		"unknown field":                  append(of(id, certificate), 0x78, 1),
		"fields in other order":          slices.Concat(marshal(&mspproto.SerializedIdentity{IdBytes: certificate}), marshal(&mspproto.SerializedIdentity{Mspid: id})),
	}
}

// scalars decodes an ECDSA signature, alters it and encodes it again.
func scalars(der []byte, alter func(r, s *big.Int)) []byte {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		panic(err)
	}
	alter(sig.R, sig.S)
	out, err := asn1.Marshal(sig)
	if err != nil {
		panic(err)
	}
	return out
}

var order = elliptic.P256().Params().N

func highS(_, s *big.Int)     { s.Sub(order, s) }
func zeroR(r, _ *big.Int)     { r.SetInt64(0) }
func negativeS(_, s *big.Int) { s.Neg(s) }
func largeR(r, _ *big.Int)    { r.Add(r, order) }
