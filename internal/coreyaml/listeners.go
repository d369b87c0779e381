// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"gopkg.in/yaml.v3"
)

// DeliverListener is an entry of weft.deliver.listeners: where stock peers and SDKs draw blocks.
type DeliverListener struct {
	Listen    string // host:port
	Orderer   string // host:port of channel configurations that this listener stands for, or ""
	Cert, Key string // PEM files; by default those of peer.tls
	ClientCAs string // PEM file with CAs of client certificates beside those of the channels, or ""
}

// DeliverLimits are weft.deliver.limits: 0 is the default of package leader/deliver/server.
type DeliverLimits struct {
	Streams        int // in all, of each listener
	AddressStreams int // of one IP address
	Message        int // bytes of a client's message
}

func (d *draft) deliverListeners(n *yaml.Node) error {
	const write = "write a list of {listen: host:port, orderer: host:port of the channel configuration, certFile: file, keyFile: file, clientCAsFile: file}"
	d.DeliverListeners = nil
	return records(n, write, []string{"listen", "orderer", "certFile", "keyFile", "clientCAsFile"}, func(r map[string]string) error {
		l := DeliverListener{Listen: r["listen"], Orderer: r["orderer"], Cert: r["certfile"], Key: r["keyfile"], ClientCAs: r["clientcasfile"]}
		for _, file := range []*string{&l.Cert, &l.Key, &l.ClientCAs} {
			if *file != "" {
				*file = absolute(d.dir, *file)
			}
		}
		if (l.Cert == "") != (l.Key == "") {
			return errors.New("certFile and keyFile: set both or none")
		}
		d.DeliverListeners = append(d.DeliverListeners, l)
		if l.Orderer == "" {
			return named("listen", l.Listen, listenPort)
		}
		return errors.Join(named("listen", l.Listen, listenPort), named("orderer", l.Orderer, dialPort))
	})
}

// listeners completes weft.deliver.listeners and checks what they name.
func (d *draft) listeners() error {
	var errs []error
	seen := map[string]bool{}
	for i := range d.DeliverListeners {
		l := &d.DeliverListeners[i]
		if _, port, _ := hostPort(l.Listen, 0); seen[l.Listen] && port != 0 {
			errs = append(errs, fmt.Errorf("%w: weft.deliver.listeners has %s twice: give each orderer address a port of its own", ErrInvalid, l.Listen))
		}
		seen[l.Listen] = true
		errs = append(errs, d.certificate(l), d.loop(l))
	}
	return errors.Join(errs...)
}

func (d *draft) certificate(l *DeliverListener) error {
	cert, key := "certFile in weft.deliver.listeners", "keyFile in weft.deliver.listeners"
	if l.Cert == "" {
		l.Cert, l.Key = d.cert, d.key
		cert, key = "peer.tls.cert.file", "peer.tls.key.file"
	}
	why := l.Listen + " needs a TLS certificate"
	errs := []error{isFile(cert, l.Cert, why), isFile(key, l.Key, why)}
	if l.ClientCAs != "" {
		errs = append(errs, isFile("clientCAsFile in weft.deliver.listeners", l.ClientCAs, "clients of "+l.Listen+" are trusted by it"))
	}
	return errors.Join(errs...)
}

// loop refuses overrides that are meant for the stock peer: with them this node would pull from itself.
func (d *draft) loop(l *DeliverListener) error {
	for _, o := range d.Deliver.AddressOverrides {
		if ownAddress(o.To, l.Listen) {
			return fmt.Errorf("%w: peer.deliveryclient.addressOverrides leads to %s, a listener of this very node, which would pull from itself: give it a core.yaml without them, or set %s to nothing",
				ErrInvalid, o.To, variable("peer.deliveryclient.addressOverrides"))
		}
	}
	return nil
}

// ownAddress says whether dialing to leads to who listens on listen, as far as the addresses tell.
func ownAddress(to, listen string) bool {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return false
	}
	at, atPort, err := net.SplitHostPort(listen)
	if err != nil || port != atPort {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == at || host == "localhost" || err == nil && ip.IsLoopback()
}
