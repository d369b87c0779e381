// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// listen makes h listen on every address, or on none of them for good: the caller closes h on an error.
func listen(h host.Host, addrs []ma.Multiaddr) error {
	for _, a := range addrs {
		err := probe(a)
		if err == nil {
			err = h.Network().Listen(a)
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("address %s is in use; another process listens there; change weft.listenAddresses: %w", a, err)
		}
		if err != nil {
			return fmt.Errorf("listen on %s, of weft.listenAddresses: %w", a, err)
		}
	}
	return nil
}

// probe finds out whether an address is free. libp2p shares TCP ports among the processes of a user (SO_REUSEPORT): a second node
// would start, and get every other connection of the first.
func probe(a ma.Multiaddr) error {
	var (
		l   io.Closer
		err error
	)
	switch base := socketAddr(a); {
	case len(base) < 2:
		return nil // libp2p says what is wrong with it
	case base[1].Protocol().Code == ma.P_TCP:
		l, err = manet.Listen(base)
	case base[1].Protocol().Code == ma.P_UDP:
		l, err = manet.ListenPacket(base)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// socketAddr is the part of an address that the system knows: IP and port.
func socketAddr(a ma.Multiaddr) ma.Multiaddr { return a[:min(2, len(a))] }

// parseAddrs parses multiaddrs; key names where they came from.
func parseAddrs(key string, texts []string) ([]ma.Multiaddr, error) {
	addrs := make([]ma.Multiaddr, len(texts))
	for i, text := range texts {
		var err error
		if addrs[i], err = ma.NewMultiaddr(text); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", key, text, err)
		}
	}
	return addrs, nil
}
