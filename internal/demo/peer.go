// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/devnet"
)

// listen is where every host of the demo listens: a free port of the loopback interface.
const listen = "/ip4/127.0.0.1/tcp/0"

// member is one peer of the demo network.
type member struct {
	name    string
	org     *devnet.Org
	leads   bool
	traffic *traffic
	host    *host.Host
	node    *weft.Node
	channel *weft.Channel
}

// newMember starts a libp2p host and a node on it; it is in no channel yet.
func newMember(m *material, org *devnet.Org, index, members int, bootstrap []string, log *slog.Logger) (*member, error) {
	p := &member{name: fmt.Sprintf("peer%d.%s", index, strings.ToLower(org.Name)), org: org, leads: index == 0, traffic: newTraffic()}
	identity, err := m.enroll(org, fmt.Sprintf("peer%d", index), devnet.Peer)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(m.dir, org.Domain, fmt.Sprintf("peer%d", index))
	key, err := host.LoadKey(filepath.Join(data, "host.key"))
	if err != nil {
		return nil, err
	}
	p.host, err = host.New(context.Background(), host.Config{
		Key: key, ListenAddrs: []string{listen}, Members: members,
		Options: []libp2p.Option{libp2p.BandwidthReporter(p.traffic)},
	})
	if err != nil {
		return nil, err
	}
	p.node, err = weft.New(p.host, p.host.PubSub, identity, weft.WithGuard(p.host.Guard), weft.WithHostOwned(),
		weft.WithDataDir(data), weft.WithLogger(log.With("node", p.name)), weft.WithBootstrap(bootstrap...),
		weft.WithExternalAddrs(p.host.Network().ListenAddresses()...))
	if err != nil {
		return nil, errors.Join(err, p.host.Close())
	}
	p.host.Routing.Set(p.node.FindPeer)
	return p, nil
}

// join joins the channel, as leader if the peer is its organization's first.
func (p *member) join(ctx context.Context, genesis *common.Block) (err error) {
	var opts []weft.JoinOption
	if p.leads {
		opts = append(opts, weft.AsLeader())
	}
	p.channel, err = p.node.Join(ctx, genesis, opts...)
	return err
}

// address is where the peer listens, as host:port.
func (p *member) address() (string, error) {
	for _, a := range p.host.Network().ListenAddresses() {
		if addr, err := manet.ToNetAddr(a); err == nil {
			return addr.String(), nil
		}
	}
	return "", fmt.Errorf("%s listens nowhere", p.name)
}

// seen is how many other members of the channel the peer sees.
func (p *member) seen() int { return p.channel.Status().Members }
