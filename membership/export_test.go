// SPDX-License-Identifier: Apache-2.0

package membership

// Size is the number of entries, tombstones included.
func (v *View) Size() int { return len(v.entries) }

// Net is what the changes of one member amount to.
func Net(kinds ...Kind) Kind {
	var b batch
	for _, kind := range kinds {
		b.add(Change{Kind: kind})
	}
	for _, c := range b.take() {
		return c.Kind
	}
	return None
}

// MinGap is the least time between two heartbeats.
const MinGap = minGap
