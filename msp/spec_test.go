// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/msp"
)

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	require.Equal(t, map[string]string{
		"MaxRecord": strconv.Itoa(msp.MaxRecord), "MaxIdentity": strconv.Itoa(msp.MaxIdentity), "MaxControl": strconv.Itoa(msp.MaxControl),
		"RecordLifetime": msp.RecordLifetime.String(), "ClockSlack": msp.ClockSlack.String(),
	}, spectest.Values(t, "member-record.md", "Limits"))
}
