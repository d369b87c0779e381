// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// reference evaluates a rule in the plainest way: it takes the signers that are left and returns those that are left
// afterwards, or fails and leaves no trace.
func reference(rule *common.SignaturePolicy, principals []string, left []holder) ([]holder, bool) {
	if gate := rule.GetNOutOf(); gate != nil {
		held := 0
		for _, r := range gate.GetRules() {
			if after, ok := reference(r, principals, left); ok {
				left, held = after, held+1
			}
		}
		return left, held >= int(gate.GetN())
	}
	want := envelope(nil, principals[rule.GetSignedBy()]).GetIdentities()[0]
	i := slices.IndexFunc(left, func(h holder) bool { return h.Satisfies(want) == nil })
	if i < 0 {
		return left, false
	}
	return slices.Delete(slices.Clone(left), i, i+1), true
}

func TestSignaturePolicyEqualsReference(t *testing.T) {
	principals := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t, len(principals), 4)
		held := rapid.SliceOfN(rapid.StringMatching(`[a-d]{0,3}`), 0, 6).Draw(t, "signers")
		var left []holder
		for _, h := range held {
			left = append(left, holder(h))
		}
		tree, err := policy.Compile(withPolicy("P", signaturePolicy(envelope(rule, principals...))))
		require.NoError(t, err)
		_, want := reference(rule, principals, left)
		require.Equal(t, want, tree.Evaluate("/Channel/P", signers(held...)) == nil)
	})
}

func TestImplicitMetaEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.SampledFrom([]common.ImplicitMetaPolicy_Rule{0, 1, 2}).Draw(t, "rule")
		orgs := rapid.SliceOfNDistinct(rapid.RuneFrom([]rune("abcdefgh")), 0, 8, rapid.ID).Draw(t, "orgs")
		held := rapid.StringMatching(`[a-h]{0,8}`).Draw(t, "signer")

		root := withPolicy("P", implicitMeta("P", rule))
		holds := 0
		for _, org := range orgs {
			has := rapid.Bool().Draw(t, "has the policy")
			root.Groups[string(org)] = &common.ConfigGroup{}
			if !has {
				continue
			}
			root.Groups[string(org)] = withPolicy("P", signaturePolicy(envelope(by(0), string(org))))
			if slices.Contains([]rune(held), org) {
				holds++
			}
		}
		want := map[common.ImplicitMetaPolicy_Rule]bool{
			common.ImplicitMetaPolicy_ANY:      holds > 0 || len(orgs) == 0,
			common.ImplicitMetaPolicy_ALL:      holds == len(orgs),
			common.ImplicitMetaPolicy_MAJORITY: 2*holds > len(orgs) || len(orgs) == 0,
		}[rule]
		tree, err := policy.Compile(root)
		require.NoError(t, err)
		require.Equal(t, want, tree.Evaluate("/Channel/P", signers(held)) == nil)
	})
}

func drawRule(t *rapid.T, principals, depth int) *common.SignaturePolicy {
	if depth == 0 || rapid.Bool().Draw(t, "leaf") {
		return by(rapid.Int32Range(0, int32(principals)-1).Draw(t, "principal"))
	}
	rules := make([]*common.SignaturePolicy, rapid.IntRange(0, 4).Draw(t, "rules"))
	for i := range rules {
		rules[i] = drawRule(t, principals, depth-1)
	}
	return outOf(rapid.Int32Range(-1, 5).Draw(t, "n"), rules...)
}

// withinLimits says whether a rule is one that is evaluated at all.
func withinLimits(rule *common.SignaturePolicy, depth int, left *int) bool {
	if *left--; *left < 0 || depth > policy.MaxDepth {
		return false
	}
	for _, r := range rule.GetNOutOf().GetRules() {
		if !withinLimits(r, depth+1, left) {
			return false
		}
	}
	return true
}

// FuzzPolicy compiles whatever comes; what compiles must evaluate as the reference says.
func FuzzPolicy(f *testing.F) {
	f.Add(int32(common.Policy_SIGNATURE), marshal(envelope(outOf(2, by(0), outOf(1, by(1), by(2))), "a", "b", "c")), "ab")
	f.Add(int32(common.Policy_SIGNATURE), marshal(envelope(deep(40), "a")), "a")
	f.Add(int32(common.Policy_IMPLICIT_META), marshal(&common.ImplicitMetaPolicy{SubPolicy: "Writers", Rule: common.ImplicitMetaPolicy_MAJORITY}), "a")
	f.Fuzz(func(t *testing.T, kind int32, raw []byte, held string) {
		root := withPolicy("P", &common.ConfigPolicy{Policy: &common.Policy{Type: kind, Value: raw}})
		root.Groups["Org"] = withPolicy("Writers", signaturePolicy(envelope(by(0), "a")))
		tree, err := policy.Compile(root)
		if err != nil {
			require.ErrorIs(t, err, policy.ErrInvalid)
			return
		}
		var left []holder
		var who []policy.Signer
		for i := range min(len(held), 8) {
			left, who = append(left, holder(held[i:i+1])), append(who, holder(held[i:i+1]))
		}
		got := tree.Evaluate("/Channel/P", who) == nil
		e := &common.SignaturePolicyEnvelope{}
		if kind != int32(common.Policy_SIGNATURE) || proto.Unmarshal(raw, e) != nil {
			return
		}
		var principals []string
		for _, p := range e.GetIdentities() {
			principals = append(principals, string(p.GetPrincipal()))
		}
		rules := policy.MaxRules
		want := withinLimits(e.GetRule(), 0, &rules)
		if want { // what is beyond may name principals that there are not
			_, want = reference(e.GetRule(), principals, left)
		}
		require.Equal(t, want, got)
	})
}
