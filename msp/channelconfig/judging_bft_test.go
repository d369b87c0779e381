// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// makeBFT runs four consenters, replaces one and goes on with seven.
func makeBFT(c *chainMaker) {
	c.begin(c.network(4, devnet.Channel{Consensus: devnet.BFT}))
	o := c.orderers
	c.spoil(o[:3]...)
	c.judgeSets("four consenters")
	c.judgeBFT()
	c.goOn(c.next(o[:3]...), "by a quorum")
	c.goOn(c.next(o[3], o[1], o[0], o[2]), "by all, in another order")
	c.spoilConfig()
	c.change("Org1 has an anchor peer", o[1:4], devnet.SetAnchors("Org1", "peer0.org1:7051"))

	gone := o[1]
	c.orderers = slices.Clone(o)
	c.orderers[1] = c.enroll(c.ordering, "orderer1", devnet.Orderer)
	c.change("the second consenter is replaced", []*devnet.Node{o[0], o[2], o[3]}, c.setConsenters(c.orderers...))
	o = c.orderers
	c.judge(c.signed(c.signedAs(c.unsigned(), 2, gone), o[0], o[2]), "the old consenter signs by ID")
	c.judge(c.signed(c.signedByCreator(c.unsigned(), gone.Serialize(), gone), o[0], o[2]), "the old consenter signs by creator")
	c.judgeSets("one replaced")
	c.goOn(c.next(o[0], o[1], o[2]), "by a quorum with the new one")

	for i := range 3 {
		c.orderers = append(c.orderers, c.enroll(c.ordering, fmt.Sprintf("orderer%d", 4+i), devnet.Orderer))
	}
	seven := c.orderers
	c.orderers = o
	c.judge(c.next(o[0], o[1], seven[4]), "a consenter to come signs")
	c.change("seven consenters", o[:3], c.setConsenters(seven...))
	c.orderers = seven
	for n := 3; n <= 7; n++ {
		c.judge(c.next(seven[:n]...), fmt.Sprintf("%d of seven consenters", n))
		c.judge(c.next(seven[7-n:]...), fmt.Sprintf("the last %d of seven consenters", n))
	}
	c.judge(c.next(seven[0], seven[0], seven[1], seven[2], seven[3]), "five signatures of four consenters")
	c.goOn(c.next(seven[2:]...), "by a quorum of seven")

	must(c.ordering.Revoke(seven[6].Certificate, c.now))
	c.change("a consenter's certificate is revoked", seven[:5], devnet.SetMSP(c.ordering))
	c.judge(c.next(seven[2:]...), "five with a revoked one")
	c.goOn(c.next(seven[1:]...), "six with a revoked one")
	c.change("four consenters again", seven[:5], c.setConsenters(seven[:4]...))
	c.orderers = seven[:4]
	c.judge(c.next(seven[1], seven[2]), "two of four")
	c.goOn(c.next(seven[:3]...), "three of four")
}

// judgeBFT tries what identifier headers allow.
func (c *chainMaker) judgeBFT() {
	o := c.orderers
	creator := func(b *common.Block, by ...*devnet.Node) *common.Block {
		for _, node := range by {
			c.signedByCreator(b, node.Serialize(), node)
		}
		return b
	}
	stranger := c.enroll(c.ordering, "orderer9", devnet.Orderer)
	c.judge(creator(c.unsigned(), o[:3]...), "three by creator")
	c.judge(creator(c.next(o[0]), o[1:3]...), "one by ID, two by creator")
	c.judge(creator(c.next(o[:2]...), o[1]), "one by ID and by creator, another by ID")
	c.judge(c.next(o[0], o[0], o[0]), "one signs thrice")
	c.judge(creator(c.next(o[:2]...), stranger), "an orderer that is no consenter signs by creator")
	for what, id := range map[string]uint32{"ID 0": 0, "ID 5": 5, "the largest ID": 1<<32 - 1, "the ID of another": 4} {
		c.judge(c.signedAs(c.next(o[:2]...), id, o[2]), "signed as "+what)
		c.judge(c.signedAs(c.next(o[:3]...), id, o[2]), "quorum, and signed as "+what)
	}
	swapped := c.unsigned()
	c.signedAs(swapped, 1, o[1])
	c.signedAs(swapped, 2, o[0])
	c.judge(c.signed(swapped, o[2]), "two signers swapped")
	for what, header := range map[string][]byte{
		"not protobuf": {0xff}, "of an unknown field": {0x78, 1}, "twice": {8, 2, 8, 1}, "of a large varint": {8, 0x81, 0x80, 0x80, 0x80, 0x10},
	} {
		c.judge(c.signature(c.next(o[1:3]...), &common.MetadataSignature{IdentifierHeader: header}, o[0]), "identifier header "+what)
		c.judge(c.signature(c.next(o[1:4]...), &common.MetadataSignature{IdentifierHeader: header}, o[0]), "quorum, and identifier header "+what)
	}
	earlier := c.unsigned()
	earlier.Header.Number--
	old := c.signed(earlier, o[2])
	b := c.next(o[:2]...)
	alterSignatures(b, func(m *common.Metadata) {
		alterSignatures(old, func(from *common.Metadata) { m.Signatures = append(m.Signatures, from.Signatures...) })
	})
	c.judge(b, "one signature of another block")
	other := c.unsigned()
	other.Data.Data = [][]byte{marshal(&common.Envelope{Payload: []byte("fork"), Signature: []byte("x")})}
	other.Header.DataHash = block.DataHash(other.Data)
	c.judge(c.signed(other, o[1:]...), "a fork, by a quorum")
}

// setConsenters writes the consenters and the policy that a quorum of them signs.
func (c *chainMaker) setConsenters(orderers ...*devnet.Node) devnet.Change {
	return func(root *common.ConfigGroup) error {
		mapping, principals := &common.Orderers{}, []*mspproto.MSPPrincipal{}
		for i, o := range orderers {
			mapping.ConsenterMapping = append(mapping.ConsenterMapping, consenter(uint32(i+1), o))
			principals = append(principals, identityPrincipal(o))
		}
		must(setValue("Orderer", "Orderers", marshal(mapping))(root))
		return setBlockValidation(nOf(devnet.Quorum(len(orderers)), principals...))(root)
	}
}

func consenter(id uint32, o *devnet.Node) *common.Consenter {
	return &common.Consenter{
		Id: id, Host: "127.0.0.1", Port: 7050 + id, MspId: o.Org.MSPID, Identity: o.CertPEM(),
		ClientTlsCert: o.Org.TLSRoot(), ServerTlsCert: o.Org.TLSRoot(),
	}
}

// makeBFTConfigs tries consenter mappings and policies.
func makeBFTConfigs(c *chainMaker) {
	c.begin(c.network(4, devnet.Channel{Consensus: devnet.BFT}))
	o := c.orderers
	mapping := func(of ...*common.Consenter) devnet.Change {
		value := marshal(&common.Orderers{ConsenterMapping: of})
		if value == nil {
			value = []byte{}
		}
		return setValue("Orderer", "Orderers", value)
	}
	all := []*common.Consenter{consenter(1, o[0]), consenter(2, o[1]), consenter(3, o[2]), consenter(4, o[3])}
	odd := func(alter func(*common.Consenter)) []*common.Consenter {
		first := consenter(1, o[0])
		alter(first)
		return append([]*common.Consenter{first}, all[1:]...)
	}
	for what, consenters := range map[string][]*common.Consenter{
		"as it is":             append(slices.Clone(all), consenter(9, o[0])),
		"none":                 nil,
		"two with one ID":      append(slices.Clone(all), consenter(1, o[1])),
		"two with one ID, odd": append([]*common.Consenter{consenter(1, o[1])}, all...),
		"IDs shuffled":         {consenter(4, o[0]), consenter(3, o[1]), consenter(2, o[2]), consenter(1, o[3])},
		"ID 0":                 odd(func(x *common.Consenter) { x.Id = 0 }),
		"no identity":          odd(func(x *common.Consenter) { x.Identity = nil }),
		"identity not PEM":     odd(func(x *common.Consenter) { x.Identity = []byte("x") }),
		"identity two PEM":     odd(func(x *common.Consenter) { x.Identity = slices.Concat(x.Identity, x.Identity) }),
		"unknown MSP":          odd(func(x *common.Consenter) { x.MspId = "NobodyMSP" }),
		"no MSP":               odd(func(x *common.Consenter) { x.MspId = "" }),
		"neither":              odd(func(x *common.Consenter) { x.MspId, x.Identity = "", nil }),
		"MSP of another":       odd(func(x *common.Consenter) { x.MspId = c.app[0].MSPID }),
		"no host":              odd(func(x *common.Consenter) { x.Host, x.Port = "", 0 }),
		"no TLS":               odd(func(x *common.Consenter) { x.ClientTlsCert, x.ServerTlsCert = nil, []byte("x") }),
	} {
		b := c.branch()
		b.change("mapping: "+what, o[:3], mapping(consenters...))
		b.judgeSets("mapping: " + what)
		b.judgeBFT()
		c.branches = append(c.branches, b)
	}
	c.tryAll(ordererChanges())
	for what, policy := range map[string]*common.Policy{
		"ANY of Writers": implicit("Writers", common.ImplicitMetaPolicy_ANY),
		"two of members": nOf(2, rolePrincipal("OrdererMSP", 0), rolePrincipal("OrdererMSP", 0)),
		"one consenter":  nOf(1, identityPrincipal(o[0])),
		"other order":    nOf(3, identityPrincipal(o[3]), identityPrincipal(o[2]), identityPrincipal(o[1]), identityPrincipal(o[0])),
	} {
		b := c.branch()
		b.change("policy: "+what, o[:3], setBlockValidation(policy))
		b.judgeSets("policy: " + what)
		c.branches = append(c.branches, b)
	}
	c.judge(c.configured([]devnet.Change{setValue("Orderer", "ConsensusType", []byte("\x0a\x08etcdraft"))}, o[:3]...), "from BFT to raft")
	c.judge(c.configured([]devnet.Change{dropEndpoints}, o[:3]...), "no endpoints")
	c.goOn(c.next(o[1:]...), "an honest block")
}
