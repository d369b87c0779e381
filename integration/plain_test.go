// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/stretchr/testify/require"
)

// callersHost is a host and a pubsub of a caller who knows nothing of weft: libp2p's and gossipsub's defaults, floodsub
// included, and no guard.
func (p *testPeer) callersHost(options []libp2p.Option) host {
	t := p.net.t
	h, err := libp2p.New(append(options, libp2p.Identity(p.key), libp2p.DisableMetrics())...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, h, p.tap.options()...)
	require.NoError(t, err)
	return host{Host: h, pubsub: ps}
}
