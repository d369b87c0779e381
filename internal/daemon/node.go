// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/membership"
)

// build makes a libp2p host that does not listen yet, and the node on it.
func (d *Daemon) build() error {
	key, err := d.dir.identify(d.core.MSPID)
	if err != nil {
		return err
	}
	opts, err := d.nodeOptions()
	if err != nil {
		return err
	}
	cfg := host.Config{Key: key, ExternalAddrs: d.core.ExternalAddrs(), Members: d.core.Members, Degree: d.core.Gossip.PropagatePeerNum}
	if d.metrics != nil {
		cfg.Registerer = d.metrics
		opts = append(opts, weft.WithRegisterer(d.metrics))
	}
	if d.host, err = host.New(context.Background(), cfg); err != nil {
		return err
	}
	d.opened = append(d.opened, d.host.Close)
	if d.node, err = weft.New(d.host, d.host.PubSub, d.identity, append(opts, weft.WithGuard(d.host.Guard))...); err != nil {
		return err
	}
	d.opened = append(d.opened, d.node.Close)
	d.host.Routing.Set(d.node.FindPeer)
	return nil
}

// nodeOptions are what the configuration says of the node.
func (d *Daemon) nodeOptions() ([]weft.Option, error) {
	core := d.core
	external, err := parseAddrs("weft.externalEndpoint", core.ExternalAddrs())
	if err != nil {
		return nil, err
	}
	opts := []weft.Option{
		weft.WithHostOwned(), weft.WithDataDir(d.dir.path), weft.WithLogger(d.log), weft.WithBootstrap(core.Bootstrap...),
		weft.WithAnchorOverrides(core.AnchorOverrides), weft.WithExternalAddrs(external...), weft.WithFullMesh(core.FullMesh), weft.WithFanOut(core.Gossip.PropagatePeerNum),
		weft.WithParity(core.Parity),
		weft.WithTiming(membership.Timing{
			AliveInterval: core.Gossip.AliveTimeInterval, AliveExpiration: core.Gossip.AliveExpirationTimeout,
			ExpirationFactor: core.Gossip.MsgExpirationFactor,
		}),
	}
	if core.OrgSecret != "" {
		opts = append(opts, weft.WithOrgSecret([]byte(core.OrgSecret)))
	}
	internal, err := parseAddrs("weft.endpoint", core.InternalAddrs())
	if err != nil {
		return nil, err
	}
	if len(internal) > 0 {
		opts = append(opts, weft.WithInternalAddrs(internal...))
	}
	return opts, nil
}

// newRegistry holds the metrics of the process; what libp2p and weft measure is registered with it. Nil unless the provider is
// "prometheus".
func newRegistry(provider string) *prometheus.Registry {
	if provider != "prometheus" {
		return nil
	}
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
