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
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/orderer"
	"golang.org/x/sync/errgroup"
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

// build starts the hosts, makes the genesis block that names the first peer of each organization as its anchor, and joins
// everybody. On an error what it started is closed.
func build(ctx context.Context, o Options, m *material) (n *network, err error) {
	n = &network{options: o, material: m, measures: newMeasures(o.Orgs * o.Peers)}
	if n.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the ordering service: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close(), n.listener.Close())
		}
	}()
	anchors, err := n.startMembers()
	if err != nil {
		return n, err
	}
	if n.genesis, err = m.genesis(o, n.listener.Addr(), anchors); err != nil {
		return n, err
	}
	return n, n.startOrderer()
}

func (n *network) startMembers() (anchors map[string][]string, err error) {
	anchors = map[string][]string{}
	for _, org := range n.material.orgs {
		for i := range n.options.Peers {
			p, err := newMember(n.material, org, i, n.size(), anchors[org.MSPID], n.options.Log)
			if err != nil {
				return nil, fmt.Errorf("start peer %d of %s: %w", i, org.Name, err)
			}
			n.members = append(n.members, p)
			if i == 0 {
				addr, err := p.address()
				if err != nil {
					return nil, err
				}
				anchors[org.MSPID] = []string{addr}
			}
		}
	}
	return anchors, nil
}

// size is how many peers there will be, the late joiner among them.
func (n *network) size() int { return n.options.Orgs*n.options.Peers + 1 }

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
	for i, p := range n.members {
		if err := p.join(ctx, n.genesis); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		g.Go(func() error { return n.watch(ctx, i, p) })
	}
	return nil
}

// watch notes when a peer has committed each block, until ctx ends or the peer's channel fails.
func (n *network) watch(ctx context.Context, index int, p *member) error {
	for number := uint64(1); ; number++ {
		if err := p.channel.WaitHeight(ctx, number+1); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("%s: %w", p.name, err)
		}
		n.measures.committed(index, number, time.Now())
	}
}

// meet waits until every peer sees every other, or for a while.
func (n *network) meet(ctx context.Context) error {
	limit := time.After(15 * time.Second)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if !slices.ContainsFunc(n.members, func(p *member) bool { return p.channel.Status().Members < len(n.members)-1 }) {
			return nil
		}
		select {
		case <-look.C:
		case <-limit:
			return errors.New("after 15 s not every peer sees every other")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// late starts one more peer of the first organization and lets it catch up.
func (n *network) late(ctx context.Context, g *errgroup.Group) error {
	first, err := n.members[0].address()
	if err != nil {
		return err
	}
	index, start := n.measures.add(), time.Now()
	n.measures.late(index)
	p, err := newMember(n.material, n.material.orgs[0], n.options.Peers, n.size(), []string{first}, n.options.Log)
	if err != nil {
		return fmt.Errorf("start the late joiner: %w", err)
	}
	err = p.join(ctx, n.genesis)
	n.mu.Lock()
	n.members = append(n.members, p)
	n.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	g.Go(func() error { return n.watch(ctx, index, p) })
	g.Go(func() error { return n.catchUp(ctx, index, p, start) })
	return nil
}

// catchUp waits until a late peer has what the ordering service has.
func (n *network) catchUp(ctx context.Context, index int, p *member, start time.Time) error {
	for height := n.orderer.Height(); p.channel.Height() < height; height = n.orderer.Height() {
		if err := p.channel.WaitHeight(ctx, height); err != nil {
			return nil // watch reports it
		}
	}
	n.measures.caughtUp(index, p.channel.Height(), time.Since(start))
	return nil
}

// arrive waits until every peer has every block, or for a while: what is missing then is in the summary.
func (n *network) arrive(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, p := range n.members {
		_ = p.channel.WaitHeight(ctx, n.orderer.Height()) // the summary counts what is missing
	}
}

// close stops every peer: first all nodes, then the hosts that they stand on.
func (n *network) close() error {
	var errs []error
	for _, p := range n.members {
		errs = append(errs, p.node.Close())
	}
	for _, p := range n.members {
		errs = append(errs, p.host.Close())
	}
	if n.client != nil {
		errs = append(errs, n.client.close())
	}
	return errors.Join(errs...)
}
