// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/weft-p2p/weft/internal/devnet"
)

// makePolicies has two ordering organizations and changes who must sign a block.
func makePolicies(c *chainMaker) {
	channel := c.network(2, devnet.Channel{})
	second := c.org("Second")
	c.admins = append(c.admins, c.enroll(second, "admin", devnet.Admin))
	for i := range 2 {
		c.orderers = append(c.orderers, c.enroll(second, fmt.Sprintf("orderer%d", i), devnet.Orderer))
	}
	channel.Orderers = c.nodes(c.orderers...)
	c.begin(channel)
	o := c.orderers
	c.judgeSets("ANY")
	c.goOn(c.next(o[2]), "ANY: by the second organization")
	c.change("MAJORITY of Writers", o[:1], setBlockValidation(implicit("Writers", common.ImplicitMetaPolicy_MAJORITY)))
	c.judgeSets("MAJORITY")
	c.spoil(o[0], o[2])
	c.goOn(c.next(o[1], o[3]), "MAJORITY: one of each organization")
	both := []*devnet.Node{o[0], o[2]}
	member, orderer := mspproto.MSPRole_MEMBER, mspproto.MSPRole_ORDERER
	first := rolePrincipal(c.ordering.MSPID, orderer)
	other := rolePrincipal(second.MSPID, orderer)
	for _, step := range []struct {
		what   string
		policy *common.Policy
	}{
		{"ALL of Writers", implicit("Writers", common.ImplicitMetaPolicy_ALL)},
		{"ALL of Admins", implicit("Admins", common.ImplicitMetaPolicy_ALL)},
		{"MAJORITY of a policy that nobody has", implicit("Nothing", common.ImplicitMetaPolicy_MAJORITY)},
		{"two of one organization", nOf(2, first, first)},
		{"two of one and one of the other", nOf(3, first, other, first)},
		{"greedy: member first", nOf(2, rolePrincipal(c.ordering.MSPID, member), identityPrincipal(o[0]))},
		{"greedy: identity first", nOf(2, identityPrincipal(o[0]), rolePrincipal(c.ordering.MSPID, member))},
		{"one identity", nOf(1, identityPrincipal(o[3]))},
		{"nobody", nOf(0)},
		{"more than there are", nOf(3, first, other)},
	} {
		b := c.branch()
		b.change(step.what, both, setBlockValidation(step.policy))
		b.judgeSets(step.what)
		c.branches = append(c.branches, b)
	}
	b := c.branch()
	b.change("the second organization has no Writers", both, func(root *common.ConfigGroup) error {
		delete(root.Groups["Orderer"].Groups["Second"].Policies, "Writers")
		return nil
	})
	b.judgeSets("MAJORITY, one without Writers")
	c.branches = append(c.branches, b)
	c.change("back to ANY", both, setBlockValidation(implicit("Writers", common.ImplicitMetaPolicy_ANY)))
	c.goOn(c.next(o[0]), "ANY again")
}

func setBlockValidation(p *common.Policy) devnet.Change {
	return setPolicy(p, "Orderer", "BlockValidation")
}

func identityPrincipal(node *devnet.Node) *mspproto.MSPPrincipal {
	return &mspproto.MSPPrincipal{
		PrincipalClassification: mspproto.MSPPrincipal_IDENTITY, Principal: node.Serialize(),
	}
}

// judgeSets lets every subset of the orderers sign, and the reverse of it.
func (c *chainMaker) judgeSets(when string) {
	for set := range 1 << min(len(c.orderers), 4) {
		var by, reverse []*devnet.Node
		for i, o := range c.orderers {
			if set&(1<<i) != 0 {
				by, reverse = append(by, o), append([]*devnet.Node{o}, reverse...)
			}
		}
		c.judge(c.next(by...), fmt.Sprintf("%s: signers %04b", when, set))
		if len(by) > 1 {
			c.judge(c.next(reverse...), fmt.Sprintf("%s: signers %04b, last first", when, set))
		}
	}
}

// makeCapabilities raises the channel from V1_4_3 to V3_0.
func makeCapabilities(c *chainMaker) {
	c.begin(c.network(2, devnet.Channel{}), capability("", "V1_4_3"), capability("Orderer", "V1_4_2"), capability("Application", "V1_4_2"))
	o := c.orderers
	c.judgeForms("V1_4_3")
	c.goOn(c.next(o[0]), "V1_4_3")
	c.change("V2_0", o[:1], capability("", "V2_0"), capability("Orderer", "V2_0"), capability("Application", "V2_5"))
	c.judgeForms("V2_0")
	c.goOn(c.next(o[0]), "V2_0")
	c.judge(c.configured([]devnet.Change{capability("", "V3_0"), dropEndpoints}, o[0]), "V3_0 without endpoints")
	addresses := marshal(&common.OrdererAddresses{Addresses: []string{"127.0.0.1:7050"}})
	c.judge(c.configured([]devnet.Change{capability("", "V3_0"), setValue("", "OrdererAddresses", addresses)}, o[0]), "V3_0 with global addresses")
	c.judge(c.configured([]devnet.Change{setValue("", "OrdererAddresses", addresses)}, o[0]), "V2_0 with global addresses")
	c.judge(c.configured([]devnet.Change{setValue("", "OrdererAddresses", addresses), dropEndpoints}, o[0]), "V2_0 with global addresses only")
	c.judge(c.configured([]devnet.Change{dropEndpoints}, o[0]), "V2_0 without any address")
	c.change("V3_0", o[:1], capability("", "V3_0"))
	c.judgeForms("V3_0")
	c.spoil(o[0])
	c.goOn(c.next(o[0]), "V3_0")
	c.judge(c.configured([]devnet.Change{capability("", "V2_0")}, o[0]), "back to V2_0")
	c.judge(c.configured([]devnet.Change{capability("", "V2_0", "V3_0")}, o[0]), "V2_0 beside V3_0")
	consenters := marshal(&common.Orderers{ConsenterMapping: []*common.Consenter{
		{Id: 1, MspId: o[0].Org.MSPID, Identity: o[0].CertPEM(), Host: "a", Port: 1},
		{Id: 2, MspId: o[1].Org.MSPID, Identity: o[1].CertPEM(), Host: "b", Port: 1},
	}})
	c.change("raft with a consenter mapping", o[:1], setValue("Orderer", "Orderers", consenters))
	c.judgeForms("V3_0 with a mapping")
	c.goOn(c.signedAs(c.unsigned(), 2, o[1]), "raft, signed by ID")
	c.change("from raft to BFT", o[:1], setValue("Orderer", "ConsensusType", []byte("\x0a\x03BFT")), c.setConsenters(o...))
	c.bft = true
	c.judgeSets("BFT")
	c.judgeForms("BFT")
	c.goOn(c.next(o...), "BFT")
}

func dropEndpoints(root *common.ConfigGroup) error {
	delete(root.Groups["Orderer"].Groups["Orderer"].Values, "Endpoints")
	return nil
}

// judgeForms tries the forms of a signature's header and of a signer.
func (c *chainMaker) judgeForms(when string) {
	o := c.orderers
	c.judge(c.signedAs(c.unsigned(), 1, o[0]), when+": by ID")
	c.judge(c.signedAs(c.signedAs(c.unsigned(), 1, o[0]), 2, o[1]), when+": two by ID")
	c.judge(c.signedByCreator(c.unsigned(), o[0].Serialize(), o[0]), when+": by creator")
	for what, by := range c.staff() {
		c.judge(c.next(by), when+": by "+what)
	}
}

// makeEarly starts with the capabilities of the first releases.
func makeEarly(c *chainMaker) {
	addresses := marshal(&common.OrdererAddresses{Addresses: []string{"127.0.0.1:7050"}})
	channel := c.network(2, devnet.Channel{})
	c.orderers = []*devnet.Node{c.enroll(c.ordering, "orderer0", devnet.Peer), c.enroll(c.ordering, "orderer1", devnet.Peer)}
	var edits []devnet.Change
	for i, admin := range c.admins {
		c.admins[i] = c.enroll(admin.Org, "admin", devnet.Client)
		edits = append(edits, alterMSP(admin.Org.Name, func(m *mspproto.FabricMSPConfig) {
			m.Admins = [][]byte{c.admins[i].CertPEM()}
			m.FabricNodeOus.AdminOuIdentifier, m.FabricNodeOus.OrdererOuIdentifier = nil, nil
		}))
	}
	c.begin(channel, append(edits,
		setValue("", "Capabilities", nil), setValue("Orderer", "Capabilities", nil), setValue("Application", "Capabilities", nil),
		setValue("", "OrdererAddresses", addresses), dropEndpoints,
	)...)
	o := c.orderers
	c.judgeForms("no capability")
	c.goOn(c.next(o[0]), "no capability")
	for _, name := range []string{"V1_1", "V1_3", "V1_4_2", "V1_4_3"} {
		orderer, application := name, name
		switch name {
		case "V1_3":
			orderer = "V1_1"
		case "V1_4_3":
			orderer, application = "V1_4_2", "V1_4_2"
		}
		c.change(name, o[:1], capability("", name), capability("Orderer", orderer), capability("Application", application))
		c.judgeForms(name)
		for _, role := range []mspproto.MSPRole_MSPRoleType{0, 1, 2, 3, 4} {
			writers := setPolicy(signedBy(rolePrincipal("OrdererMSP", role)), "Orderer", "Orderer", "Writers")
			c.judgeAfter([]devnet.Change{writers, devnet.SetAnchors("Org2", "a:1")}, o[0], c.staff(), name+", writes "+role.String())
		}
		c.goOn(c.next(o[1]), name)
	}
}
