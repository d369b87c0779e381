// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"math/big"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/weft-p2p/weft/internal/chance"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	chance.Fix()
	goleak.VerifyTestMain(m)
}

const scope = "/weft/1/channel"

// fatal is what the kit needs of *testing.T and *testing.F and *rapid.T.
type fatal interface {
	require.TestingT
	Helper()
}

// identity makes an MSP identity with a self-signed certificate: this package
// never asks who signed it.
func identity(t fatal, mspID string) *msp.SigningIdentity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: mspID},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(365 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	id, err := msp.NewSigningIdentity(mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
	require.NoError(t, err)
	return id
}

// hostKey is the same for the same name in every run.
func hostKey(t fatal, name string) crypto.PrivKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	require.NoError(t, err)
	return key
}

func record(t fatal, name string, id *msp.SigningIdentity, incarnation uint64) *msp.Record {
	t.Helper()
	return recordAt(t, time.Now(), name, id, incarnation)
}

func recordAt(t fatal, now time.Time, name string, id *msp.SigningIdentity, incarnation uint64) *msp.Record {
	t.Helper()
	r, err := msp.IssueRecord(hostKey(t, name), id, incarnation, now)
	require.NoError(t, err)
	return r
}

func peerID(t fatal, name string) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(hostKey(t, name))
	require.NoError(t, err)
	return id
}

func addr(t fatal, text string) ma.Multiaddr {
	t.Helper()
	a, err := ma.NewMultiaddr(text)
	require.NoError(t, err)
	return a
}

func hash(b byte) []byte {
	sum := sha256.Sum256([]byte{b})
	return sum[:]
}

// state is a well-formed claim about the channel.
func state(height uint64) membership.ChannelState {
	s := membership.ChannelState{Scope: scope, Height: height}
	if height > 0 {
		s.HeadHash = hash(byte(height))
	}
	return s
}

func beat(r *msp.Record, sequence, height uint64) *membership.Heartbeat {
	return &membership.Heartbeat{Record: r, Sequence: sequence, Channels: []membership.ChannelState{state(height)}}
}

func newView(t fatal, c membership.ViewConfig) *membership.View {
	t.Helper()
	v, err := membership.NewView(c)
	require.NoError(t, err)
	return v
}

var _ fatal = (*testing.T)(nil)
