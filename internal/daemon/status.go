// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/leader"
)

// status is where a channel stands.
func (c *channels) status(id string, e entry) admin.Status {
	s := admin.Status{Channel: id, State: admin.Running, Mode: c.daemon.core.LeaderMode().String(), Peers: []admin.Peer{}}
	if err := e.stopped(); err != nil {
		s.State, s.Error = admin.Stopped, err.Error()
	}
	if e.channel == nil {
		return s
	}
	at := e.channel.Status()
	s.Height, s.Highest, s.Lag = at.Height, at.Highest, at.Highest-min(at.Height, at.Highest)
	s.Config, s.CurrentBlockHash, s.Leads = at.Config, at.Head, at.Leads
	s.Intake, s.Delivery = intake(at.Intake), delivery(at.Delivery)
	if s.State == admin.Stopped {
		return s
	}
	s.PreviousBlockHash = previous(e.channel, at.Height)
	if at.Leads {
		s.Source = source(at.Source)
	}
	if leader, ok := e.channel.Leader(); ok {
		s.Leader = leader.String()
	}
	flows := c.daemon.node.Flows()
	for _, m := range e.channel.Members() {
		p := c.daemon.describe(id, m)
		p.Flow = flow(flows, m.ID)
		s.Peers = append(s.Peers, p)
	}
	return s
}

// previous is the previous hash in the header of the last block, nil when that is the genesis block or was not read.
func previous(c *weft.Channel, height uint64) []byte {
	b, err := read(context.Background(), c, height-1) // it is committed: nothing to wait for
	if err != nil {
		return nil
	}
	return b.GetHeader().GetPreviousHash()
}

func intake(i weft.Intake) admin.Intake {
	return admin.Intake{
		Orderer: i.Of[weft.FromOrderer], Organization: i.Of[weft.FromOrganization], Others: i.Of[weft.FromOthers],
		Last: string(i.Last), Why: i.Why,
	}
}

func delivery(d weft.Delivery) admin.Delivery {
	out := admin.Delivery{
		Blocks: d.Blocks, Spread: times(d.Spread), Age: times(d.Age), Copies: d.Copies(),
		Relayed: d.Relayed, Complete: times(d.Complete), Distance: admin.Distance(d.Distance),
		Received: map[string]uint64{}, Repaired: map[string]uint64{},
	}
	for way, bytes := range d.Received {
		out.Received[string(way)] = bytes
	}
	for why, blocks := range d.Repaired {
		out.Repaired[string(why)] = blocks
	}
	return out
}

func times(t weft.Times) admin.Times {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return admin.Times{Median: ms(t.Median), Worst: ms(t.Worst)}
}

func flow(all map[peer.ID]weft.Flow, id peer.ID) *admin.Flow {
	f, ok := all[id]
	if !ok {
		return nil
	}
	return &admin.Flow{In: f.InRate, Out: f.OutRate, Received: f.In, Sent: f.Out}
}

func source(s leader.Status) *admin.Source {
	out := &admin.Source{State: s.State.String(), Since: s.Since, Endpoint: s.Endpoint, Failures: s.Failures, Blocks: s.Blocks}
	if s.LastErr != nil {
		out.Error = s.LastErr.Error()
	}
	return out
}

// describe tells what is known of a member of a channel.
func (d *Daemon) describe(channel string, m weft.Member) admin.Peer {
	p := admin.Peer{
		ID: m.ID.String(), MSPID: m.MSPID, Expires: m.Record.Identity().ExpiresAt(), Alive: m.Alive, Connected: d.connected(m.ID), LastSeen: m.LastSeen,
		Channels: []admin.Membership{{Channel: channel, Height: m.State.Height, Leader: m.State.Leader}},
	}
	for _, a := range m.Addrs {
		p.Addresses = append(p.Addresses, a.String())
	}
	return p
}

func (d *Daemon) connected(id peer.ID) bool {
	return d.host.Network().Connectedness(id) == network.Connected
}

// self is this node.
func (d *Daemon) self() admin.Peer {
	p := admin.Peer{ID: d.node.ID().String(), MSPID: d.node.MSPID(), Expires: d.node.Expires(), Self: true, Alive: true}
	for _, c := range d.node.Channels() {
		s := c.Status()
		p.Channels = append(p.Channels, admin.Membership{Channel: s.Channel, Height: s.Height, Leader: s.Leads})
	}
	return p
}

// peers are this node, and then the members of all channels and whoever else is connected, sorted by ID.
func (d *Daemon) peers() []admin.Peer {
	by, flows := map[string]admin.Peer{}, d.node.Flows()
	for _, c := range d.node.Channels() {
		for _, m := range c.Members() {
			p := d.describe(c.ID(), m)
			p.Flow = flow(flows, m.ID)
			if known, ok := by[p.ID]; ok {
				p = merge(known, p)
			}
			by[p.ID] = p
		}
	}
	for _, id := range d.host.Network().Peers() {
		if _, ok := by[id.String()]; !ok {
			by[id.String()] = admin.Peer{ID: id.String(), Connected: true}
		}
	}
	all := slices.AppendSeq(make([]admin.Peer, 0, len(by)), maps.Values(by))
	slices.SortFunc(all, func(a, b admin.Peer) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Insert(all, 0, d.self())
}

// merge joins what two channels know of one peer.
func merge(a, b admin.Peer) admin.Peer {
	if b.LastSeen.After(a.LastSeen) {
		a.LastSeen, a.Addresses = b.LastSeen, b.Addresses
	}
	a.Alive = a.Alive || b.Alive
	a.Channels = append(a.Channels, b.Channels...)
	return a
}
