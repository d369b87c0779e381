// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// policyTable is what testdata/judged/policies.json.gz holds: a configuration, the paths of policies in it, sets of
// signatures and, for each policy, one character a set: 1 when Fabric says that the set satisfies it.
type policyTable struct {
	Channel  string
	Config   []byte
	Policies []string
	Sets     [][]channelconfig.SignedData
	Verdicts []string
}

const (
	judgedPolicies = 120
	judgedSets     = 24
)

// TestMakeJudgedPolicies makes the table anew, without verdicts, into the directory that WEFT_JUDGED names.
func TestMakeJudgedPolicies(t *testing.T) {
	dir := os.Getenv("WEFT_JUDGED")
	if dir == "" {
		t.Skip("WEFT_JUDGED names no directory to write to")
	}
	c := &chainMaker{TB: t, name: "policies", now: time.Now().Truncate(time.Second)}
	channel := c.network(2, devnet.Channel{})
	require.NoError(t, c.app[1].Revoke(c.admins[1].Certificate, c.now))
	p := newDrawer(c)
	var changes []devnet.Change
	var table policyTable
	for i := range judgedPolicies {
		change, path := p.policy(i)
		changes = append(changes, change)
		table.Policies = append(table.Policies, path)
	}
	c.begin(channel, changes...)
	table.Channel, table.Config = c.id, marshal(c.config)
	table.Policies = append(table.Policies, "/Channel/Readers", "/Channel/Admins", "/Channel/Nothing", "/Channel/Application/Org1/Admins", "Application/Readers", "/Channel/Application/Nobody/Readers")
	for range judgedSets {
		table.Sets = append(table.Sets, p.set())
	}
	raw, err := json.Marshal(table)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policies.json"), raw, 0o600))
}

// drawer draws policies about the members of a channel, and sets of their signatures.
type drawer struct {
	*chainMaker
	people []*devnet.Node
}

func newDrawer(c *chainMaker) *drawer {
	p := &drawer{chainMaker: c}
	for _, org := range append(c.app, c.ordering, c.org("Org1"), c.org("Nobody")) {
		for _, role := range []devnet.Role{devnet.Peer, devnet.Client, devnet.Admin, devnet.Orderer} {
			p.people = append(p.people, c.enroll(org, string(role), role))
		}
	}
	p.people = append(p.people, c.admins[1], c.enroll(c.app[0], "nothing", ""))
	return p
}

// policy draws a policy and where it stands: signature policies anywhere, and implicit ones over what stands below.
func (p *drawer) policy(i int) (devnet.Change, string) {
	name := fmt.Sprintf("P%d", i)
	places := [][]string{{"Application"}, {"Application", "Org1"}, {"Application", "Org2"}, {"Orderer"}, {"Orderer", "Orderer"}, nil}
	place := places[rand.IntN(len(places))]
	policy := p.signaturePolicy()
	if len(place) < 2 && rand.IntN(3) > 0 {
		sub := []string{"Readers", "Writers", "Admins", "Endorsement", fmt.Sprintf("P%d", rand.IntN(judgedPolicies)), "Nothing"}
		policy = implicit(sub[rand.IntN(len(sub))], common.ImplicitMetaPolicy_Rule(rand.IntN(4)))
	}
	path := "/Channel"
	for _, group := range place {
		path += "/" + group
	}
	return setPolicy(policy, append(append([]string{}, place...), name)...), path + "/" + name
}

func (p *drawer) signaturePolicy() *common.Policy {
	var principals []*mspproto.MSPPrincipal
	for range 1 + rand.IntN(5) {
		principals = append(principals, p.principal())
	}
	return signaturePolicy(p.rule(len(principals), 3), principals...)
}

func (p *drawer) principal() *mspproto.MSPPrincipal {
	someone := p.people[rand.IntN(len(p.people))]
	if rand.IntN(4) == 0 {
		return identityPrincipal(someone)
	}
	return rolePrincipal(someone.Org.MSPID, mspproto.MSPRole_MSPRoleType(rand.IntN(5)))
}

func (p *drawer) rule(principals, depth int) *common.SignaturePolicy {
	if depth == 0 || rand.IntN(3) == 0 {
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(rand.IntN(principals))}}
	}
	gate := &common.SignaturePolicy_NOutOf{}
	for range 1 + rand.IntN(4) {
		gate.Rules = append(gate.Rules, p.rule(principals, depth-1))
	}
	gate.N = int32(rand.IntN(len(gate.Rules)+2)) - int32(rand.IntN(2)*rand.IntN(2))
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: gate}}
}

// set draws some signatures; some are bad, repeated, or by an identity that is none.
func (p *drawer) set() (all []channelconfig.SignedData) {
	for range rand.IntN(6) {
		node := p.people[rand.IntN(len(p.people))]
		s := channelconfig.SignedData{Data: []byte("data"), Identity: node.Serialize()}
		var err error
		s.Signature, err = node.Sign(s.Data)
		require.NoError(p, err)
		switch rand.IntN(8) {
		case 0:
			s.Data = []byte("other data")
		case 1:
			all = append(all, channelconfig.SignedData{Data: s.Data, Identity: s.Identity, Signature: []byte("bad")})
		case 2:
			s.Identity = [][]byte{nil, {0xff}, marshal(&mspproto.SerializedIdentity{Mspid: "Org1MSP", IdBytes: []byte("x")})}[rand.IntN(3)]
		case 3:
			all = append(all, s)
		}
		all = append(all, s)
	}
	return all
}
