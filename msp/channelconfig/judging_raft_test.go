// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
)

// makeOrganizations adds an organization, removes it and adds it again with another CA.
func makeOrganizations(c *chainMaker) {
	c.begin(c.network(3, devnet.Channel{}))
	o := c.orderers
	c.spoil(o[0])
	c.goOn(c.next(o[0]), "by the first orderer")
	c.goOn(c.next(o[1], o[2]), "by two orderers")

	third := c.org("Org3")
	client := c.enroll(third, "client", devnet.Client)
	c.judge(c.next(client), "by a client of an organization that is not there yet")
	c.change("Org3 comes", o[:1], devnet.AddOrg(third))
	c.judge(c.next(client), "by a client of the new organization")
	c.spoilConfig()
	c.goOn(c.next(o[1]), "by another orderer")
	c.change("Org3 goes", o[1:2], devnet.RemoveOrg("Org3"))
	c.judge(c.next(client), "by a client of the removed organization")
	again := c.org("Org3")
	c.change("Org3 comes again, with another CA", o[2:3], devnet.AddOrg(again))
	c.judge(c.next(client), "by a client under the old CA")
	c.change("Org1 has an anchor peer", o[:1], devnet.SetAnchors("Org1", "peer0.org1:7051"))
	c.goOn(c.next(o[0]), "by the first orderer")

	// An application organization that runs an orderer as well.
	c.orderers = append(c.orderers, c.enroll(c.app[0], "orderer", devnet.Orderer))
	c.judge(c.next(c.orderers[3]), "by an orderer of Org1, which is not an ordering organization yet")
	c.change("Org1 runs orderers", o[:1], addOrdererOrg(c, c.app[0]))
	c.goOn(c.next(c.orderers[3]), "by an orderer of Org1")
	c.judge(c.next(client), "by a client of Org3")
	c.change("the ordering organization goes", o[:1], removeOrdererOrg("Orderer"))
	c.judge(c.next(o[0]), "by an orderer of the removed organization")
	c.goOn(c.next(c.orderers[3]), "by an orderer of Org1")
}

func addOrdererOrg(c *chainMaker, org *devnet.Org) devnet.Change {
	return func(root *common.ConfigGroup) error {
		group, err := devnet.OrdererOrgGroup(org, "127.0.0.1:7099")
		root.Groups["Orderer"].Groups[org.Name] = group
		return err
	}
}

func removeOrdererOrg(name string) devnet.Change {
	return func(root *common.ConfigGroup) error {
		delete(root.Groups["Orderer"].Groups, name)
		return nil
	}
}

// makeRevocation revokes the certificates of orderers, and takes one revocation back.
func makeRevocation(c *chainMaker) {
	c.begin(c.network(3, devnet.Channel{}))
	o := c.orderers
	c.goOn(c.next(o[0]), "before the revocation")
	require.NoError(c, c.ordering.Revoke(o[0].Certificate, c.now))
	c.change("the first orderer's certificate is revoked; it signs this block", o[:1], devnet.SetMSP(c.ordering))
	c.judge(c.next(o[0]), "by the revoked orderer")
	c.judge(c.next(o[0], o[1]), "by the revoked orderer and another")
	c.judge(c.configured([]devnet.Change{devnet.SetAnchors("Org1", "a:1")}, o[0]), "configuration by the revoked orderer")
	c.attest(withoutData(c.next(o[0])), "attestation by the revoked orderer")
	renewed := c.enroll(c.ordering, o[0].Name, devnet.Orderer)
	c.goOn(c.next(renewed), "by the same orderer with a new certificate")
	c.spoil(o[1])
	require.NoError(c, c.ordering.Revoke(o[1].Certificate, c.now))
	c.change("the second one too", o[2:3], devnet.SetMSP(c.ordering))
	c.judge(c.next(o[0], o[1]), "by two revoked orderers")
	c.goOn(c.next(o[2]), "by the third orderer")
	c.change("both revocations are taken back", o[2:3], alterMSP("Orderer", func(m *mspproto.FabricMSPConfig) { m.RevocationList = nil }))
	c.goOn(c.next(o[0]), "by the orderer that was revoked")

}

// makeRotation replaces consenters, then the root of the ordering organization in two steps.
func makeRotation(c *chainMaker) {
	c.begin(c.network(2, devnet.Channel{}))
	old := c.orderers
	c.goOn(c.next(old[0]), "by the first orderer")
	require.NoError(c, c.ordering.RotateCA(c.now))
	young := []*devnet.Node{c.enroll(c.ordering, "orderer0", devnet.Orderer), c.enroll(c.ordering, "orderer1", devnet.Orderer)}
	c.judge(c.next(young[0]), "by an orderer of the new root, too early")
	c.change("both roots", old[:1], devnet.SetMSP(c.ordering))
	c.goOn(c.next(old[0]), "by an orderer of the old root")
	c.goOn(c.next(young[0]), "by an orderer of the new root")
	c.goOn(c.next(old[1], young[1]), "by one of each")
	c.ordering.RetireCA()
	c.admins[2] = c.enroll(c.ordering, "admin", devnet.Admin)
	c.judge(c.configured([]devnet.Change{devnet.SetMSP(c.ordering)}, old[1]), "only the new root, the block signed under the old one")
	c.change("only the new root", young[:1], devnet.SetMSP(c.ordering))
	c.judge(c.next(old[0]), "by an orderer of the old root")
	c.judge(c.next(old[0], old[1]), "by two orderers of the old root")
	c.judge(c.configured([]devnet.Change{devnet.SetAnchors("Org1", "a:1")}, old[0]), "configuration by an orderer of the old root")
	c.judge(c.next(old[0], young[0]), "by one of each")
	c.orderers = young
	c.goOn(c.next(young[1]), "by an orderer of the new root")
	c.spoil(young[0])
	third := c.enroll(c.ordering, "orderer2", devnet.Orderer)
	c.change("a consenter is replaced", young[:1], raftConsenters(young[1], third))
	c.judge(c.next(third), "by the new consenter")
	c.judge(c.next(young[0]), "by the consenter that was replaced, still a member")
	require.NoError(c, c.ordering.Revoke(young[0].Certificate, c.now))
	c.change("and its certificate revoked", young[1:], devnet.SetMSP(c.ordering))
	c.judge(c.next(young[0]), "by the consenter that was replaced and revoked")
	young = []*devnet.Node{third, young[1]}
	c.orderers = young
	c.goOn(c.next(young[0]), "by an orderer of the new root")
}

// raftConsenters replaces the consenters of a raft channel.
func raftConsenters(nodes ...*devnet.Node) devnet.Change {
	metadata := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 << 20,
	}}
	for i, n := range nodes {
		metadata.Consenters = append(metadata.Consenters, &etcdraft.Consenter{
			Host: n.Name, Port: uint32(7050 + i), ClientTlsCert: n.CertPEM(), ServerTlsCert: n.CertPEM(),
		})
	}
	return setValue("Orderer", "ConsensusType", marshal(&orderer.ConsensusType{Type: devnet.Raft, Metadata: marshal(metadata)}))
}

// makeExpired has an ordering organization whose certificates expired years ago.
func makeExpired(c *chainMaker) {
	now := c.now
	c.now = now.Add(-12 * 365 * 24 * time.Hour)
	channel := c.network(2, devnet.Channel{})
	c.begin(channel)
	c.goOn(c.next(c.orderers[0]), "by an orderer whose certificate and CA have expired")
	c.now = now.Add(3000 * 24 * time.Hour)
	early := c.enroll(c.ordering, "early", devnet.Orderer)
	c.judge(c.next(early), "by an orderer whose certificate is not valid yet, and never while its CA is")
	c.now = now
	late := c.enroll(c.ordering, "late", devnet.Orderer)
	c.judge(c.next(late), "by an orderer enrolled after its CA expired")
	c.change("a configuration of an expired network", c.orderers[:1], devnet.SetAnchors("Org1", "a:1"))
	require.NoError(c, c.ordering.RotateCA(c.now))
	c.change("a second root, not expired", c.orderers[1:2], devnet.SetMSP(c.ordering))
	fresh := c.enroll(c.ordering, "fresh", devnet.Orderer)
	c.goOn(c.next(fresh), "by an orderer of the new root")
	c.goOn(c.next(c.orderers[0]), "by an expired orderer")
	require.NoError(c, c.ordering.Revoke(c.orderers[0].Certificate, c.now))
	c.change("the expired certificate is revoked too", c.orderers[1:2], devnet.SetMSP(c.ordering))
	c.judge(c.next(c.orderers[0]), "by an orderer, expired and revoked")
	c.goOn(c.next(c.orderers[1]), "by an expired orderer")
}

// makeNodeOUs switches NodeOUs and the roles that may write.
func makeNodeOUs(c *chainMaker) {
	c.begin(c.network(2, devnet.Channel{}))
	o := c.orderers
	people := c.staff()
	judgeAll := func(when string) {
		for what, by := range people {
			c.judge(c.next(by), when+": by "+what)
		}
		c.goOn(c.next(o[1]), when+": by an orderer")
	}
	judgeAll("any member writes")
	for _, role := range []mspproto.MSPRole_MSPRoleType{
		mspproto.MSPRole_ORDERER, mspproto.MSPRole_PEER, mspproto.MSPRole_CLIENT, mspproto.MSPRole_ADMIN,
	} {
		setWriters := setPolicy(signedBy(rolePrincipal("OrdererMSP", role)), "Orderer", "Orderer", "Writers")
		if role == mspproto.MSPRole_ORDERER {
			c.change("orderers write", o[:1], setWriters)
			judgeAll("orderers write")
			continue
		}
		c.judgeAfter([]devnet.Change{setWriters}, o[0], people, "writes "+role.String())
	}
	any := setPolicy(signedBy(rolePrincipal("OrdererMSP", mspproto.MSPRole_MEMBER)), "Orderer", "Orderer", "Writers")
	off := alterMSP("Orderer", func(m *mspproto.FabricMSPConfig) {
		m.FabricNodeOus.Enable = false
		m.Admins = [][]byte{c.admins[2].CertPEM()}
	})
	c.change("NodeOUs off, any member writes", o[:1], off, any)
	judgeAll("NodeOUs off")
	orderers := setPolicy(signedBy(rolePrincipal("OrdererMSP", mspproto.MSPRole_ORDERER)), "Orderer", "Orderer", "Writers")
	c.judgeAfter([]devnet.Change{orderers}, o[0], people, "orderers write, NodeOUs off")
	c.change("NodeOUs on again, no orderer OU", o[:1], alterMSP("Orderer", func(m *mspproto.FabricMSPConfig) {
		m.FabricNodeOus.Enable, m.Admins = true, nil
		m.FabricNodeOus.OrdererOuIdentifier = nil
	}))
	for what, by := range people {
		c.judge(c.next(by), "no orderer OU: by "+what)
	}
	c.judge(c.next(o[0]), "no orderer OU: by an orderer")
	c.goOn(c.next(people["a client"]), "no orderer OU: by a client")
}

// staff enrolls one member of the ordering organization for each role, and some odd ones.
func (c *chainMaker) staff() map[string]*devnet.Node {
	return map[string]*devnet.Node{
		"a peer":       c.enroll(c.ordering, "peer", devnet.Peer),
		"a client":     c.enroll(c.ordering, "client", devnet.Client),
		"an admin":     c.admins[2],
		"no role":      c.enroll(c.ordering, "none", ""),
		"another role": c.enroll(c.ordering, "auditor", "auditor"),
		"upper case":   c.enroll(c.ordering, "upper", "ORDERER"),
		"a stranger":   c.enroll(c.app[1], "orderer", devnet.Orderer),
	}
}

// judgeAfter makes a branch: the configuration is changed, members sign the block behind it, and the chain goes back.
func (c *chainMaker) judgeAfter(changes []devnet.Change, by *devnet.Node, people map[string]*devnet.Node, what string) {
	branch := c.branch()
	branch.change(what, []*devnet.Node{by}, changes...)
	for who, node := range people {
		branch.judge(branch.next(node), what+": by "+who)
	}
	branch.judge(branch.next(by), what+": by an orderer")
	c.branches = append(c.branches, branch)
}
