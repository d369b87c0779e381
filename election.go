// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/membership"
)

// giveUp is how long a source may fail, at most, before its leader counts as one that cannot pull: some retries, so that an
// orderer that restarts, or one of several that is gone, changes no leader.
const giveUp = 5 * time.Second

// elect makes the elector, which pulls whenever we are elected.
func (c *Channel) elect(j *joinConfig) (err error) {
	if c.patience = j.deliver.GiveUp; c.patience <= 0 || c.patience > giveUp {
		c.patience = giveUp
	}
	c.elector, err = leader.NewElector(leader.ElectorConfig{
		Channel: c.id, Timing: j.election, Input: c.electorate, Lead: c.pull, Look: c.puller.Look, Changed: c.elected,
		Metrics: c.node.leaders, Log: c.node.logger("leader"),
	})
	return err
}

// electorate is what the election decides upon: ourselves, and the living members of our organization in the channel.
// An identity stands once, whatever host keys it uses.
func (c *Channel) electorate() leader.Input {
	in := leader.Input{
		Self: c.node.ID(), Height: c.Height(), Highest: c.sync.VerifiedHeight(), CanPull: c.canPull(), Barred: c.unfit(),
		Joining: c.node.keeper.Joining(), Head: c.sync.Position().Head, Org: c.node.MSPID(),
	}
	if at := c.moved.Load(); at != nil {
		in.Moved = *at
	}
	for _, m := range membership.OnePerIdentity(c.tracker.Alive()) {
		key := m.Record.Identity().Key()
		switch {
		case m.MSPID == in.Org:
			in.Peers = append(in.Peers, leader.Candidate{
				ID: m.ID, Identity: string(key[:]), Height: m.State.Height, Leads: m.State.Leader, Near: c.node.org.near(m.ID), LastSeen: m.LastSeen,
			})
		case !slices.Contains(in.Orgs, m.MSPID):
			in.Orgs = append(in.Orgs, m.MSPID)
		}
	}
	return in
}

// canPull says whether the source works, has not been tried, or has not been failing for long.
func (c *Channel) canPull() bool {
	s := c.puller.Status()
	return s.State != leader.Failing || now().Sub(s.Since) < c.patience
}

// pull pulls while we lead, and has the election look at the source every second.
func (c *Channel) pull(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer cancel()
	looks.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.elector.Wake()
			}
		}
	})
	return c.puller.Run(ctx)
}

// elected hears that there is another leader, or that we begin or cease to lead: then others must hear it at once.
func (c *Channel) elected(_ peer.ID, lead bool) {
	if was := c.led.Swap(lead); was || lead {
		c.beacon.Urge()
		c.node.org.beacon.Urge()
	}
}

// joined hears that we have found somebody, or that nobody is where we were told to look.
func (n *Node) joined() {
	for _, c := range n.Channels() {
		c.reconsider()
	}
}

// reconsider tells the election that the view, or what we may do, has changed.
func (c *Channel) reconsider() {
	if c.elector != nil {
		c.elector.Wake()
	}
	select {
	case c.standing <- struct{}{}:
	default:
	}
}

// pullForever pulls as a static leader: until ctx ends, whenever our identity may act.
func (c *Channel) pullForever(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.pullWhileFit(ctx); err != nil {
			return err
		}
		for c.unfit() && ctx.Err() == nil {
			c.awaitStanding(ctx)
		}
	}
	return nil
}

func (c *Channel) pullWhileFit(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer cancel()
	looks.Go(func() {
		defer cancel()
		for !c.unfit() && ctx.Err() == nil {
			c.awaitStanding(ctx)
		}
	})
	return c.puller.Run(ctx)
}

// awaitStanding waits until what we may do may have changed.
func (c *Channel) awaitStanding(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-c.standing:
	}
}

// beat is how often we tell our organization that we lead the channel, 0 if we do not. Of several static leaders one is enough
// for those who elect.
func (c *Channel) beat() time.Duration {
	if !c.leads() || c.elector == nil && !c.foremost() {
		return 0
	}
	return c.leaderBeat
}

// foremost reports whether no other leader of our organization has a lower ID.
func (c *Channel) foremost() bool {
	for _, m := range c.tracker.Alive() {
		if m.State.Leader && m.MSPID == c.node.MSPID() && m.ID < c.node.ID() {
			return false
		}
	}
	return true
}

// announces says whether we are the one of our organization's leaders that announces blocks; the others make up for it.
func (c *Channel) announces() bool {
	return c.elector == nil || c.elector.Decision().First
}

// leads says whether we pull from the ordering service now.
func (c *Channel) leads() bool {
	if c.elector != nil {
		return c.elector.Leads()
	}
	return c.puller != nil && !c.unfit()
}
