// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// implicitMeta holds when enough of the child groups' policies of one name hold.
type implicitMeta struct {
	name      string
	children  []rule // nil for a child that has no policy of that name: it counts, and never holds
	threshold int
}

func compileImplicitMeta(raw []byte, groups map[string]*group) (*implicitMeta, error) {
	definition := &common.ImplicitMetaPolicy{}
	if err := proto.Unmarshal(raw, definition); err != nil {
		return nil, fmt.Errorf("implicit meta policy: %w", err)
	}
	m := &implicitMeta{name: definition.GetSubPolicy(), threshold: threshold(definition.GetRule(), len(groups))}
	for _, g := range groups {
		m.children = append(m.children, g.find(m.name))
	}
	return m, nil
}

// threshold returns how many of n sub-policies must hold: ANY 1, ALL n, MAJORITY n/2 rounded down + 1, and 0 of 0. Fabric
// takes rules that it does not know, too, with a threshold of 0.
func threshold(r common.ImplicitMetaPolicy_Rule, n int) int {
	switch r {
	case common.ImplicitMetaPolicy_ANY:
		return min(1, n)
	case common.ImplicitMetaPolicy_ALL:
		return n
	case common.ImplicitMetaPolicy_MAJORITY:
		return min(n/2+1, n)
	}
	return 0
}

// evaluate counts down as Fabric does: it holds once the count is zero after a sub-policy that holds, or in the end. So a
// threshold of 0 demands that no sub-policy holds, which only an unknown rule makes a difference of.
func (m *implicitMeta) evaluate(signers []Signer) error {
	missing := m.threshold
	for _, child := range m.children {
		if child == nil || child.evaluate(signers) != nil {
			continue
		}
		if missing--; missing == 0 {
			return nil
		}
	}
	if missing == 0 {
		return nil
	}
	return fmt.Errorf("%q holds in %d of %d groups and must hold in %d (signers: %d)",
		m.name, m.threshold-missing, len(m.children), m.threshold, len(signers))
}
