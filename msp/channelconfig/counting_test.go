// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// voter is somebody whose signatures are counted: a node, and whom of the principals it is.
type voter struct {
	node       *devnet.Node
	principals []int32
}

// vote is a signature of a voter, good or bad.
type vote struct {
	voter int
	good  bool
}

// drawGates draws a rule over principals 0 to 4.
func drawGates(t *rapid.T, depth int) *common.SignaturePolicy {
	if depth == 0 || rapid.Bool().Draw(t, "leaf") {
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: rapid.Int32Range(0, 4).Draw(t, "principal")}}
	}
	gate := &common.SignaturePolicy_NOutOf{N: rapid.Int32Range(0, 4).Draw(t, "n")}
	for range rapid.IntRange(0, 4).Draw(t, "rules") {
		gate.Rules = append(gate.Rules, drawGates(t, depth-1))
	}
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: gate}}
}

// naive evaluates a rule as the specification has it: greedy, in order, without backtracking; it returns who is left.
func naive(rule *common.SignaturePolicy, voters []voter, left []int) ([]int, bool) {
	if gate := rule.GetNOutOf(); gate != nil {
		held := int32(0)
		for _, r := range gate.GetRules() {
			if after, ok := naive(r, voters, left); ok {
				left, held = after, held+1
			}
		}
		return left, held >= gate.GetN()
	}
	for i, who := range left {
		if slices.Contains(voters[who].principals, rule.GetSignedBy()) {
			return slices.Concat(left[:i], left[i+1:]), true
		}
	}
	return left, false
}

// counted are the voters of a list of votes: each whose signature is good, once, in the order of their first good signature.
func counted(votes []vote, recognized func(int) bool) (voters []int) {
	for _, v := range votes {
		if v.good && recognized(v.voter) && !slices.Contains(voters, v.voter) {
			voters = append(voters, v.voter)
		}
	}
	return voters
}

// Signatures are counted as the specification says, whatever the policy is and whoever signs, repeats himself, signs badly
// or is not of the channel.
func TestCountingEqualsReference(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	a, b := n.enroll(n.org1, "a", devnet.Peer), n.enroll(n.org1, "b", devnet.Client)
	c, d := n.enroll(n.org2, "c", devnet.Peer), n.enroll(n.org2, "d", devnet.Admin)
	forger := n.org("Org1") // the same MSP ID, another CA
	voters := []voter{
		{a, []int32{0, 2}},
		{b, []int32{0, 3}}, // principal 3 is b itself
		{c, []int32{1}},
		{d, []int32{1, 4}},
		{n.enroll(forger, "a", devnet.Peer), []int32{0, 2}}, // would be, if it were recognized
		{n.enroll(n.org("Org9"), "x", devnet.Peer), nil},
	}
	recognized := func(i int) bool { return i < 4 }
	role := func(mspID string, r mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal {
		return &mspproto.MSPPrincipal{Principal: marshal(&mspproto.MSPRole{MspIdentifier: mspID, Role: r})}
	}
	principals := []*mspproto.MSPPrincipal{
		role("Org1MSP", mspproto.MSPRole_MEMBER), role("Org2MSP", mspproto.MSPRole_MEMBER), role("Org1MSP", mspproto.MSPRole_PEER),
		{PrincipalClassification: mspproto.MSPPrincipal_IDENTITY, Principal: b.Serialize()}, role("Org2MSP", mspproto.MSPRole_ADMIN),
	}
	var good, bad [][]byte
	for _, v := range voters {
		signature, err := v.node.Sign([]byte("data"))
		require.NoError(t, err)
		other, err := v.node.Sign([]byte("other data"))
		require.NoError(t, err)
		good, bad = append(good, signature), append(bad, other)
	}
	rapid.Check(t, func(t *rapid.T) {
		rule := drawGates(t, 3)
		var votes []vote
		var signed []channelconfig.SignedData
		for range rapid.IntRange(0, 8).Draw(t, "votes") {
			v := vote{rapid.IntRange(0, len(voters)-1).Draw(t, "voter"), rapid.Float64().Draw(t, "luck") < 0.8}
			signature := good[v.voter]
			if !v.good {
				signature = bad[v.voter]
			}
			votes = append(votes, v)
			signed = append(signed, channelconfig.SignedData{Data: []byte("data"), Identity: voters[v.voter].node.Serialize(), Signature: signature})
		}
		bundle, err := channelconfig.New(channelID, 0, n.altered(func(g *common.ConfigGroup) {
			value := marshal(&common.SignaturePolicyEnvelope{Rule: rule, Identities: principals})
			g.Policies["Drawn"] = &common.ConfigPolicy{Policy: &common.Policy{Type: int32(common.Policy_SIGNATURE), Value: value}}
		}))
		require.NoError(t, err)
		_, want := naive(rule, voters, counted(votes, recognized))
		require.Equal(t, want, bundle.Evaluate("/Channel/Drawn", signed) == nil, fmt.Sprint(rule, votes))
	})
}

// Whoever is not recognized does not count even where a policy does not look at who he is.
func TestStrangersAreNotCounted(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	nominal := &mspproto.MSPPrincipal{
		PrincipalClassification: mspproto.MSPPrincipal_ANONYMITY,
		Principal:               marshal(&mspproto.MSPIdentityAnonymity{AnonymityType: mspproto.MSPIdentityAnonymity_NOMINAL}),
	}
	bundle, err := channelconfig.New(channelID, 0, n.altered(func(g *common.ConfigGroup) {
		rule := &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{}}
		value := marshal(&common.SignaturePolicyEnvelope{Rule: rule, Identities: []*mspproto.MSPPrincipal{nominal}})
		g.Policies["Anybody"] = &common.ConfigPolicy{Policy: &common.Policy{Type: int32(common.Policy_SIGNATURE), Value: value}}
	}))
	require.NoError(t, err)
	by := func(org *devnet.Org) []channelconfig.SignedData {
		node := n.enroll(org, "x", devnet.Peer)
		signature, err := node.Sign([]byte("data"))
		require.NoError(t, err)
		return []channelconfig.SignedData{{Data: []byte("data"), Identity: node.Serialize(), Signature: signature}}
	}
	require.NoError(t, bundle.Evaluate("/Channel/Anybody", by(n.org1)))
	require.Error(t, bundle.Evaluate("/Channel/Anybody", by(n.org("Org1"))), "the same MSP ID, another CA")
}
