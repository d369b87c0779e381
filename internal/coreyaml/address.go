// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	ma "github.com/multiformats/go-multiaddr"
)

// listenPort accepts host:port of which the host may be missing and the port 0, which takes a free one.
func listenPort(s string) error {
	_, _, err := hostPort(s, 0)
	return err
}

// dialPort accepts host:port of somebody else.
func dialPort(s string) error {
	host, _, err := hostPort(s, 1)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return errors.New("others cannot dial it: write a name or address before the port, such as peer0.org1.example.com:7061")
	}
	return nil
}

func hostPort(s string, least int) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errors.New("write host:port, such as 127.0.0.1:7061 or [::1]:7061")
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < least || port > 65535 {
		return "", 0, fmt.Errorf("port %q: write a number from %d to 65535", text, least)
	}
	if strings.ContainsAny(host, "/ ") {
		return "", 0, fmt.Errorf("host %q: write a name or an IP address", host)
	}
	return host, port, nil
}

// dialable accepts host:port or a multiaddr of somebody.
func dialable(s string) error {
	if !strings.HasPrefix(s, "/") {
		return dialPort(s)
	}
	return multiaddr(s)
}

// listenable accepts host:port, with an IP address or nothing as the host, or a multiaddr.
func listenable(s string) error {
	if strings.HasPrefix(s, "/") {
		return multiaddr(s)
	}
	host, _, err := hostPort(s, 0)
	if err != nil || host == "" {
		return err
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return errors.New("to listen, write an IP address before the port, such as 0.0.0.0:7061")
	}
	return nil
}

func multiaddr(s string) error {
	if _, err := ma.NewMultiaddr(s); err != nil {
		return errors.New("write host:port or a multiaddr such as /ip4/127.0.0.1/tcp/7061")
	}
	return nil
}

// transports are the endings of a multiaddr that can be made of a host and a port.
type transports struct{ tcp, quic bool }

// multiaddrs are the addresses that host:port stands for; a multiaddr stands for itself. Empty is none.
func (t transports) multiaddrs(s string) []string {
	if s == "" {
		return nil
	}
	if strings.HasPrefix(s, "/") {
		return []string{s}
	}
	host, port, _ := net.SplitHostPort(s)
	prefix := "/dns/" + host
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
		prefix = "/ip4/" + ip.Unmap().String()
	} else if err == nil && ip.Zone() != "" {
		prefix = "/ip6zone/" + ip.Zone() + "/ip6/" + ip.WithZone("").String()
	} else if err == nil {
		prefix = "/ip6/" + ip.String()
	} else if host == "" {
		prefix = "/ip4/0.0.0.0"
	}
	var out []string
	if t.tcp {
		out = append(out, prefix+"/tcp/"+port)
	}
	if t.quic {
		out = append(out, prefix+"/udp/"+port+"/quic-v1")
	}
	return out
}

// InternalAddrs are the multiaddrs of weft.endpoint, for the own organization; none when it is not set. Like
// [Config.ExternalAddrs] it makes an address of host:port for TCP and for QUIC, as far as we listen on them.
func (c *Config) InternalAddrs() []string { return c.transports().multiaddrs(c.Endpoint) }

// ExternalAddrs are the multiaddrs of weft.externalEndpoint, for other organizations; none when it is not set.
func (c *Config) ExternalAddrs() []string { return c.transports().multiaddrs(c.ExternalEndpoint) }

func (c *Config) transports() (t transports) {
	for _, s := range c.ListenAddresses {
		if strings.HasSuffix(s, "/quic-v1") {
			t.quic = true
		} else if strings.Contains(s, "/tcp/") && !strings.Contains(s, "/ws") {
			t.tcp = true
		}
	}
	return t
}
