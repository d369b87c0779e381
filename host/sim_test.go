// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
)

// sim is a network in virtual time: 20 ms round trips, 100 Mbit/s, QUIC.
type sim struct {
	t     *testing.T
	net   *simnet.Simnet
	hosts int
}

// simulate runs f in a bubble and closes the network after it. Hosts close before the network.
func simulate(t *testing.T, f func(*testing.T, *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sim{t: t, net: &simnet.Simnet{
			LatencyFunc: simnet.StaticLatency(10 * time.Millisecond),
			Logger:      slog.New(slog.DiscardHandler), // packets to hosts that are gone
		}}
		s.net.Start()
		t.Cleanup(s.net.Close)
		f(t, s)
	})
}

func (s *sim) options() []libp2p.Option {
	link := simnet.LinkSettings{BitsPerSecond: 100e6}
	return []libp2p.Option{
		libp2p.Transport(quic.NewTransport),
		simlibp2p.QUICSimnet(s.net, simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}
}

func (s *sim) addr() string {
	s.hosts++
	return fmt.Sprintf("/ip4/1.0.0.%d/udp/8000/quic-v1", s.hosts)
}

// host builds one of our hosts; change may be nil.
func (s *sim) host(change func(*host.Config)) *host.Host {
	addr := s.addr()
	cfg := host.Config{
		Key: newHostKey(s.t), ListenAddrs: []string{addr}, ExternalAddrs: []string{addr}, Options: s.options(),
	}
	if change != nil {
		change(&cfg)
	}
	h, err := host.New(s.t.Context(), cfg)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, h.Close()) })
	return h
}

// plain builds a libp2p host of somebody else.
func (s *sim) plain() corehost.Host {
	h, err := libp2p.New(append(s.options(),
		libp2p.ListenAddrStrings(s.addr()), libp2p.DisableIdentifyAddressDiscovery(), libp2p.DisableMetrics())...)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, h.Close()) })
	return h
}

func connect(t *testing.T, a, b corehost.Host) {
	t.Helper()
	require.NoError(t, a.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.Network().ListenAddresses()}))
}

func disconnect(t *testing.T, a, b corehost.Host) {
	t.Helper()
	require.NoError(t, a.Network().ClosePeer(b.ID()))
}

func connected(a, b corehost.Host) bool {
	return a.Network().Connectedness(b.ID()) == network.Connected
}

func newHostKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	return key
}

// identity makes a signing identity with a certificate of its own; whether it is a member is for Judge to say.
func identity(t testing.TB, mspID string) *msp.SigningIdentity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer0." + mspID},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	require.NoError(t, err)
	id, err := msp.NewSigningIdentity(mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
	require.NoError(t, err)
	return id
}

// run starts a Run and returns what ends it and waits; the test's end does so at the latest.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	var done bool
	stop = func() {
		if !done {
			done = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(stop)
	return stop
}
