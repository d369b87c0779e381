// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

var (
	// ErrAddress says that an address is neither host:port nor a multiaddr that can be dialed.
	ErrAddress = errors.New("host: address is neither host:port nor a multiaddr")
	// ErrOwnAddress says that this host itself is at the address.
	ErrOwnAddress = errors.New("host: the address is our own")
)

// DialAddress connects to whoever is at an address and returns its peer ID, which the secure channel proved; who that peer
// is remains to be authenticated. It blocks until connected or ctx ends. The address is one of
//
//	host:port            a name or IP, tried over TCP, then over QUIC
//	a multiaddr          /dns4/peer0.org1.example.com/tcp/7061, with or without /p2p/<peer ID>; with it, nobody else will do
//
// libp2p dials peer IDs only. Without one, an ID that nobody has is dialed, the handshake fails with the true one in its
// error, and that is dialed then.
func DialAddress(ctx context.Context, h host.Host, address string) (peer.ID, error) {
	addrs, id, err := parseAddress(address)
	if err != nil {
		return "", err
	}
	if id == "" {
		if id, err = askWho(ctx, h, addrs); err != nil {
			return "", fmt.Errorf("dial %s: %w", address, err)
		}
	}
	if id == h.ID() {
		return id, fmt.Errorf("dial %s: %w", address, ErrOwnAddress)
	}
	if err := h.Connect(ctx, peer.AddrInfo{ID: id, Addrs: addrs}); err != nil {
		return id, fmt.Errorf("dial %s: %w", address, err)
	}
	return id, nil
}

// another is how long at most an address is tried when one before it has failed. Where no process is, TCP fails at once, and QUIC
// after 5 s and more; but the handshake that it takes to ask is done in two round trips.
const another = 1500 * time.Millisecond

// askWho finds the peer ID at one of the addresses, in their order.
func askWho(ctx context.Context, h host.Host, addrs []ma.Multiaddr) (peer.ID, error) {
	nobody, err := madeUpID()
	if err != nil {
		return "", err
	}
	defer h.Peerstore().RemovePeer(nobody)
	defer h.Peerstore().ClearAddrs(nobody)
	var failed error
	for i, a := range addrs {
		h.Peerstore().ClearAddrs(nobody)
		if i > 0 {
			bounded, cancel := context.WithTimeout(ctx, another)
			defer cancel()
			ctx = bounded
		}
		err := h.Connect(ctx, peer.AddrInfo{ID: nobody, Addrs: []ma.Multiaddr{a}})
		var mismatch sec.ErrPeerIDMismatch
		if errors.As(err, &mismatch) {
			return mismatch.Actual, nil
		}
		if errors.Is(err, swarm.ErrDialToSelf) {
			return h.ID(), nil
		}
		failed = errors.Join(failed, err)
	}
	return "", failed
}

func madeUpID() (peer.ID, error) {
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(pub)
}

// parseAddress returns what to dial, and the peer ID when the address names one.
func parseAddress(address string) ([]ma.Multiaddr, peer.ID, error) {
	if strings.HasPrefix(address, "/") {
		return parseMultiaddr(address)
	}
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %q: %w", ErrAddress, address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || name == "" || strings.Contains(name, "/") {
		return nil, "", fmt.Errorf("%w: %q", ErrAddress, address)
	}
	var addrs []ma.Multiaddr
	for _, transport := range []string{"/tcp/" + port, "/udp/" + port + "/quic-v1"} {
		a, err := ma.NewMultiaddr(ipOrName(name) + transport)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %q: %w", ErrAddress, address, err)
		}
		addrs = append(addrs, a)
	}
	return addrs, "", nil
}

func parseMultiaddr(address string) ([]ma.Multiaddr, peer.ID, error) {
	a, err := ma.NewMultiaddr(address)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %q: %w", ErrAddress, address, err)
	}
	transport, id := peer.SplitAddr(a)
	if len(transport) == 0 {
		return nil, "", fmt.Errorf("%w: %q has no transport", ErrAddress, address)
	}
	return []ma.Multiaddr{transport}, id, nil
}

// ipOrName returns the multiaddr of an IP, without its zone, or of a name in DNS.
func ipOrName(name string) string {
	ip, err := netip.ParseAddr(name)
	switch {
	case err != nil:
		return "/dns/" + name
	case ip.Unmap().Is4():
		return "/ip4/" + ip.Unmap().String()
	}
	return "/ip6/" + ip.WithZone("").String()
}
