// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// holder is a signer that satisfies the principals whose only byte it holds.
type holder string

func (h holder) Satisfies(p *mspproto.MSPPrincipal) error {
	for i := range len(h) {
		if string(h[i]) == string(p.GetPrincipal()) {
			return nil
		}
	}
	return errors.New("not this one")
}

func TestSignaturePolicy(t *testing.T) {
	a, b, c := by(0), by(1), by(2) // principals "a", "b", "c"
	tests := map[string]struct {
		rule    *common.SignaturePolicy
		signers []policy.Signer
		want    bool
	}{
		"one of one":                           {a, signers("a"), true},
		"another":                              {a, signers("b"), false},
		"nobody":                               {a, nil, false},
		"two of two":                           {outOf(2, a, b), signers("a", "b"), true},
		"order of the signers is free":         {outOf(2, a, b), signers("b", "a"), true},
		"a signer stands for one principal":    {outOf(2, a, b), signers("ab"), false},
		"the same principal needs two signers": {outOf(2, a, a), signers("a", "a"), true},
		"zero of none":                         {outOf(0), nil, true},
		"one of none":                          {outOf(1), signers("a"), false},
		"negative":                             {outOf(-1, a), nil, true},
		"more than there are rules":            {outOf(3, a, b), signers("a", "b", "c"), false},
		// The first rule takes the signer that the second would need; without backtracking there is no other way out.
		"greedy by signers": {outOf(2, a, b), signers("ab", "a"), false},
		"greedy, in luck":   {outOf(2, a, b), signers("a", "ab"), true},
		// A gate that does not hold gives its signers back.
		"failed gate gives back": {outOf(1, outOf(2, a, c), a), signers("a"), true},
		// A gate that holds keeps more signers than it needs: all rules are tried.
		"gate keeps too many": {outOf(2, outOf(1, a, b), b), signers("a", "b"), false},
		"nested":              {outOf(2, outOf(1, a, b), outOf(1, c)), signers("c", "b"), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := policy.Compile(withPolicy("P", signaturePolicy(envelope(tt.rule, "a", "b", "c"))))
			require.NoError(t, err)
			err = tree.Evaluate("/Channel/P", tt.signers)
			if tt.want {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, policy.ErrNotSatisfied)
			require.ErrorContains(t, err, "/Channel/P")
		})
	}
}

func TestImplicitMeta(t *testing.T) {
	// Organizations a to e have a policy Writers that asks for principal a to e; f has none.
	tests := map[string]struct {
		rule    common.ImplicitMetaPolicy_Rule
		orgs    string
		signers []policy.Signer
		want    bool
	}{
		"any, none":                         {common.ImplicitMetaPolicy_ANY, "abc", signers("d"), false},
		"any, one":                          {common.ImplicitMetaPolicy_ANY, "abc", signers("c"), true},
		"all, one missing":                  {common.ImplicitMetaPolicy_ALL, "abc", signers("a", "b"), false},
		"all":                               {common.ImplicitMetaPolicy_ALL, "abc", signers("a", "b", "c"), true},
		"all, one signer may serve for all": {common.ImplicitMetaPolicy_ALL, "abc", signers("abc"), true},
		"majority of three":                 {common.ImplicitMetaPolicy_MAJORITY, "abc", signers("a", "b"), true},
		"half is no majority":               {common.ImplicitMetaPolicy_MAJORITY, "abcd", signers("a", "b"), false},
		"majority of four":                  {common.ImplicitMetaPolicy_MAJORITY, "abcd", signers("a", "b", "c"), true},
		"majority of one":                   {common.ImplicitMetaPolicy_MAJORITY, "a", signers("a"), true},
		"a missing policy counts":           {common.ImplicitMetaPolicy_ALL, "abf", signers("a", "b", "f"), false},
		"a missing policy counts, majority": {common.ImplicitMetaPolicy_MAJORITY, "af", signers("a", "f"), false},
		"no groups, any":                    {common.ImplicitMetaPolicy_ANY, "", nil, true},
		"no groups, all":                    {common.ImplicitMetaPolicy_ALL, "", nil, true},
		"no groups, majority":               {common.ImplicitMetaPolicy_MAJORITY, "", nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := withPolicy("Writers", implicitMeta("Writers", tt.rule))
			for _, org := range tt.orgs {
				g := &common.ConfigGroup{}
				if org != 'f' {
					g = withPolicy("Writers", signaturePolicy(envelope(by(0), string(org))))
				}
				root.Groups[string(org)] = g
			}
			tree, err := policy.Compile(root)
			require.NoError(t, err)
			err = tree.Evaluate("/Channel/Writers", tt.signers)
			require.Equal(t, tt.want, err == nil, "%v", err)
		})
	}
}

func TestPaths(t *testing.T) {
	org := withPolicy("Readers", signaturePolicy(envelope(by(0), "a")))
	application := withPolicy("Readers", implicitMeta("Readers", common.ImplicitMetaPolicy_ANY))
	application.Groups["Org1"] = org
	root := withPolicy("Readers", implicitMeta("Readers", common.ImplicitMetaPolicy_ANY))
	root.Groups["Application"] = application
	// A sub-policy may be named by its path below the child groups, too.
	root.Policies["Org1Readers"] = implicitMeta("Org1/Readers", common.ImplicitMetaPolicy_ANY)
	tree, err := policy.Compile(root)
	require.NoError(t, err)

	for _, path := range []string{"/Channel/Readers", "Readers", "/Channel/Application/Readers", "/Channel/Application/Org1/Readers", "/Channel/Org1Readers"} {
		require.NoError(t, tree.Evaluate(path, signers("a")), path)
		require.ErrorIs(t, tree.Evaluate(path, signers("b")), policy.ErrNotSatisfied, path)
	}
	for _, path := range []string{
		"", "/", "/Channel", "/Channel/", "/Channel/Writers", "/Channel/Application/Org2/Readers",
		"/Channel/Application/Org1/Readers/", "/channel/Readers", "Channel/Readers", "/Application/Readers",
	} {
		require.ErrorIs(t, tree.Evaluate(path, signers("a")), policy.ErrNotSatisfied, path)
	}
}

func TestInvalidPolicies(t *testing.T) {
	later := envelope(by(0), "a")
	later.Version = 1
	tests := map[string]struct {
		policy *common.ConfigPolicy
		want   string // empty: valid
	}{
		"much too deep":       {signaturePolicy(envelope(deep(6000), "a")), "signature policy"},
		"principal too high":  {signaturePolicy(envelope(by(1), "a")), "principal 1 of 1"},
		"principal negative":  {signaturePolicy(envelope(by(-1), "a")), "principal -1 of 1"},
		"later version":       {signaturePolicy(later), "version 1"},
		"no rule":             {signaturePolicy(&common.SignaturePolicyEnvelope{}), "empty rule"},
		"rule without a kind": {signaturePolicy(envelope(outOf(0, &common.SignaturePolicy{}), "a")), "empty rule"},
		"not protobuf":        {&common.ConfigPolicy{Policy: &common.Policy{Type: 1, Value: []byte{0xff}}}, "signature policy"},
		"meta not protobuf":   {&common.ConfigPolicy{Policy: &common.Policy{Type: 3, Value: []byte{0xff}}}, "implicit meta policy"},
		"unknown type":        {&common.ConfigPolicy{Policy: &common.Policy{Type: 2}}, "policy type 2"},
		"empty":               {&common.ConfigPolicy{}, "the policy is empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": withPolicy("P", tt.policy)}}
			_, err := policy.Compile(root)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, "/Channel/Orderer/P")
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A policy past a limit does not make the configuration invalid, but nobody satisfies it.
func TestPoliciesPastALimit(t *testing.T) {
	wide := func(rules int) *common.SignaturePolicy {
		gate := outOf(1)
		for range rules {
			gate.GetNOutOf().Rules = append(gate.GetNOutOf().GetRules(), by(0))
		}
		return gate
	}
	tests := map[string]struct {
		rule *common.SignaturePolicy
		want string // empty: satisfied
	}{
		"at the depth limit": {deep(policy.MaxDepth), ""},
		"too deep":           {deep(policy.MaxDepth + 1), "nested more than 32 deep"},
		"much too deep":      {deep(4000), "nested more than 32 deep"},
		"at the rule limit":  {wide(policy.MaxRules - 1), ""},
		"too many rules":     {wide(policy.MaxRules), "more than 1024 rules"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := policy.Compile(withPolicy("P", signaturePolicy(envelope(tt.rule, "a"))))
			require.NoError(t, err)
			err = tree.Evaluate("/Channel/P", signers("a"))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, policy.ErrNotSatisfied)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// Fabric takes an ImplicitMeta rule that it does not know: the policy then holds as long as no sub-policy does.
func TestUnknownImplicitMetaRule(t *testing.T) {
	root := withPolicy("P", implicitMeta("P", 7))
	tree, err := policy.Compile(root)
	require.NoError(t, err)
	require.NoError(t, tree.Evaluate("/Channel/P", nil), "no groups")
	root.Groups["a"], root.Groups["b"] = withPolicy("P", signaturePolicy(envelope(by(0), "a"))), withPolicy("P", signaturePolicy(envelope(by(0), "b")))
	tree, err = policy.Compile(root)
	require.NoError(t, err)
	require.NoError(t, tree.Evaluate("/Channel/P", signers("x")))
	require.ErrorIs(t, tree.Evaluate("/Channel/P", signers("a")), policy.ErrNotSatisfied)
	require.ErrorIs(t, tree.Evaluate("/Channel/P", signers("a", "b")), policy.ErrNotSatisfied)
}

// A sub-policy may be named by its absolute path, which only the group on that path has.
func TestAbsoluteSubPolicy(t *testing.T) {
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"/Channel/a/P", true},
		{"/Channel/aXP", true}, // Fabric does not look at the character behind the group's path
		{"/Channel/a/Q", false},
		{"/Channel/a/", false},
		{"/Channel/a", false},
		{"/Channel/ab/P", false},
		{"/Channel/P", false},
		{"/", false},
		{"", false},
	} {
		root := withPolicy("Meta", implicitMeta(tt.name, common.ImplicitMetaPolicy_ANY))
		root.Groups["a"], root.Groups["b"] = withPolicy("P", signaturePolicy(envelope(by(0), "a"))), withPolicy("P", signaturePolicy(envelope(by(0), "b")))
		tree, err := policy.Compile(root)
		require.NoError(t, err)
		require.Equal(t, tt.want, tree.Evaluate("/Channel/Meta", signers("a")) == nil, tt.name)
		require.Error(t, tree.Evaluate("/Channel/Meta", signers("b")), tt.name)
	}
}

func TestGroupsNestedTooDeep(t *testing.T) {
	g := &common.ConfigGroup{}
	for i := range policy.MaxDepth {
		g = &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{fmt.Sprint(i): g}}
	}
	_, err := policy.Compile(g)
	require.NoError(t, err)
	_, err = policy.Compile(&common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"one more": g}})
	require.ErrorIs(t, err, policy.ErrInvalid)
}

func signers(held ...string) []policy.Signer {
	s := make([]policy.Signer, len(held))
	for i, h := range held {
		s[i] = holder(h)
	}
	return s
}

func by(principal int32) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: principal}}
}

func outOf(n int32, rules ...*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: n, Rules: rules}}}
}

func deep(n int) *common.SignaturePolicy {
	p := by(0)
	for range n {
		p = outOf(1, p)
	}
	return p
}

func envelope(rule *common.SignaturePolicy, principals ...string) *common.SignaturePolicyEnvelope {
	e := &common.SignaturePolicyEnvelope{Rule: rule}
	for _, p := range principals {
		e.Identities = append(e.Identities, &mspproto.MSPPrincipal{Principal: []byte(p)})
	}
	return e
}

func signaturePolicy(e *common.SignaturePolicyEnvelope) *common.ConfigPolicy {
	return &common.ConfigPolicy{Policy: &common.Policy{Type: int32(common.Policy_SIGNATURE), Value: marshal(e)}}
}

func implicitMeta(name string, rule common.ImplicitMetaPolicy_Rule) *common.ConfigPolicy {
	value := marshal(&common.ImplicitMetaPolicy{SubPolicy: name, Rule: rule})
	return &common.ConfigPolicy{Policy: &common.Policy{Type: int32(common.Policy_IMPLICIT_META), Value: value}}
}

func withPolicy(name string, p *common.ConfigPolicy) *common.ConfigGroup {
	return &common.ConfigGroup{Policies: map[string]*common.ConfigPolicy{name: p}, Groups: map[string]*common.ConfigGroup{}}
}

func marshal(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}
