// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// queue replaces pubsub's 32 in its outbound and validation queues: pubsub drops silently when one is full, and a burst
	// of 200 small messages left 32 of them (measured). Messages are at most 1 MiB and mostly 1 to 10 KiB.
	queue = 1024
	// gossipFloor is the score below which gossipsub neither tells a peer what messages there are nor hears of theirs.
	gossipFloor = -10
	strange     = 10 * gossipFloor
	// seen is for how long pubsub knows a message again, and keeps accounts of who brought it. A repeated one is old to weft's
	// validators whenever it comes, and is not passed on.
	seen = 30 * time.Second
)

// newPubSub builds the guarded gossipsub of our own host. Messages carry no author and no signature of pubsub's: weft's
// are signed with MSP keys, or prove themselves. Peer exchange is off; it would hand addresses to anyone.
func newPubSub(ctx context.Context, h host.Host, g *Guard, cfg Config) (*pubsub.PubSub, error) {
	limit := cfg.MaxMessage
	if limit == 0 {
		limit = pubsub.DefaultMaxMessageSize
	}
	ours := []pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMaxMessageSize(limit),
		pubsub.WithValidateQueueSize(queue),
		pubsub.WithPeerOutboundQueueSize(queue),
		pubsub.WithPeerExchange(false),
		pubsub.WithSubscriptionFilter(weftOnly{}),
		pubsub.WithPeerScore(scores(g)),
		pubsub.WithSeenMessagesTTL(seen),
	}
	params, err := meshOf(cmp.Or(cfg.Degree, defaultDegree))
	if err != nil {
		return nil, err
	}
	ours = append(ours, pubsub.WithGossipSubParams(params))
	return pubsub.NewGossipSub(ctx, h, slices.Concat(ours, cfg.PubSubOptions, g.PubSubOptions())...)
}

// MinDegree is the least degree of a mesh that holds together: of random networks in which everybody has two neighbours most
// fall into rings, with three hardly any do. MaxDegree is where a message costs its publisher what a full mesh would.
const MinDegree, MaxDegree = 3, 64

// defaultDegree is below gossipsub's 6: what goes over the topics are heartbeats, that come again, and announcements of which
// most members have heard otherwise.
const defaultDegree = 4

// idle is what nobody needs to say: messages on our topics have a few KB at most, so that an IDONTWANT costs as much as it
// spares, and a member without a neighbour for a second is offered what it missed by four others.
const (
	lazy          = 4
	lazyShare     = 0.05
	dontWantAbove = 16 << 10
)

// meshOf are gossipsub's parameters for a degree: one less to two more neighbours, of which two thirds are
// kept for their score and a third because we dialed them (gossipsub v1.1, "Parameters"). Its default keeps up to twice as many.
func meshOf(degree int) (pubsub.GossipSubParams, error) {
	if degree < MinDegree || degree > MaxDegree {
		return pubsub.GossipSubParams{}, fmt.Errorf("host: Config.Degree is %d, want %d to %d, or 0 for the default", degree, MinDegree, MaxDegree)
	}
	params := pubsub.DefaultGossipSubParams()
	params.D, params.Dlo, params.Dhi = degree, degree-1, degree+2
	params.Dlazy, params.GossipFactor, params.IDontWantMessageThreshold = lazy, lazyShare, dontWantAbove
	params.Dscore, params.Dout = degree*2/3, min(degree/3, degree/2-1)
	return params, nil
}

// scores puts strangers below what gossipsub gossips with, and does nothing else: gossipsub offers the IDs of recent
// messages to every subscriber without asking its peer filter, and takes a peer out of its mesh when its score turns
// negative. There are only weft topics on our own host, so nobody else's traffic suffers.
func scores(g *Guard) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	params := &pubsub.PeerScoreParams{
		SkipAtomicValidation: true,
		AppSpecificScore: func(id peer.ID) float64 {
			if g.knows(id) {
				return 0
			}
			return strange
		},
		AppSpecificWeight: 1,
		DecayInterval:     time.Second,
		DecayToZero:       0.01,
		SeenMsgTTL:        seen,
	}
	thresholds := &pubsub.PeerScoreThresholds{
		SkipAtomicValidation: true,
		GossipThreshold:      gossipFloor,
		PublishThreshold:     10 * strange,
		GraylistThreshold:    100 * strange, // never: a graylisted peer's hello is lost for good
	}
	return params, thresholds
}

// weftOnly is a subscription filter: on our own host nobody needs to tell us of other topics.
type weftOnly struct{}

func (weftOnly) CanSubscribe(topic string) bool { return guarded(topic) }

func (f weftOnly) FilterIncomingSubscriptions(_ peer.ID, subs []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	return pubsub.FilterSubscriptions(subs, f.CanSubscribe), nil
}
