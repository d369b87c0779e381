// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/leader"
)

// script is what happens to the network while blocks are ordered: a peer is cut off and comes back, one joins late, a leader
// is killed and comes back.
type script struct {
	n     *network
	s     *screen
	g     *errgroup.Group
	steps []step

	cut, killed *member
	failover    chan error // the successor of the killed leader pulls, or does not
}

// step happens when a share of the blocks has been ordered.
type step struct {
	at float64
	do func(ctx context.Context) error
}

func newScript(n *network, s *screen, g *errgroup.Group) *script {
	c := &script{n: n, s: s, g: g, failover: make(chan error, 1)}
	c.steps = []step{{0.2, c.cutOff}, {0.4, c.mend}, {0.5, c.late}, {0.6, c.kill}, {0.8, c.restart}}
	return c
}

// play does what is due when the given share of the blocks has been ordered.
func (c *script) play(ctx context.Context, share float64) error {
	for len(c.steps) > 0 && c.steps[0].at <= share {
		due := c.steps[0]
		c.steps = c.steps[1:]
		if err := due.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cutOff cuts a peer that does not lead off from everybody, if there is one.
func (c *script) cutOff(context.Context) error {
	followers := slices.DeleteFunc(c.n.all(), func(p *member) bool { return p.status().Leads })
	if len(followers) == 0 {
		return nil
	}
	c.cut = followers[len(followers)-1]
	c.n.measures.down(c.cut.index)
	c.cut.gate.cut(c.cut.running.Load().host)
	c.s.say("%s is cut off at block %d", c.cut.name, c.cut.status().Height-1)
	return nil
}

// mend connects the peer that was cut off again.
func (c *script) mend(ctx context.Context) error {
	if c.cut == nil {
		return nil
	}
	c.cut.gate.mend()
	missed := c.n.orderer.Height() - c.cut.status().Height
	c.n.measures.repaired(int(missed))
	c.s.say("%s is back, and has missed %d blocks", c.cut.name, missed)
	c.g.Go(func() error { return c.n.catchUp(ctx, c.cut, nil) })
	return nil
}

// late starts one more peer of the first organization and lets it catch up.
func (c *script) late(ctx context.Context) error {
	n, start := c.n, time.Now()
	p, err := newMember(n.material, n.material.orgs[0], n.options.Peers, n.options)
	if err != nil {
		return fmt.Errorf("enroll the late joiner: %w", err)
	}
	first, err := n.members[0].address()
	if err != nil {
		return err
	}
	p.bootstrap = []string{first}
	if err := n.open(p); err != nil {
		return err
	}
	n.measures.down(p.index)
	if err := n.start(ctx, c.g, p); err != nil {
		return err
	}
	c.s.say("%s joins late, with the genesis block alone", p.name)
	c.g.Go(func() error {
		return n.catchUp(ctx, p, func(blocks uint64) { n.measures.joined(blocks, time.Since(start)) })
	})
	return nil
}

// kill kills the leader of the first organization, and measures until another one has a stream from the ordering service.
func (c *script) kill(ctx context.Context) error {
	org := c.n.material.orgs[0]
	i := slices.IndexFunc(c.n.leaders(), func(p *member) bool { return p.org == org })
	if i < 0 {
		return fmt.Errorf("demo: %s has no leader to kill", org.Name)
	}
	c.killed = c.n.leaders()[i]
	c.n.measures.down(c.killed.index)
	c.s.say("%s, the leader of %s, is killed at block %d", c.killed.name, org.Name, c.killed.status().Height-1)
	start := time.Now()
	if err := c.killed.kill(); err != nil {
		return err
	}
	c.g.Go(func() error {
		c.failover <- c.succeeded(ctx, start)
		return nil
	})
	return nil
}

// errNoSuccessor says that nobody took over from the killed leader.
var errNoSuccessor = errors.New("demo: nobody pulls for the organization 30 s after its leader was killed")

// succeeded waits for the successor of the killed leader.
func (c *script) succeeded(ctx context.Context, start time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errNoSuccessor)
	defer cancel()
	return until(ctx, func() bool {
		for _, p := range c.n.all() {
			s := p.status()
			if p.org == c.killed.org && s.Leads && s.Source.Endpoint != "" && s.Source.State != leader.Idle {
				took := time.Since(start)
				c.n.measures.failedOver(took)
				c.s.say("%s pulls for %s, %.0f ms after its leader was killed", p.name, p.org.Name, millis(took))
				return true
			}
		}
		return false
	})
}

// restart starts the killed leader again, once somebody has taken over.
func (c *script) restart(ctx context.Context) error {
	if err := <-c.failover; err != nil {
		return err
	}
	p := c.killed
	if err := p.open(); err != nil {
		return fmt.Errorf("start %s again: %w", p.name, err)
	}
	if err := c.n.start(ctx, c.g, p); err != nil {
		return err
	}
	missed := c.n.orderer.Height() - p.status().Height
	c.n.measures.repaired(int(missed))
	c.s.say("%s starts again, and has missed %d blocks", p.name, missed)
	c.g.Go(func() error { return c.n.catchUp(ctx, p, nil) })
	return nil
}

// catchUp waits until a peer has what the ordering service has; from then on it counts as up.
func (n *network) catchUp(ctx context.Context, p *member, caught func(blocks uint64)) error {
	run := p.running.Load()
	if run == nil {
		return nil // killed meanwhile
	}
	for height := n.orderer.Height(); run.channel.Height() < height; height = n.orderer.Height() {
		if err := run.channel.WaitHeight(ctx, height); err != nil {
			return nil // watch reports it
		}
	}
	height := run.channel.Height()
	n.measures.up(p.index, height)
	if caught != nil {
		caught(height - 1)
	}
	return nil
}
