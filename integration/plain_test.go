// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
)

// callersHost is a host and a pubsub of a caller who knows nothing of weft: libp2p's and gossipsub's defaults, floodsub
// included, and no guard. One who knows of it gives its pubsub weft's guard, and leaves pubsub's own signatures away, so that
// nothing but the guard keeps a forgery out.
func (p *testPeer) callersHost(options []libp2p.Option) host {
	t := p.net.t
	h, err := libp2p.New(append(options, libp2p.Identity(p.key), libp2p.DisableMetrics())...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var guard *weft.Guard
	opts := p.tap.options()
	if p.guarded {
		guard = weft.NewGuard()
		opts = append(opts, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor())
		opts = append(opts, guard.PubSubOptions()...)
	}
	ps, err := pubsub.NewGossipSub(ctx, h, opts...)
	require.NoError(t, err)
	return host{Host: h, pubsub: ps, guard: guard, end: cancel}
}
