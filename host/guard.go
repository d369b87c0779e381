// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// TopicPrefix begins the name of every weft topic, and of no other.
const TopicPrefix = "/weft/1/"

// ErrAttached says that the guard serves another node already.
var ErrAttached = errors.New("host: guard is attached to another node; give each node a pubsub and a guard of its own")

// Guard keeps the weft topics of one pubsub closed to everybody whom its node did not allow. Its options are given to the
// pubsub when it is built, its judgement is given later by Attach; until then, and again after detach, nobody is allowed.
//
// It works on topics that begin with [TopicPrefix] and on no others. A guard belongs to one pubsub. Safe for concurrent use.
type Guard struct {
	mu      sync.Mutex // guards the fields below; never held while calling out
	owner   *node
	granted map[grant]struct{}
	remotes *simplelru.LRU[peer.ID, *remote]
}

// node is what one Attach brought.
type node struct {
	allow  func(peer.ID, string) bool
	speaks func(peer.ID) bool
}

// grant is a peer that the filter let into a topic, so that pubsub may be sending it what is said there.
type grant struct {
	id    peer.ID
	topic string
}

// NewGuard returns a guard that allows nobody yet.
func NewGuard() *Guard {
	remotes, _ := simplelru.NewLRU[peer.ID, *remote](maxRemotes, nil) // fails for a size below one only
	return &Guard{granted: make(map[grant]struct{}), remotes: remotes}
}

// PubSubOptions are to be given to pubsub.NewGossipSub, after the caller's own options. Besides the filter and the
// inspector they offer gossipsub v1.2 and v1.3 only and turn flood publishing off, for all topics of that pubsub: floodsub
// and flood publishing send to every subscriber, past any filter.
func (g *Guard) PubSubOptions() []pubsub.Option {
	return []pubsub.Option{
		pubsub.WithPeerFilter(g.filter),
		pubsub.WithAppSpecificRpcInspector(g.inspect),
		pubsub.WithGossipSubProtocols([]protocol.ID{pubsub.GossipSubID_v13, pubsub.GossipSubID_v12}, meshOnly),
		pubsub.WithFloodPublish(false),
	}
}

// Attach makes the node's judgement the guard's: allow says who may read and write a weft topic, speaks who is
// authenticated at all. Both are called from pubsub's event loop, often, and from Recheck: they must be fast, must not
// block and must not call pubsub. Nobody passes whom speaks turns down. Attach returns [ErrAttached] when the guard is
// attached already.
//
// After detach the guard allows nobody; call it when the node's topics are left, and then [Guard.Recheck].
func (g *Guard) Attach(allow func(id peer.ID, topic string) bool, speaks func(peer.ID) bool) (detach func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owner != nil {
		return nil, ErrAttached
	}
	me := &node{allow: allow, speaks: speaks}
	g.owner = me
	return func() { g.detach(me) }, nil
}

func (g *Guard) detach(n *node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owner == n {
		g.owner = nil
	}
}

// Recheck ends what no longer holds. gossipsub asks its filter only when it takes a peer in, so a peer that was let into a
// topic and is not allowed there any more would go on receiving. Recheck resets the pubsub streams of such peers on h;
// pubsub opens them again, says hello again, and this time the filter keeps the peer out. Call it whenever permissions
// may have shrunk: a peer was refused, a channel's configuration changed, the guard was detached. pubsub gives up opening
// streams to a peer that lost them five times within ten minutes, until it connects again.
func (g *Guard) Recheck(h host.Host) {
	for id := range g.revoked() {
		Sever(h, id, pubsub.GossipSubID_v13, pubsub.GossipSubID_v12)
	}
}

// revoked forgets the grants that no longer hold and returns their peers.
func (g *Guard) revoked() map[peer.ID]struct{} {
	g.mu.Lock()
	held := make([]grant, 0, len(g.granted))
	for gr := range g.granted {
		held = append(held, gr)
	}
	g.mu.Unlock()

	out := make(map[peer.ID]struct{})
	for _, gr := range held {
		if !g.permits(gr.id, gr.topic) {
			out[gr.id] = struct{}{}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, gr := range held {
		if _, gone := out[gr.id]; gone {
			delete(g.granted, gr)
		}
	}
	return out
}

// filter is pubsub's peer filter: may this peer be sent what is said on the topic?
func (g *Guard) filter(id peer.ID, topic string) bool {
	if !guarded(topic) {
		return true
	}
	if !g.permits(id, topic) {
		return false
	}
	g.mu.Lock()
	g.granted[grant{id, topic}] = struct{}{}
	g.mu.Unlock()
	return g.permits(id, topic) // a Recheck may have come between the answer and the note of it
}

// permits asks the node about a weft topic.
func (g *Guard) permits(id peer.ID, topic string) bool {
	g.mu.Lock()
	n := g.owner
	g.mu.Unlock()
	return n != nil && n.speaks(id) && n.allow(id, topic)
}

// knows says whether the node authenticated the peer.
func (g *Guard) knows(id peer.ID) bool {
	g.mu.Lock()
	n := g.owner
	g.mu.Unlock()
	return n != nil && n.speaks(id)
}

func guarded(topic string) bool { return strings.HasPrefix(topic, TopicPrefix) }

// meshOnly says which features a protocol has. gossipsub takes a peer for a floodsub one, and sends it everything past the
// filter, while it has not got a stream to it: a peer that subscribes and then holds up our stream's negotiation would
// find all of it in the queue. Nobody here speaks floodsub, so everybody is a mesh peer, at any time.
func meshOnly(f pubsub.GossipSubFeature, id protocol.ID) bool {
	return f == pubsub.GossipSubFeatureMesh || pubsub.GossipSubDefaultFeatures(f, id)
}
