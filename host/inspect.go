// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// maxRemotes is how many peers the guard remembers subscriptions and early grafts of; the least recently heard goes
	// first. It bounds memory to about 50 MB when all of them are hostile.
	maxRemotes = 1024
	// maxSubscriptions bounds the weft topics of one peer: its organization and its channels. Fabric peers have tens.
	maxSubscriptions = 512
	// maxTopicLength is above every weft topic: the prefix and 32 letters.
	maxTopicLength = 64
)

// remote is what the guard remembers of one peer.
type remote struct {
	subscribed map[string]struct{} // weft topics it told us of
	grafts     map[string]struct{} // those it grafted before it was allowed there
}

// inspect is pubsub's RPC inspector. It takes out of an RPC what its sender may not say on a weft topic, and lets the rest
// go on. Subscriptions stay, whoever sends them: a peer tells them once per stream, mostly before it is authenticated.
//
// IWANT stays as well: it names messages and no topic, so emptying it would hurt topics that are not ours, and gossipsub
// puts each message that it is about to hand out to the peer filter. IDONTWANT can only keep things from its sender.
func (g *Guard) inspect(from peer.ID, rpc *pubsub.RPC) error {
	g.capSubscriptions(from, rpc)
	shut := func(topic string) bool { return guarded(topic) && !g.permits(from, topic) }
	rpc.Publish = slices.DeleteFunc(rpc.Publish, func(m *pb.Message) bool { return shut(m.GetTopic()) })
	if rpc.Partial != nil && shut(rpc.Partial.GetTopicID()) {
		rpc.Partial = nil
	}
	g.inspectControl(from, rpc, shut)
	return nil
}

func (g *Guard) inspectControl(from peer.ID, rpc *pubsub.RPC, shut func(string) bool) {
	g.replayGrafts(from, rpc, shut)
	ctl := rpc.Control
	if ctl == nil {
		return
	}
	ctl.Ihave = slices.DeleteFunc(ctl.Ihave, func(c *pb.ControlIHave) bool { return shut(c.GetTopicID()) })
	ctl.Graft = slices.DeleteFunc(ctl.Graft, func(c *pb.ControlGraft) bool {
		out := shut(c.GetTopicID())
		if out {
			g.keepGraft(from, c.GetTopicID())
		}
		return out
	})
	for _, c := range ctl.Prune { // a prune only takes its sender out, but the peers in it would be dialed
		if guarded(c.GetTopicID()) {
			c.Peers = nil
			g.dropGraft(from, c.GetTopicID())
		}
	}
}

// keepGraft remembers a graft that came too early, as it does when the other end authenticated us before we did it: the
// sender counts us in its mesh from then on and never asks again, so we would stay out of its mesh one way.
func (g *Guard) keepGraft(from peer.ID, topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.remotes.Get(from); ok {
		if _, ok := r.subscribed[topic]; ok { // so no more of them than of subscriptions
			r.grafts[topic] = struct{}{}
		}
	}
}

func (g *Guard) dropGraft(from peer.ID, topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r, ok := g.remotes.Get(from); ok {
		delete(r.grafts, topic)
	}
}

// replayGrafts adds the grafts that came too early and are allowed now to the next RPC of their sender.
func (g *Guard) replayGrafts(from peer.ID, rpc *pubsub.RPC, shut func(string) bool) {
	for _, topic := range g.earlyGrafts(from) {
		if shut(topic) {
			continue
		}
		g.dropGraft(from, topic)
		if rpc.Control == nil {
			rpc.Control = &pb.ControlMessage{}
		}
		rpc.Control.Graft = append(rpc.Control.Graft, &pb.ControlGraft{TopicID: &topic})
	}
}

func (g *Guard) earlyGrafts(from peer.ID) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.remotes.Get(from)
	if !ok || len(r.grafts) == 0 {
		return nil
	}
	topics := make([]string, 0, len(r.grafts))
	for topic := range r.grafts {
		topics = append(topics, topic)
	}
	return topics
}

// capSubscriptions takes out the subscriptions to weft topics that are beyond what one peer may have.
func (g *Guard) capSubscriptions(from peer.ID, rpc *pubsub.RPC) {
	rpc.Subscriptions = slices.DeleteFunc(rpc.Subscriptions, func(s *pb.RPC_SubOpts) bool {
		return guarded(s.GetTopicid()) && !g.subscription(from, s.GetTopicid(), s.GetSubscribe())
	})
}

// subscription notes that a peer subscribes to a topic or leaves it, and says whether pubsub may hear of it.
func (g *Guard) subscription(from peer.ID, topic string, subscribe bool) bool {
	if len(topic) > maxTopicLength {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok := g.remotes.Get(from)
	if !ok {
		r = &remote{subscribed: make(map[string]struct{}), grafts: make(map[string]struct{})}
		g.remotes.Add(from, r)
	}
	if !subscribe {
		delete(r.subscribed, topic)
		delete(r.grafts, topic)
		return true
	}
	if _, known := r.subscribed[topic]; !known && len(r.subscribed) >= maxSubscriptions {
		return false
	}
	r.subscribed[topic] = struct{}{}
	return true
}
