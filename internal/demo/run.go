// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/internal/devnet"
)

// ErrIncomplete says that not every peer held every block at the end, or not the same.
var ErrIncomplete = errors.New("demo: not every peer holds every block with the same head")

// Run runs the demo until every block is everywhere, and prints what happens. It returns nil only if every peer holds every
// block with the same head hash. It leaves nothing behind. When ctx ends it stops within seconds.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := os.MkdirTemp("", "weft-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := newMaterial(o, dir)
	if err != nil {
		return err
	}
	n, err := build(o, m)
	if err != nil {
		return err
	}
	return n.run(ctx, newScreen(n))
}

// run orders everything and shows it. Nothing runs any more when it returns: first the peers stop, so that none of them
// misses another or the ordering service, then the ordering service.
func (n *network) run(ctx context.Context, s *screen) error {
	serve, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, running := errgroup.WithContext(serve)
	g.Go(func() error { return n.orderer.Serve(running, n.listener) })
	playing, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(running, cancel)() // the ordering service failed
	watchers, watching := errgroup.WithContext(playing)
	err := n.play(watching, watchers, s)
	cancel()
	failed := watchers.Wait()
	closed := n.close()
	stop()
	served := errors.Join(g.Wait(), n.ledger.Close())
	if served != nil {
		return served
	}
	if failed != nil {
		return failed
	}
	return errors.Join(err, closed)
}

func (n *network) play(ctx context.Context, g *errgroup.Group, s *screen) error {
	s.begin()
	if err := n.join(ctx, g); err != nil {
		return err
	}
	if err := n.meet(ctx); err != nil {
		return err
	}
	s.met()
	show, hide := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() { s.follow(show) })
	shown.Go(func() { n.reign(show) })
	err := n.order(ctx, newScript(n, s, g), s)
	if err == nil {
		n.arrive(ctx)
	}
	hide()
	shown.Wait()
	if err != nil {
		return err
	}
	return s.end()
}

// reign counts the changes of leaders until ctx ends. While two lead an organization, as after a peer that was cut off and
// elected itself has come back, none has changed yet.
func (n *network) reign(ctx context.Context) {
	last := map[*devnet.Org]*member{}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		leading := map[*devnet.Org][]*member{}
		for _, p := range n.leaders() {
			if !p.gate.shut.Load() {
				leading[p.org] = append(leading[p.org], p)
			}
		}
		for org, some := range leading {
			if len(some) > 1 || last[org] == some[0] {
				continue
			}
			if last[org] != nil {
				n.measures.changed()
			}
			last[org] = some[0]
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// order sends the transactions, a block's worth every interval, while the script plays.
func (n *network) order(ctx context.Context, c *script, s *screen) error {
	load, err := n.load()
	if err != nil {
		return err
	}
	s.total = load.total
	tick := time.NewTicker(time.Duration(float64(time.Second) / n.options.Rate))
	defer tick.Stop()
	for i := 0; ; i++ {
		txs, err := load.next()
		if err != nil {
			return err
		}
		if len(txs) == 0 {
			return errors.Join(c.play(ctx, 1), n.flush(ctx))
		}
		if err := c.play(ctx, float64(i)/float64(load.total)); err != nil {
			return err
		}
		for _, tx := range txs {
			if err := n.client.send(ctx, tx); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// flush makes a block of what is left.
func (n *network) flush(ctx context.Context) error {
	_, err := n.orderer.Cut(ctx)
	return err
}

// load is what the options say is to be ordered.
func (n *network) load() (*load, error) {
	var err error
	if n.client, err = newClient(n.listener.Addr().String(), n.material); err != nil {
		return nil, err
	}
	if r := n.material.recorded; r != nil {
		return recordedLoad(r, int(n.orderer.Bundle().BatchSize().MaxMessageCount)), nil
	}
	return randomLoad(n.options, n.material)
}
