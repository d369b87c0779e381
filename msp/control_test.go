// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/pb"
)

func TestSealAndUnseal(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	records := msp.NewRecords(4)
	for _, content := range [][]byte{nil, []byte("x"), make([]byte, 100<<10)} {
		raw, err := msp.Seal("heartbeat", "topic", rec, id, content)
		require.NoError(t, err)
		sealed, err := records.Unseal("heartbeat", "topic", raw, epoch)
		require.NoError(t, err)
		require.Equal(t, rec.Digest(), sealed.Record.Digest())
		require.Equal(t, len(content), len(sealed.Content))

		clear(raw)
		require.Equal(t, string(content), string(sealed.Content), "content does not alias the message")
	}
}

func TestUnsealRefuses(t *testing.T) {
	ca := rootCA(t, "ca")
	id, other := ca.issue(t, "p").signer(t, testMSP), ca.issue(t, "q").signer(t, testMSP)
	host := hostKey(t)
	rec := issue(t, host, id)
	second, err := msp.IssueRecord(host, id, 8, epoch)
	require.NoError(t, err)
	good, err := msp.Seal("heartbeat", "topic", rec, id, []byte("content"))
	require.NoError(t, err)

	tests := map[string]struct {
		purpose, scope string
		change         func(*pb.ControlMessage)
		want           error
	}{
		"nothing":                           {"heartbeat", "topic", func(*pb.ControlMessage) {}, nil},
		"other purpose":                     {"leadership", "topic", func(*pb.ControlMessage) {}, msp.ErrSignature},
		"other scope":                       {"heartbeat", "other", func(*pb.ControlMessage) {}, msp.ErrSignature},
		"boundary moved":                    {"heartbeatt", "opic", func(*pb.ControlMessage) {}, msp.ErrSignature},
		"content":                           {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Content[0] ^= 1 }, msp.ErrSignature},
		"signature":                         {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Signature[9] ^= 1 }, msp.ErrSignature},
		"no signature":                      {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Signature = nil }, msp.ErrSignature},
		"another's record":                  {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = issue(t, hostKey(t), other).Bytes() }, msp.ErrSignature},
		"other record of the same identity": {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = second.Bytes() }, msp.ErrSignature},
		"no record":                         {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = nil }, msp.ErrRecord},
		"garbage record":                    {"heartbeat", "topic", func(m *pb.ControlMessage) { m.Record = []byte("x") }, msp.ErrRecord},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var m pb.ControlMessage
			unmarshal(t, good, &m)
			tt.change(&m)
			fresh, knowing := msp.NewRecords(4), msp.NewRecords(4)
			_, err := knowing.Unseal("heartbeat", "topic", good, epoch)
			require.NoError(t, err)
			for _, records := range []*msp.Records{fresh, knowing} {
				_, err := records.Unseal(tt.purpose, tt.scope, marshal(t, &m), epoch)
				require.ErrorIs(t, err, tt.want)
			}
		})
	}
	_, err = msp.NewRecords(4).Unseal("heartbeat", "topic", []byte("garbage"), epoch)
	require.ErrorIs(t, err, msp.ErrControl)
}

// A signature is verified once, whichever form the message has; its record has to be in time whenever it comes.
func TestSealIsVerifiedOnce(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	whole, err := msp.Seal("heartbeat", "topic", rec, id, []byte("content"))
	require.NoError(t, err)
	brief, err := msp.SealBrief("heartbeat", "topic", rec, id, []byte("content"))
	require.NoError(t, err)
	records := msp.NewRecords(4)
	unseal := func(raw []byte) { _, err = records.Unseal("heartbeat", "topic", raw, epoch) }
	unseal(whole)
	var others [][]byte
	for i := range 11 {
		raw, err := msp.Seal("heartbeat", "topic", rec, id, []byte{byte(i)})
		require.NoError(t, err)
		others = append(others, raw)
	}
	first := testing.AllocsPerRun(10, func() { unseal(others[0]); others = others[1:] })
	require.Less(t, testing.AllocsPerRun(10, func() { unseal(whole) }), first/2)
	require.NoError(t, err)

	var m pb.ControlMessage
	unmarshal(t, whole, &m)
	short := new(pb.ControlMessage)
	unmarshal(t, brief, short)
	short.Signature = m.Signature
	unseal(marshal(t, short))
	require.NoError(t, err)
	_, err = records.Unseal("heartbeat", "topic", whole, epoch.Add(2*msp.RecordLifetime))
	require.ErrorIs(t, err, msp.ErrRecordExpired)
}

// The signature is the one of the specification.
func TestControlEncoding(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	digest := rec.Digest()
	sig, err := id.Sign(frame([]byte("weft/control/1"), []byte("heartbeat"), []byte("topic"), digest[:], []byte("c")))
	require.NoError(t, err)
	raw := marshal(t, &pb.ControlMessage{Record: rec.Bytes(), Content: []byte("c"), Signature: sig})
	_, err = msp.NewRecords(1).Unseal("heartbeat", "topic", raw, epoch)
	require.NoError(t, err)
}

func TestControlSize(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	_, err := msp.Seal("p", "s", rec, id, make([]byte, msp.MaxControl))
	require.ErrorIs(t, err, msp.ErrControl)

	raw, err := msp.Seal("p", "s", rec, id, make([]byte, 900<<10))
	require.NoError(t, err)
	_, err = msp.NewRecords(1).Unseal("p", "s", padded(t, raw, msp.MaxControl), epoch)
	require.NoError(t, err)
	_, err = msp.NewRecords(1).Unseal("p", "s", padded(t, raw, msp.MaxControl+1), epoch)
	require.ErrorIs(t, err, msp.ErrControl)
}

func TestSealWithAnothersRecord(t *testing.T) {
	ca := rootCA(t, "ca")
	rec := issue(t, hostKey(t), ca.issue(t, "p").signer(t, testMSP))
	_, err := msp.Seal("p", "s", rec, ca.issue(t, "q").signer(t, testMSP), nil)
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
}

// TestUnsealPast: a signature holds long after the record has run out, and needs the whole record.
func TestUnsealPast(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	raw, err := msp.Seal("heartbeat", "topic", rec, id, []byte("content"))
	require.NoError(t, err)
	_, err = msp.NewRecords(4).Unseal("heartbeat", "topic", raw, epoch.Add(2*msp.RecordLifetime))
	require.ErrorIs(t, err, msp.ErrRecordExpired)
	sealed, err := msp.UnsealPast("heartbeat", "topic", raw)
	require.NoError(t, err)
	require.Equal(t, "content", string(sealed.Content))
	require.Equal(t, id.Key(), sealed.Record.Identity().Key())

	_, err = msp.UnsealPast("heartbeat", "another", raw)
	require.ErrorIs(t, err, msp.ErrSignature)
	_, err = msp.UnsealPast("heartbeat", "topic", []byte("hello"))
	require.ErrorIs(t, err, msp.ErrControl)
	brief, err := msp.SealBrief("heartbeat", "topic", rec, id, []byte("content"))
	require.NoError(t, err)
	_, err = msp.UnsealPast("heartbeat", "topic", brief)
	require.ErrorIs(t, err, msp.ErrUnknownRecord)
}
