// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/topics"
)

// organization is our own organization: its topic, on which all its members tell each other where they are and how far each
// of their channels is, and the view that comes of it.
type organization struct {
	node    *Node
	topic   *topics.Topic
	tracker *membership.Tracker
	beacon  *membership.Beacon
}

func newOrganization(n *Node) (o *organization, err error) {
	o = &organization{node: n}
	o.topic = topics.New(topics.Config{
		Accounts: n.accounts, Host: n.host, PubSub: n.pubsub, Log: n.logger("topics"),
		Name:  topics.Name(topics.Organization, n.MSPID(), n.secret()),
		Judge: o.judge, Members: o.members, Allow: func(id peer.ID) bool { return n.allows(id, o.topic.Name) }, Neighbour: func(peer.ID) { o.beacon.Poke() }, Greeting: greeting,
	})
	o.tracker, err = membership.NewTracker(membership.TrackerConfig{
		View:    membership.ViewConfig{Self: n.ID(), Timing: n.timing},
		Channel: n.MSPID(), Metrics: n.views, Log: n.logger("membership"),
		OnChange: o.membersChanged,
	})
	if err != nil {
		return nil, err
	}
	o.beacon, err = membership.NewBeacon(membership.BeaconConfig{
		Scope: o.topic.Name, Interval: n.timing.AliveInterval, Pace: o.pace, Sequence: &n.sequence,
		Compose: o.compose, Publish: o.topic.Publish, Record: n.myRecord, Signer: n.signer, Log: n.logger("membership"),
	})
	return o, err
}

func (o *organization) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{o.topic.Run, o.tracker.Run, o.beacon.Run} {
		g.Go(func() error { return run(ctx) })
	}
	return g.Wait()
}

// compose is what we tell our organization: our internal addresses and all our channels.
func (o *organization) compose() ([]ma.Multiaddr, []membership.ChannelState) {
	var states []membership.ChannelState
	for _, c := range o.node.Channels() {
		if !c.leaving.Load() {
			states = append(states, c.state())
		}
	}
	if o.node.internal != nil {
		return o.node.internal, states
	}
	addrs, err := o.node.host.Network().InterfaceListenAddresses()
	if err != nil || len(addrs) == 0 {
		addrs = o.node.host.Addrs()
	}
	return addrs, states
}

// pace is how often we beat: as long as we lead somewhere, and somebody is there, often enough to be missed soon.
func (o *organization) pace() time.Duration {
	living, _ := o.tracker.Count()
	every := o.node.timing.Pace(living)
	if living == 0 {
		return every
	}
	for _, c := range o.node.Channels() {
		if beat := c.beat(); beat > 0 {
			every = min(every, beat)
		}
	}
	return every
}

// near reports whether a member is heard on the topic.
func (o *organization) near(id peer.ID) bool {
	m, _ := o.tracker.Find(id)
	return m.Alive
}

// members are the peers of our organization that we are connected to.
func (o *organization) members() []peer.ID { return o.node.connected(o.topic.Name) }

// judge gives the verdict on a heartbeat of a member of our organization.
func (o *organization) judge(from peer.ID, data []byte) topics.Verdict {
	n := o.node
	h, verdict := n.openHeartbeat(o.topic.Name, data)
	if h == nil {
		return verdict
	}
	if n.ours(h.Record.Identity()) != nil {
		return topics.Ignore
	}
	change := o.tracker.Observe(membership.Organization, h)
	for _, c := range n.Channels() {
		c.heard(membership.Organization, h)
	}
	if !change.Kind.Fresh() {
		return topics.Ignore
	}
	switch {
	case change.Kind.Arrived():
		n.introduce(o.topic, from, h, n.complete(data))
	case o.young(h):
		n.introduce(o.topic, from, h, data)
	}
	return topics.Accept
}

// membersChanged hears of changes in the view.
func (o *organization) membersChanged(changes []membership.Change) {
	if slices.ContainsFunc(changes, func(c membership.Change) bool { return c.Kind.Arrived() }) {
		o.beacon.Poke()
	}
	o.node.want()
}

// connected are the peers that we are connected to and that may read a topic.
func (n *Node) connected(topic string) []peer.ID {
	var ids []peer.ID
	for _, id := range n.host.Network().Peers() {
		if n.allows(id, topic) {
			ids = append(ids, id)
		}
	}
	return ids
}

// openHeartbeat opens a sealed heartbeat; nil and a verdict if it cannot be.
func (n *Node) openHeartbeat(topic string, data []byte) (*membership.Heartbeat, topics.Verdict) {
	if len(data) > membership.MaxMessage {
		return nil, topics.Reject
	}
	sealed, err := n.records.Unseal(membership.Purpose, topic, data, now())
	if err != nil {
		return nil, topics.Unsealed(err)
	}
	h, err := membership.DecodeHeartbeat(sealed)
	if err != nil {
		return nil, topics.Reject
	}
	return h, topics.Accept
}

// greeting is how long new members get heartbeats on streams besides: two of gossipsub's own heartbeats, which make meshes.
const greeting = 2 * time.Second

// young is how many heartbeats of a node that has started are passed on to those who are not on the topic, so that it meets
// them: one would do, but whoever hears it may not have authenticated us yet, or not have joined the channel.
const young = 32

// introducers is how many of those who hear a young member pass on each of its heartbeats, about, and other ones each time: if all of a
// hundred did, that would be more than they can read.
const introducers = 16

// introduces says whether a young member's heartbeat is ours to pass on, among so many who hear it.
func introduces(self, author peer.ID, sequence uint64, living int) bool {
	if sequence > young || living <= introducers {
		return sequence <= young
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(self+author), sequence))
	return uint64(binary.BigEndian.Uint32(sum[:]))*uint64(living)>>32 < introducers
}

// young says whether a heartbeat on our organization's topic is one that we pass on.
func (o *organization) young(h *membership.Heartbeat) bool {
	living, _ := o.tracker.Count()
	return introduces(o.node.ID(), h.Record.PeerID(), h.Sequence, living)
}

// complete is a heartbeat with the whole record: who is introduced to somebody may be unknown to them.
func (n *Node) complete(data []byte) []byte {
	whole, err := n.records.Complete(data)
	if err != nil { // it has been unsealed
		return data
	}
	return whole
}

// introduce passes on the heartbeat of a member that was not here before.
func (n *Node) introduce(on *topics.Topic, from peer.ID, h *membership.Heartbeat, data []byte) {
	author := ownerOf(h.Record.Identity())
	if err := on.Introduce(context.Background(), from, author, data); err != nil { // which does not block
		n.log.Debug("heartbeat not passed on", "topic", on.Name, "err", err)
	}
}
