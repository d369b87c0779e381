// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/orderer"
)

// network is the running demo network.
type network struct {
	options  Options
	material *material
	measures *measures
	genesis  *common.Block
	orderer  *orderer.Orderer
	listener net.Listener
	ledger   *ledger.Ledger // of the ordering service
	client   *client

	mu      sync.Mutex // guards members, which the late joiner is added to
	members []*member
}

// build starts the hosts, makes the genesis block that names the first peer of each organization as its anchor, and the
// ordering service. On an error what it started is closed.
func build(o Options, m *material) (n *network, err error) {
	n = &network{options: o, material: m, measures: newMeasures()}
	if n.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the ordering service: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close(), n.listener.Close())
		}
	}()
	anchors, err := n.openMembers()
	if err != nil {
		return n, err
	}
	if n.genesis, err = m.genesis(o, n.listener.Addr(), anchors); err != nil {
		return n, err
	}
	return n, n.startOrderer()
}

// openMembers starts the peers' hosts. The first of each organization is what the others bootstrap from, and its anchor.
func (n *network) openMembers() (anchors map[string][]string, err error) {
	anchors = map[string][]string{}
	for _, org := range n.material.orgs {
		for i := range n.options.Peers {
			p, err := newMember(n.material, org, i, n.options)
			if err != nil {
				return nil, err
			}
			p.bootstrap = anchors[org.MSPID]
			if err := n.open(p); err != nil {
				return nil, err
			}
			if i > 0 {
				continue
			}
			addr, err := p.address()
			if err != nil {
				return nil, err
			}
			anchors[org.MSPID] = []string{addr}
		}
	}
	return anchors, nil
}

// open starts a peer's host for the first time and adds the peer to the network.
func (n *network) open(p *member) error {
	if err := p.open(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.index = n.measures.add()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = append(n.members, p)
	return nil
}

func (n *network) startOrderer() (err error) {
	n.ledger, err = ledger.Open(filepath.Join(n.material.dir, "orderer"), ledger.Options{Log: n.options.Log})
	if err != nil {
		return err
	}
	n.orderer, err = orderer.New(orderer.Config{
		Genesis: n.genesis, Identity: n.material.signer, TLS: n.material.tls, Ledger: n.ledger,
		OnBlock: n.measures.block, Log: n.options.Log,
	})
	return err
}

// join joins every peer and watches its height in g.
func (n *network) join(ctx context.Context, g *errgroup.Group) error {
	for _, p := range n.all() {
		if err := n.start(ctx, g, p); err != nil {
			return err
		}
	}
	return nil
}

// start joins one peer and watches its height in g.
func (n *network) start(ctx context.Context, g *errgroup.Group, p *member) error {
	if err := p.join(ctx, n.genesis); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	run := p.running.Load()
	g.Go(func() error { return n.watch(ctx, p, run) })
	return nil
}

// watch notes when a peer has committed each block, until ctx ends, the peer is killed or its channel fails.
func (n *network) watch(ctx context.Context, p *member, run *process) error {
	for number := run.channel.Height(); ; number++ {
		if err := run.channel.WaitHeight(ctx, number+1); err != nil {
			if ctx.Err() != nil || p.running.Load() != run {
				return nil
			}
			return fmt.Errorf("%s: %w", p.name, err)
		}
		n.measures.committed(p.index, number, time.Now())
	}
}

// meet waits until every peer sees every other and each organization has a leader, or for a while.
func (n *network) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, errors.New("after 20 s not every peer sees every other, or an organization has no leader"))
	defer cancel()
	return until(ctx, func() bool {
		all := n.all()
		return len(n.leaders()) == len(n.material.orgs) &&
			!slices.ContainsFunc(all, func(p *member) bool { return p.status().Members < len(all)-1 })
	})
}

// until looks every few milliseconds until done, or until ctx ends, whose cause it returns then.
func until(ctx context.Context, done func() bool) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// all are the peers of the network, running or not.
func (n *network) all() []*member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.members)
}

// leaders are the peers that lead their organization now.
func (n *network) leaders() []*member {
	return slices.DeleteFunc(n.all(), func(p *member) bool { return !p.status().Leads })
}

// arrive waits until every peer has every block, or for a while: what is missing then is in the summary.
func (n *network) arrive(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, p := range n.all() {
		if run := p.running.Load(); run != nil {
			_ = run.channel.WaitHeight(ctx, n.orderer.Height()) // the summary counts what is missing
		}
	}
}

// close stops every peer: first all nodes, then the hosts that they stand on.
func (n *network) close() error {
	var errs []error
	var hosts []*process
	for _, p := range n.all() {
		if run := p.running.Load(); run != nil {
			errs = append(errs, run.node.Close())
			hosts = append(hosts, run)
		}
	}
	for _, run := range hosts {
		errs = append(errs, run.host.Close())
	}
	if n.client != nil {
		errs = append(errs, n.client.close())
	}
	return errors.Join(errs...)
}
