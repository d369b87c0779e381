// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// hello is what a peer says of its topics.
func hello(first, count int) *pubsub.RPC {
	rpc, yes := &pubsub.RPC{}, true
	for i := range count {
		topic := fmt.Sprint(TopicPrefix, first+i)
		rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Subscribe: &yes, Topicid: &topic})
	}
	return rpc
}

// TestGuardAtItsLimits: as many peers and subscriptions are remembered as the table says, and one more displaces the peer
// that was heard longest ago, or is taken out.
func TestGuardAtItsLimits(t *testing.T) {
	g := NewGuard()
	for i := range maxRemotes {
		require.NoError(t, g.inspect(peer.ID(fmt.Sprint("peer", i)), hello(0, 1)))
	}
	require.Equal(t, maxRemotes, g.remotes.Len())
	require.True(t, g.remotes.Contains("peer0"))
	require.NoError(t, g.inspect("one more", hello(0, 1)))
	require.Equal(t, maxRemotes, g.remotes.Len())
	require.False(t, g.remotes.Contains("peer0"))

	rpc := hello(0, maxSubscriptions)
	require.NoError(t, g.inspect("many", rpc))
	require.Len(t, rpc.Subscriptions, maxSubscriptions)
	rpc = hello(maxSubscriptions, 1)
	require.NoError(t, g.inspect("many", rpc))
	require.Empty(t, rpc.Subscriptions)
}
