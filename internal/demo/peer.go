// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
)

// anyPort is where a host of the demo listens first: a free port of the loopback interface, which it then keeps.
const anyPort = "/ip4/127.0.0.1/tcp/0"

// member is one peer of the demo network: its identity and data outlive its process, so to speak.
type member struct {
	index     int // in measures
	name      string
	org       *devnet.Org
	identity  *msp.Local
	data      string
	members   int
	listen    string
	bootstrap []string
	log       *slog.Logger
	traffic   *traffic
	gate      gate

	running atomic.Pointer[process]
}

// process is a peer that runs.
type process struct {
	host    *host.Host
	node    *weft.Node
	channel *weft.Channel
}

// newMember enrolls a peer; it does not run yet.
func newMember(m *material, org *devnet.Org, number int, o Options) (*member, error) {
	name := fmt.Sprintf("peer%d", number)
	identity, err := m.enroll(org, name, devnet.Peer)
	if err != nil {
		return nil, err
	}
	return &member{
		name: name + "." + strings.ToLower(org.Name), org: org, identity: identity,
		data: filepath.Join(m.dir, org.Domain, name), listen: anyPort,
		members: o.Orgs*o.Peers + 1, traffic: newTraffic(), log: o.Log.With("node", name),
	}, nil
}

// open starts the peer's libp2p host and a node on it; it is in no channel yet.
func (p *member) open() (err error) {
	key, err := host.LoadKey(filepath.Join(p.data, "host.key"))
	if err != nil {
		return err
	}
	run := &process{}
	run.host, err = host.New(context.Background(), host.Config{
		Key: key, ListenAddrs: []string{p.listen}, Members: p.members,
		Options: []libp2p.Option{libp2p.BandwidthReporter(p.traffic), libp2p.ConnectionGater(&p.gate)},
	})
	if err != nil {
		return err
	}
	addrs := run.host.Network().ListenAddresses()
	p.listen = addrs[0].String()
	run.node, err = weft.New(run.host, run.host.PubSub, p.identity, weft.WithGuard(run.host.Guard), weft.WithHostOwned(),
		weft.WithDataDir(p.data), weft.WithLogger(p.log), weft.WithBootstrap(p.bootstrap...), weft.WithExternalAddrs(addrs...))
	if err != nil {
		return errors.Join(err, run.host.Close())
	}
	run.host.Routing.Set(run.node.FindPeer)
	p.running.Store(run)
	return nil
}

// join joins the channel. Who leads is for the members of the organization to elect.
func (p *member) join(ctx context.Context, genesis *common.Block) (err error) {
	run := p.running.Load()
	run.channel, err = run.node.Join(ctx, genesis, weft.WithOrdererDialer(p.gate.dial))
	return err
}

// kill ends the peer without a word, as the end of its process does: its connections close.
func (p *member) kill() error {
	run := p.running.Swap(nil)
	return errors.Join(run.host.Network().Close(), run.node.Close(), run.host.Close())
}

// status is where the peer's channel stands; the zero value if the peer does not run.
func (p *member) status() weft.Status {
	run := p.running.Load()
	if run == nil || run.channel == nil {
		return weft.Status{}
	}
	return run.channel.Status()
}

// address is where the peer listens, as host:port.
func (p *member) address() (string, error) {
	for _, a := range p.running.Load().host.Network().ListenAddresses() {
		if addr, err := manet.ToNetAddr(a); err == nil {
			return addr.String(), nil
		}
	}
	return "", fmt.Errorf("%s listens nowhere", p.name)
}
