// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// Limits of one policy. Policies that people write have a handful of rules two or three deep; a BFT channel's block
// validation policy has one rule for each ordering node. The limits bound what evaluating a hostile one costs. A policy
// past them is not invalid, but never satisfied: Fabric knows no limits, and an organization that writes such a policy
// for itself must not bring the channel to a standstill.
const (
	MaxDepth = 32   // gates in gates, and groups in groups
	MaxRules = 1024 // gates and principals together
)

// errLimit says that a policy is past a limit.
var errLimit = errors.New("the policy is past a limit")

// signature is a policy over principals.
type signature struct {
	root node
}

// node is a part of a signature policy. holds marks in used the signers that it takes, and may leave marks behind when
// it does not hold: whoever asked throws them away.
type node interface {
	holds(signers []Signer, used []bool) bool
}

// signedBy takes the first signer that is not used yet and satisfies the principal.
type signedBy struct {
	principal *mspproto.MSPPrincipal
}

// outOf holds when at least n of its rules hold. Every rule is tried, in order; the signers of those that hold stay
// taken.
type outOf struct {
	n     int32
	rules []node
}

// never is a policy that nobody satisfies.
type never struct{ reason error }

func (n never) evaluate([]Signer) error { return n.reason }

func compileSignature(raw []byte) (rule, error) {
	e := &common.SignaturePolicyEnvelope{}
	if err := proto.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("signature policy: %w", err)
	}
	if e.GetVersion() != 0 {
		return nil, fmt.Errorf("signature policy has version %d, only 0 is known", e.GetVersion())
	}
	c := &compiler{principals: e.GetIdentities(), left: MaxRules}
	root, err := c.compile(e.GetRule(), 0)
	if errors.Is(err, errLimit) {
		return never{err}, nil
	}
	if err != nil {
		return nil, err
	}
	return &signature{root: root}, nil
}

type compiler struct {
	principals []*mspproto.MSPPrincipal
	left       int // rules that may still come
}

func (c *compiler) compile(p *common.SignaturePolicy, depth int) (node, error) {
	if c.left--; c.left < 0 {
		return nil, fmt.Errorf("%w: more than %d rules", errLimit, MaxRules)
	}
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: nested more than %d deep", errLimit, MaxDepth)
	}
	switch t := p.GetType().(type) {
	case *common.SignaturePolicy_SignedBy:
		if t.SignedBy < 0 || int(t.SignedBy) >= len(c.principals) {
			return nil, fmt.Errorf("signature policy names principal %d of %d", t.SignedBy, len(c.principals))
		}
		return &signedBy{principal: c.principals[t.SignedBy]}, nil
	case *common.SignaturePolicy_NOutOf_:
		return c.compileOutOf(t.NOutOf, depth)
	default:
		return nil, errors.New("signature policy has an empty rule")
	}
}

func (c *compiler) compileOutOf(p *common.SignaturePolicy_NOutOf, depth int) (node, error) {
	gate := &outOf{n: p.GetN()}
	for _, r := range p.GetRules() {
		n, err := c.compile(r, depth+1)
		if err != nil {
			return nil, err
		}
		gate.rules = append(gate.rules, n)
	}
	return gate, nil
}

func (s *signature) evaluate(signers []Signer) error {
	if s.root.holds(signers, make([]bool, len(signers))) {
		return nil
	}
	return fmt.Errorf("too few signers, or the wrong ones (signers: %d)", len(signers))
}

func (s *signedBy) holds(signers []Signer, used []bool) bool {
	for i, signer := range signers {
		if !used[i] && signer.Satisfies(s.principal) == nil {
			used[i] = true
			return true
		}
	}
	return false
}

func (o *outOf) holds(signers []Signer, used []bool) bool {
	var held int32
	trial := make([]bool, len(used))
	for _, r := range o.rules {
		copy(trial, used)
		if r.holds(signers, trial) {
			held++
			copy(used, trial)
		}
	}
	return held >= o.n
}
