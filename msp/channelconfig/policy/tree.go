// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// Root is the name of the outermost group, the first element of every path.
const Root = "Channel"

// Admins is the name of the policy that modifies an element whose configuration names none.
const Admins = "Admins"

// Errors of this package.
var (
	// ErrInvalid says that a policy in a configuration cannot be compiled.
	ErrInvalid = errors.New("policy: invalid policy")
	// ErrNotSatisfied says that the signers do not satisfy a policy, or that there is no such policy.
	ErrNotSatisfied = errors.New("policy: not satisfied")
)

// Signer is an identity whose signature is proven. Satisfies returns nil when it is what the principal describes; it
// may be asked several times and from several goroutines.
type Signer interface {
	Satisfies(*mspproto.MSPPrincipal) error
}

// Tree holds the compiled policies of a configuration, group by group. Immutable, safe for concurrent use.
type Tree struct {
	root *group
}

// rule is one compiled policy.
type rule interface {
	// evaluate returns nil when the signers satisfy the policy, or an error that counts what is missing.
	evaluate(signers []Signer) error
}

type group struct {
	path     string // absolute
	policies map[string]rule
	groups   map[string]*group
}

// Compile compiles the policies of a configuration's outermost group and all groups below it. The error is ErrInvalid
// and names the policy by its path. Groups nested more than MaxDepth deep are refused.
func Compile(root *common.ConfigGroup) (*Tree, error) {
	g, err := compileGroup(root, "/"+Root, 0)
	if err != nil {
		return nil, err
	}
	return &Tree{root: g}, nil
}

// Evaluate returns nil when the signers satisfy the policy at an absolute path such as "/Channel/Readers", or at one below
// /Channel. The error is
// ErrNotSatisfied, also for a path that leads to no policy: Fabric rejects everything there.
func (t *Tree) Evaluate(path string, signers []Signer) error {
	return evaluate(t.root.find(path), path, signers)
}

func evaluate(policy rule, path string, signers []Signer) error {
	if policy == nil {
		return fmt.Errorf("%w: there is no policy %s in the configuration", ErrNotSatisfied, path)
	}
	if err := policy.evaluate(signers); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotSatisfied, path, err)
	}
	return nil
}

// find returns the policy with a name, or at a path relative to the group, or at an absolute path that begins with the
// group's own; nil when there is none. As in Fabric, nobody looks which character is behind the group's own path.
func (g *group) find(path string) rule {
	if strings.HasPrefix(path, "/") {
		rest, below := strings.CutPrefix(path, g.path)
		if !below || rest == "" {
			return nil
		}
		path = rest[1:]
	}
	for g != nil {
		name, rest, nested := strings.Cut(path, "/")
		if !nested {
			return g.policies[name]
		}
		g, path = g.groups[name], rest
	}
	return nil
}

func compileGroup(g *common.ConfigGroup, path string, depth int) (*group, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: groups are nested more than %d deep at %s", ErrInvalid, MaxDepth, path)
	}
	compiled := &group{
		path:     path,
		policies: make(map[string]rule, len(g.GetPolicies())),
		groups:   make(map[string]*group, len(g.GetGroups())),
	}
	for name, child := range g.GetGroups() {
		c, err := compileGroup(child, path+"/"+name, depth+1)
		if err != nil {
			return nil, err
		}
		compiled.groups[name] = c
	}
	for name, p := range g.GetPolicies() {
		r, err := compile(p.GetPolicy(), compiled.groups)
		if err != nil {
			return nil, fmt.Errorf("%w: %s/%s: %w", ErrInvalid, path, name, err)
		}
		compiled.policies[name] = r
	}
	return compiled, nil
}

// compile compiles one policy; children are the groups below the one that holds it.
func compile(p *common.Policy, children map[string]*group) (rule, error) {
	switch {
	case p == nil:
		return nil, errors.New("the policy is empty")
	case p.GetType() == int32(common.Policy_IMPLICIT_META):
		return compileImplicitMeta(p.GetValue(), children)
	case p.GetType() == int32(common.Policy_SIGNATURE):
		return compileSignature(p.GetValue())
	default:
		return nil, fmt.Errorf("policy type %d is neither SIGNATURE (1) nor IMPLICIT_META (3)", p.GetType())
	}
}
