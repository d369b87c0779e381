// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/pb"
)

// sealing is a member that has sealed one message in both forms, and whoever knows its record.
type sealing struct {
	id           *msp.SigningIdentity
	rec          *msp.Record
	whole, brief []byte
	records      *msp.Records
}

func newSealing(t testing.TB) *sealing {
	s := &sealing{id: rootCA(t, "ca").issue(t, "p").signer(t, testMSP), records: msp.NewRecords(4)}
	s.rec = issue(t, hostKey(t), s.id)
	var err error
	s.whole, err = msp.Seal("heartbeat", "topic", s.rec, s.id, []byte("content"))
	require.NoError(t, err)
	s.brief, err = msp.SealBrief("heartbeat", "topic", s.rec, s.id, []byte("content"))
	require.NoError(t, err)
	_, err = s.records.Open(s.rec.Bytes(), epoch)
	require.NoError(t, err)
	return s
}

func TestBriefMessages(t *testing.T) {
	s := newSealing(t)
	require.Less(t, len(s.brief), 200)
	sealed, err := s.records.Unseal("heartbeat", "topic", s.brief, epoch)
	require.NoError(t, err)
	require.Equal(t, s.rec.Digest(), sealed.Record.Digest())
	require.Equal(t, "content", string(sealed.Content))

	_, err = s.records.Unseal("heartbeat", "topic", s.brief, epoch.Add(25*time.Hour))
	require.ErrorIs(t, err, msp.ErrRecordExpired, "time is judged on every call")
}

func TestBriefMessageOfAStranger(t *testing.T) {
	s, stranger := newSealing(t), msp.NewRecords(4)
	_, err := stranger.Unseal("heartbeat", "topic", s.brief, epoch)
	require.ErrorIs(t, err, msp.ErrUnknownRecord)
	for _, offence := range []error{msp.ErrControl, msp.ErrRecord, msp.ErrSignature} {
		require.NotErrorIs(t, err, offence, "it is nobody's fault")
	}
	_, err = stranger.Unseal("heartbeat", "topic", s.whole, epoch)
	require.NoError(t, err)
	_, err = stranger.Unseal("heartbeat", "topic", s.brief, epoch)
	require.NoError(t, err, "one whole message introduces its author")
}

func TestUnsealRefusesBrief(t *testing.T) {
	s := newSealing(t)
	host := hostKey(t)
	other := rootCA(t, "other").issue(t, "q").signer(t, testMSP)
	name := func(rec *msp.Record) func(*pb.ControlMessage) {
		_, err := s.records.Open(rec.Bytes(), epoch)
		require.NoError(t, err)
		d := rec.Digest()
		return func(m *pb.ControlMessage) { m.RecordDigest = d[:] }
	}
	unknown := sha256.Sum256([]byte("no record"))
	tests := map[string]struct {
		purpose, scope string
		change         func(*pb.ControlMessage)
		want           error
	}{
		"nothing":                           {"heartbeat", "topic", func(*pb.ControlMessage) {}, nil},
		"other purpose":                     {"leadership", "topic", func(*pb.ControlMessage) {}, msp.ErrSignature},
		"other scope":                       {"heartbeat", "other", func(*pb.ControlMessage) {}, msp.ErrSignature},
		"content":                           {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Content[0] ^= 1 }, msp.ErrSignature},
		"signature":                         {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Signature[9] ^= 1 }, msp.ErrSignature},
		"no signature":                      {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Signature = nil }, msp.ErrSignature},
		"digest changed":                    {"heartbeat", "topic", func(m *pb.ControlMessage) { m.RecordDigest[0] ^= 1 }, msp.ErrUnknownRecord},
		"unknown digest":                    {"heartbeat", "topic", func(m *pb.ControlMessage) { m.RecordDigest = unknown[:] }, msp.ErrUnknownRecord},
		"another's record":                  {"heartbeat", "topic", name(issue(t, hostKey(t), other)), msp.ErrSignature},
		"other record of the same identity": {"heartbeat", "topic", name(issue(t, host, s.id)), msp.ErrSignature},
		"short digest":                      {"heartbeat", "topic", func(m *pb.ControlMessage) { m.RecordDigest = m.RecordDigest[1:] }, msp.ErrControl},
		"long digest":                       {"heartbeat", "topic", func(m *pb.ControlMessage) { m.RecordDigest = append(m.RecordDigest, 0) }, msp.ErrControl},
		"no digest":                         {"heartbeat", "topic", func(m *pb.ControlMessage) { m.RecordDigest = nil }, msp.ErrRecord},
		"record and digest":                 {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = s.rec.Bytes() }, msp.ErrControl},
		"garbage record and digest":         {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = []byte("x") }, msp.ErrControl},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var m pb.ControlMessage
			unmarshal(t, s.brief, &m)
			tt.change(&m)
			_, err := s.records.Unseal(tt.purpose, tt.scope, marshal(t, &m), epoch)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestComplete(t *testing.T) {
	s, stranger := newSealing(t), msp.NewRecords(4)
	whole, err := s.records.Complete(s.brief)
	require.NoError(t, err)
	again, err := s.records.Complete(s.brief)
	require.NoError(t, err)
	require.Equal(t, whole, again, "whoever completes a message makes the same of it, or gossip would spread each")
	sealed, err := stranger.Unseal("heartbeat", "topic", whole, epoch)
	require.NoError(t, err)
	require.Equal(t, s.rec.Digest(), sealed.Record.Digest())

	same, err := stranger.Complete(s.whole)
	require.NoError(t, err)
	require.Equal(t, s.whole, same)
}

func TestCompleteRefuses(t *testing.T) {
	s := newSealing(t)
	_, err := msp.NewRecords(4).Complete(s.brief)
	require.ErrorIs(t, err, msp.ErrUnknownRecord)
	_, err = s.records.Complete([]byte("garbage"))
	require.ErrorIs(t, err, msp.ErrControl)
	big, err := msp.SealBrief("heartbeat", "topic", s.rec, s.id, make([]byte, msp.MaxControl-500))
	require.NoError(t, err)
	_, err = s.records.Complete(big)
	require.ErrorIs(t, err, msp.ErrControl, "the record does not fit any more")
}

func TestSealBriefRefuses(t *testing.T) {
	s := newSealing(t)
	_, err := msp.SealBrief("p", "s", s.rec, rootCA(t, "ca").issue(t, "q").signer(t, testMSP), nil)
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
	_, err = msp.SealBrief("p", "s", s.rec, s.id, make([]byte, msp.MaxControl))
	require.ErrorIs(t, err, msp.ErrControl)
}
