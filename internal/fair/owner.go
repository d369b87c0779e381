// SPDX-License-Identifier: Apache-2.0

package fair

// Owner is whom something is charged to. Names are opaque; equal names are the same owner.
type Owner struct {
	Org      string // MSP ID; empty for who is no member as far as we know: all of them share as one organization does
	Identity string // within the organization
}
