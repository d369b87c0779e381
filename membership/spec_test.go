// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/membership"
)

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	l := membership.DefaultLimits()
	require.Equal(t, map[string]string{
		"MaxMessage": strconv.Itoa(membership.MaxMessage), "MaxContent": strconv.Itoa(membership.MaxContent),
		"MaxAddrs": strconv.Itoa(membership.MaxAddrs), "MaxAddrSize": strconv.Itoa(membership.MaxAddrSize),
		"MaxChannels": strconv.Itoa(membership.MaxChannels), "MaxScope": strconv.Itoa(membership.MaxScope),
		"Members": strconv.Itoa(l.Members), "PerIdentity": strconv.Itoa(l.PerIdentity), "minGap": membership.MinGap.String(),
	}, spectest.Values(t, "membership.md", "Limits"))
}
