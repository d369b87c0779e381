// SPDX-License-Identifier: Apache-2.0

package leader

// MaxSights is how many absent peers are remembered.
const MaxSights = maxSights

// Sights is how many peers an election remembers.
func Sights(e *Election) int { return len(e.seen) }
