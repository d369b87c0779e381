// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/pb"
)

func hostKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	return key
}

func issue(t testing.TB, host crypto.PrivKey, id *msp.SigningIdentity) *msp.Record {
	t.Helper()
	rec, err := msp.IssueRecord(host, id, 7, epoch)
	require.NoError(t, err)
	return rec
}

// frame is the encoding of the specification, written a second time.
func frame(fields ...[]byte) []byte {
	var out bytes.Buffer
	for _, f := range fields {
		_ = binary.Write(&out, binary.BigEndian, uint32(len(f)))
		out.Write(f)
	}
	return out.Bytes()
}

// forge signs any content as a record.
func forge(t testing.TB, host crypto.PrivKey, id *msp.SigningIdentity, content []byte) []byte {
	t.Helper()
	mspSig, err := id.Sign(frame([]byte("weft/record/1"), content))
	require.NoError(t, err)
	hostSig, err := host.Sign(frame([]byte("weft/record/1/host"), content, mspSig))
	require.NoError(t, err)
	return marshal(t, &pb.MemberRecord{Content: content, MspSignature: mspSig, HostSignature: hostSig})
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}

func unmarshal(t testing.TB, raw []byte, m proto.Message) {
	t.Helper()
	require.NoError(t, proto.Unmarshal(raw, m))
}

func TestRecordRoundTrip(t *testing.T) {
	host := hostKey(t)
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	rec := issue(t, host, id)
	opened, err := msp.OpenRecord(rec.Bytes(), epoch)
	require.NoError(t, err)
	want, err := peer.IDFromPrivateKey(host)
	require.NoError(t, err)

	for _, r := range []*msp.Record{rec, opened} {
		require.Equal(t, want, r.PeerID())
		require.Equal(t, id.Serialize(), r.Identity().Serialize())
		require.Equal(t, uint64(7), r.Incarnation())
		require.Equal(t, epoch.Add(24*time.Hour), r.Expiry())
		require.Equal(t, sha256.Sum256(r.Bytes()), r.Digest())
	}
}

// The signatures are those of the specification.
func TestRecordEncoding(t *testing.T) {
	host, id := hostKey(t), rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	public, err := crypto.MarshalPublicKey(host.GetPublic())
	require.NoError(t, err)
	raw := forge(t, host, id, marshal(t, &pb.MemberRecordContent{
		Domain: "weft/record/1", HostKey: public, Identity: id.Serialize(), Incarnation: 1, Expiry: epoch.Unix(),
	}))
	_, err = msp.OpenRecord(raw, epoch)
	require.NoError(t, err)
}

func TestRecordOfEveryKeyType(t *testing.T) {
	ca := rootCA(t, "ca")
	secp, _, err := crypto.GenerateSecp256k1Key(rand.Reader)
	require.NoError(t, err)
	for _, host := range []crypto.PrivKey{hostKey(t), secp} {
		issue(t, host, certify(t, ca, "ed", edKey(t)).signer(t, testMSP))
		issue(t, host, certify(t, ca, "p384", ecKey(t, elliptic.P384())).signer(t, testMSP))
	}
}

func TestRecordEndsWithItsCertificate(t *testing.T) {
	end := epoch.Add(time.Hour)
	id := rootCA(t, "ca").issue(t, "p", validity(epoch, end)).signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	require.Equal(t, end, rec.Expiry())

	_, err := msp.IssueRecord(hostKey(t), id, 8, end.Add(time.Second))
	require.ErrorIs(t, err, msp.ErrExpired)
	_, err = msp.IssueRecord(hostKey(t), id, 8, epoch.Add(-time.Second))
	require.ErrorIs(t, err, msp.ErrNotYetValid)
}

func TestRecordTimes(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p", validity(epoch, epoch.AddDate(1, 0, 0))).signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	const slack = 15 * time.Minute
	tests := map[string]struct {
		now  time.Time
		want error
	}{
		"at issue":                      {epoch, nil},
		"at expiry":                     {rec.Expiry(), nil},
		"slack after expiry":            {rec.Expiry().Add(slack), nil},
		"beyond the slack":              {rec.Expiry().Add(slack + time.Second), msp.ErrRecordExpired},
		"issuer's clock ahead by slack": {epoch.Add(-slack), nil},
		"issuer's clock ahead by more":  {epoch.Add(-slack - time.Second), msp.ErrRecordFuture},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, rec.ValidAt(tt.now), tt.want)
			_, err := msp.OpenRecord(rec.Bytes(), tt.now)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestRecordBeforeItsCertificate(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p", validity(epoch, epoch.Add(time.Hour))).signer(t, testMSP)
	rec := issue(t, hostKey(t), id)
	require.NoError(t, rec.ValidAt(epoch.Add(-15*time.Minute)))
	require.ErrorIs(t, rec.ValidAt(epoch.Add(-16*time.Minute)), msp.ErrNotYetValid)
}

// Whatever is altered, by whoever holds only one of the two keys, is noticed.
func TestAlteredRecords(t *testing.T) {
	ca := rootCA(t, "ca")
	host, thief := hostKey(t), hostKey(t)
	id, other := ca.issue(t, "p").signer(t, testMSP), ca.issue(t, "q").signer(t, testMSP)
	thiefKey, err := crypto.MarshalPublicKey(thief.GetPublic())
	require.NoError(t, err)
	good := issue(t, host, id).Bytes()

	edit := func(change func(*pb.MemberRecordContent)) func(*pb.MemberRecord) {
		return func(m *pb.MemberRecord) {
			var c pb.MemberRecordContent
			unmarshal(t, m.GetContent(), &c)
			change(&c)
			m.Content = marshal(t, &c)
		}
	}
	hostSigns := func(m *pb.MemberRecord, key crypto.PrivKey) {
		m.HostSignature, err = key.Sign(frame([]byte("weft/record/1/host"), m.GetContent(), m.GetMspSignature()))
		require.NoError(t, err)
	}
	mspSigns := func(m *pb.MemberRecord, id *msp.SigningIdentity) {
		m.MspSignature, err = id.Sign(frame([]byte("weft/record/1"), m.GetContent()))
		require.NoError(t, err)
	}
	tests := map[string]struct {
		change func(*pb.MemberRecord)
		want   error
	}{
		"nothing":                {func(*pb.MemberRecord) {}, nil},
		"domain":                 {edit(func(c *pb.MemberRecordContent) { c.Domain = "weft/record/2" }), msp.ErrRecord},
		"host key":               {edit(func(c *pb.MemberRecordContent) { c.HostKey = thiefKey }), msp.ErrSignature},
		"identity":               {edit(func(c *pb.MemberRecordContent) { c.Identity = other.Serialize() }), msp.ErrSignature},
		"incarnation":            {edit(func(c *pb.MemberRecordContent) { c.Incarnation++ }), msp.ErrSignature},
		"expiry":                 {edit(func(c *pb.MemberRecordContent) { c.Expiry-- }), msp.ErrSignature},
		"MSP signature":          {func(m *pb.MemberRecord) { m.MspSignature[9] ^= 1 }, msp.ErrSignature},
		"no MSP signature":       {func(m *pb.MemberRecord) { m.MspSignature = nil }, msp.ErrSignature},
		"host signature":         {func(m *pb.MemberRecord) { m.HostSignature[9] ^= 1 }, msp.ErrSignature},
		"no host signature":      {func(m *pb.MemberRecord) { m.HostSignature = nil }, msp.ErrSignature},
		"no content":             {func(m *pb.MemberRecord) { m.Content = nil }, msp.ErrRecord},
		"garbage content":        {func(m *pb.MemberRecord) { m.Content = []byte("garbage") }, msp.ErrRecord},
		"garbage host key":       {edit(func(c *pb.MemberRecordContent) { c.HostKey = []byte("key") }), msp.ErrRecord},
		"garbage identity":       {edit(func(c *pb.MemberRecordContent) { c.Identity = []byte("id") }), msp.ErrRecord},
		"incarnation zero":       {edit(func(c *pb.MemberRecordContent) { c.Incarnation = 0 }), msp.ErrRecord},
		"incarnation too high":   {edit(func(c *pb.MemberRecordContent) { c.Incarnation = math.MaxInt64 + 1 }), msp.ErrRecord},
		"outlasting certificate": {edit(func(c *pb.MemberRecordContent) { c.Expiry = id.ExpiresAt().Unix() + 1 }), msp.ErrRecord},
		"expiry overflows":       {edit(func(c *pb.MemberRecordContent) { c.Expiry = math.MaxInt64 }), msp.ErrRecord},
		"expiry before 1970":     {edit(func(c *pb.MemberRecordContent) { c.Expiry = math.MinInt64 }), msp.ErrRecord},
		"another's host key, countersigned by the thief": {func(m *pb.MemberRecord) { hostSigns(m, thief) }, msp.ErrSignature},
		"peer ID of another, signed with one's own MSP key": {func(m *pb.MemberRecord) {
			edit(func(c *pb.MemberRecordContent) { c.Identity = other.Serialize() })(m)
			mspSigns(m, other)
		}, msp.ErrSignature},
		"replay with another host key": {func(m *pb.MemberRecord) {
			edit(func(c *pb.MemberRecordContent) { c.HostKey = thiefKey })(m)
			hostSigns(m, thief)
		}, msp.ErrSignature},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var m pb.MemberRecord
			unmarshal(t, good, &m)
			tt.change(&m)
			_, err := msp.OpenRecord(marshal(t, &m), epoch)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestRecordOutlivingItsLimit(t *testing.T) {
	host, id := hostKey(t), rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	public, err := crypto.MarshalPublicKey(host.GetPublic())
	require.NoError(t, err)
	raw := forge(t, host, id, marshal(t, &pb.MemberRecordContent{
		Domain: "weft/record/1", HostKey: public, Identity: id.Serialize(), Incarnation: 1,
		Expiry: epoch.Add(48 * time.Hour).Unix(),
	}))
	_, err = msp.OpenRecord(raw, epoch)
	require.ErrorIs(t, err, msp.ErrRecordFuture)
}

func TestRecordSize(t *testing.T) {
	raw := issue(t, hostKey(t), rootCA(t, "ca").issue(t, "p").signer(t, testMSP)).Bytes()
	for name, open := range map[string]func([]byte, time.Time) (*msp.Record, error){
		"OpenRecord": msp.OpenRecord, "Records": msp.NewRecords(4).Open,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(padded(t, raw, msp.MaxRecord), epoch)
			require.NoError(t, err)
			_, err = open(padded(t, raw, msp.MaxRecord+1), epoch)
			require.ErrorIs(t, err, msp.ErrRecord)
			_, err = open(nil, epoch)
			require.ErrorIs(t, err, msp.ErrRecord)
			_, err = open([]byte("garbage"), epoch)
			require.ErrorIs(t, err, msp.ErrRecord)
		})
	}
}

// padded fills a message up with an unknown field, to total bytes.
func padded(t testing.TB, raw []byte, total int) []byte {
	t.Helper()
	const head = 2 + 3 // tag of field 99, and a length of three bytes
	fill := total - len(raw) - head
	out := append(bytes.Clone(raw), 0x9a, 0x06, byte(fill)|0x80, byte(fill>>7)|0x80, byte(fill>>14))
	out = append(out, make([]byte, fill)...)
	require.Len(t, out, total)
	return out
}

func TestIncarnationOutOfRange(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "p").signer(t, testMSP)
	for _, n := range []uint64{0, math.MaxInt64 + 1, math.MaxUint64} {
		_, err := msp.IssueRecord(hostKey(t), id, n, epoch)
		require.ErrorIs(t, err, msp.ErrRecord)
	}
}

// Everything works under the clock of a bubble, which starts in 2000.
func TestInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := rootCA(t, "ca")
		id := ca.issue(t, "p", unit("peer")).signer(t, testMSP)
		require.NoError(t, newMSP(t, orgConfig(ca), msp.V3_0).IsPeer(id.Identity))
		rec, err := msp.IssueRecord(hostKey(t), id, msp.NextIncarnation(0, time.Now()), time.Now())
		require.NoError(t, err)
		records := msp.NewRecords(1)
		raw, err := msp.Seal("test", "scope", rec, id, []byte("content"))
		require.NoError(t, err)
		_, err = records.Unseal("test", "scope", raw, time.Now())
		require.NoError(t, err)

		time.Sleep(24*time.Hour + 16*time.Minute)
		_, err = records.Unseal("test", "scope", raw, time.Now())
		require.ErrorIs(t, err, msp.ErrRecordExpired)
	})
}
