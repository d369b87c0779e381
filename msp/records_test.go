// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

func TestRecordsRemember(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	records := msp.NewRecords(2)
	raw := issue(t, hostKey(t), id).Bytes()
	first, err := records.Open(raw, epoch)
	require.NoError(t, err)
	runtime.GC()
	again, err := records.Open(raw, epoch)
	require.NoError(t, err)
	require.Same(t, first, again)

	_, err = records.Open(raw, epoch.Add(25*time.Hour))
	require.ErrorIs(t, err, msp.ErrRecordExpired, "time is judged on every call")
}

// TestFloodOfRecords: who shows any number of records makes nobody unknown that a view, say, still holds; nor do they pile up.
func TestFloodOfRecords(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	records := msp.NewRecords(2)
	held, dropped := issue(t, hostKey(t), id), issue(t, hostKey(t), id)
	held, err := records.Open(held.Bytes(), epoch)
	require.NoError(t, err)
	_, err = records.Open(dropped.Bytes(), epoch)
	require.NoError(t, err)
	for range 2 {
		_, err = records.Open(issue(t, hostKey(t), id).Bytes(), epoch)
		require.NoError(t, err)
	}
	runtime.GC()

	unseal := func(rec *msp.Record) (*msp.Sealed, error) {
		raw, err := msp.SealBrief("heartbeat", "topic", rec, id, nil)
		require.NoError(t, err)
		return records.Unseal("heartbeat", "topic", raw, epoch)
	}
	sealed, err := unseal(held)
	require.NoError(t, err)
	require.Same(t, held, sealed.Record)
	_, err = unseal(dropped)
	require.ErrorIs(t, err, msp.ErrUnknownRecord)

	again, err := records.Open(dropped.Bytes(), epoch)
	require.NoError(t, err)
	require.Equal(t, dropped.Digest(), again.Digest())
	sealed, err = unseal(dropped)
	require.NoError(t, err)
	require.Same(t, again, sealed.Record)
	runtime.KeepAlive(held)
}
