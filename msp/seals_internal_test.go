// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSealsAreForgottenInOrder: the last half of what is remembered is always there, and never more than all of it.
func TestSealsAreForgottenInOrder(t *testing.T) {
	var s seals
	name := func(i int) digest { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	require.False(t, s.has(name(0)))
	for i := range 3 * knownSeals {
		s.add(name(i))
		for _, back := range []int{0, 1, knownSeals/2 - 1} {
			require.True(t, s.has(name(max(0, i-back))), "%d after %d", i-back, i)
		}
		require.False(t, s.has(name(i+1)))
		require.False(t, s.has(name(i-knownSeals)), "%d after %d", i-knownSeals, i)
		require.LessOrEqual(t, len(s.young)+len(s.older), knownSeals)
	}
}
