// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/msp"
)

// fuzzAuth is a node without a network: what it opens and hears comes from the fuzzer. The record is the remote's.
func fuzzAuth(f *testing.F) (a *Auth, mine, theirs *msp.Record) {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer0"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	require.NoError(f, err)
	id, err := msp.NewSigningIdentity("Org1", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
	require.NoError(f, err)
	issue := func() *msp.Record {
		hostKey, _, err := crypto.GenerateEd25519Key(rand.Reader)
		require.NoError(f, err)
		rec, err := msp.IssueRecord(hostKey, id, 5, time.Now())
		require.NoError(f, err)
		return rec
	}
	mine, theirs = issue(), issue()
	a = &Auth{cfg: AuthConfig{
		Records: msp.NewRecords(8), Mine: func() *msp.Record { return nil },
		Judge: func(*msp.Record) Result { return Unknown },
	}}
	a.peers = newAcquaintances(8, func(peer.ID) bool { return true }, func(peer.ID, *msp.Record, Result) {})
	return a, mine, theirs
}

// Nothing but the peer's own record makes it known, whatever the answer.
func FuzzAuthResponse(f *testing.F) {
	a, mine, theirs := fuzzAuth(f)
	for _, m := range []*pb.AuthResponse{
		{}, {Status: pb.Status_STATUS_VERIFIED, Record: theirs.Bytes(), HighestIncarnation: 9},
		{Status: pb.Status_STATUS_VERIFIED, Record: mine.Bytes()}, {Status: pb.Status_STATUS_UNKNOWN, Record: theirs.Bytes()},
		{Status: pb.Status_STATUS_REFUSED}, {Status: 99, HighestIncarnation: 1 << 63},
	} {
		raw, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer := new(pb.AuthResponse)
		if proto.Unmarshal(raw, answer) != nil {
			return
		}
		_, err := a.hear(theirs.PeerID(), mine, answer)
		if err == nil {
			require.Equal(t, pb.Status_STATUS_VERIFIED, answer.GetStatus())
			rec, _ := a.Known(theirs.PeerID())
			require.Equal(t, theirs.PeerID(), rec.PeerID())
		}
	})
}

func FuzzAuthRequest(f *testing.F) {
	a, mine, theirs := fuzzAuth(f)
	for _, rec := range [][]byte{nil, {0xff}, mine.Bytes(), theirs.Bytes(), theirs.Bytes()[:50]} {
		raw, err := proto.Marshal(&pb.AuthRequest{Record: rec})
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := new(pb.AuthRequest)
		if proto.Unmarshal(raw, req) != nil {
			return
		}
		if rec, err := a.open(theirs.PeerID(), req.GetRecord()); err == nil {
			require.Equal(t, theirs.PeerID(), rec.PeerID())
			require.Equal(t, theirs.Incarnation(), rec.Incarnation())
		} else {
			require.ErrorIs(t, err, ErrInvalidRecord)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"peer0:7061", "[::1]:7061", "[fe80::1%eth0]:1", "/ip4/1.2.3.4/tcp/1", "/dns4/a/tcp/1/p2p/x", "", ":", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addrs, _, err := parseAddress(s)
		if err != nil {
			require.ErrorIs(t, err, ErrAddress)
			return
		}
		require.NotEmpty(t, addrs)
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if key, err := parseKey(raw); err == nil {
			require.EqualValues(t, crypto.Ed25519, key.Type())
		}
	})
}
