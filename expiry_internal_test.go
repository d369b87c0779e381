// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
)

// issued is a member record of now, whose certificate lasts for life.
func issued(t *testing.T, now time.Time, life time.Duration) *msp.Record {
	t.Helper()
	org, err := devnet.NewOrg("Org1", now)
	require.NoError(t, err)
	node, err := org.Enroll("peer0", devnet.Peer, now)
	require.NoError(t, err)
	node, err = org.Renew(node, now.Add(-time.Hour), now.Add(life))
	require.NoError(t, err)
	local, err := node.Local()
	require.NoError(t, err)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	require.NoError(t, err)
	record, err := msp.IssueRecord(key, local.Signer, uint64(now.UnixNano()), now)
	require.NoError(t, err)
	return record
}

// TestOwnCertificateIsWarnedOfAWeekAheadOnceADay, and its end is told once.
func TestOwnCertificateIsWarnedOfAWeekAheadOnceADay(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const life = 10 * 24 * time.Hour
	var v vigil
	v.look(start, issued(t, start, life))
	var warned []time.Duration
	ended, steps := 0, 0
	for now := start; !now.IsZero(); steps++ {
		d, next := v.step(now)
		if d.warn {
			warned = append(warned, life-now.Sub(start))
		}
		if d.ended {
			ended++
			require.Equal(t, start.Add(life+time.Nanosecond), now, "the end is told at the end")
		}
		require.True(t, next.IsZero() || next.After(now), "it does not stand still")
		now = next
	}
	day := 24 * time.Hour
	require.Equal(t, []time.Duration{7 * day, 6 * day, 5 * day, 4 * day, 3 * day, 2 * day, day}, warned)
	require.Equal(t, 1, ended)
	d, next := v.step(start.Add(life + day))
	require.Equal(t, duties{}, d, "once")
	require.True(t, next.IsZero())

	renewed := issued(t, start.Add(life+day), 30*day)
	v.look(start.Add(life+day), renewed)
	d, next = v.step(start.Add(life + day))
	require.Equal(t, duties{}, d, "the next certificate is a new beginning")
	require.Equal(t, start.Add(life+day+12*time.Hour), next, "half of a record's life")
}

// TestRecordIsRenewedAtHalfOfItsLifeUnlessTheCertificateEnds: a record that ends with the certificate cannot be bettered.
func TestRecordIsRenewedAtHalfOfItsLifeUnlessTheCertificateEnds(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var v vigil
	v.look(start, issued(t, start, 365*24*time.Hour))
	d, next := v.step(start)
	require.Equal(t, duties{}, d)
	require.Equal(t, start.Add(12*time.Hour), next)
	d, next = v.step(next)
	require.True(t, d.renew)
	require.Equal(t, start.Add(18*time.Hour), next, "it is tried again when it did not work")

	v = vigil{}
	v.look(start, issued(t, start, time.Hour))
	d, next = v.step(start)
	require.True(t, d.warn)
	require.Equal(t, start.Add(time.Hour+time.Nanosecond), next)
}
