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
	threshold, err := threshold(definition.GetRule(), len(groups))
	if err != nil {
		return nil, err
	}
	m := &implicitMeta{name: definition.GetSubPolicy(), threshold: threshold}
	for _, g := range groups {
		m.children = append(m.children, g.find(m.name))
	}
	return m, nil
}

// threshold returns how many of n sub-policies must hold: ANY 1, ALL n, MAJORITY n/2 rounded down + 1, and 0 of 0.
func threshold(r common.ImplicitMetaPolicy_Rule, n int) (int, error) {
	need, known := map[common.ImplicitMetaPolicy_Rule]int{
		common.ImplicitMetaPolicy_ANY:      1,
		common.ImplicitMetaPolicy_ALL:      n,
		common.ImplicitMetaPolicy_MAJORITY: n/2 + 1,
	}[r]
	if !known {
		return 0, fmt.Errorf("implicit meta rule %d is not ANY, ALL or MAJORITY", r)
	}
	return min(need, n), nil
}

func (m *implicitMeta) evaluate(signers []Signer) error {
	satisfied := 0
	for _, child := range m.children {
		if satisfied >= m.threshold {
			return nil
		}
		if child != nil && child.evaluate(signers) == nil {
			satisfied++
		}
	}
	if satisfied >= m.threshold {
		return nil
	}
	return fmt.Errorf("%q holds in %d of %d groups and must hold in %d (signers: %d)",
		m.name, satisfied, len(m.children), m.threshold, len(signers))
}
