// SPDX-License-Identifier: Apache-2.0

package host

// What tests in package host_test look at from the inside.
var (
	NewResources = newResources
	RankDials    = rankDials
)
