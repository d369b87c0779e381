// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/topics"
)

// unconnected is a host that knows its ID, and whom it would be connected to.
type unconnected struct {
	host.Host
	ids []peer.ID
}

func (unconnected) ID() peer.ID { return "self" }

func (u unconnected) Network() network.Network { return others{ids: u.ids} }

type others struct {
	network.Network
	ids []peer.ID
}

func (o others) Peers() []peer.ID { return o.ids }

const reader = peer.ID("reader")

// newTopic makes a topic whose only members hear everything by push; nothing is sent while it does not run.
func newTopic(ids ...peer.ID) *topics.Topic {
	return topics.New(topics.Config{Host: unconnected{ids: ids}, Name: topicName, Members: func() []peer.ID { return ids }})
}

// TestAuthorsShareTheQueue: whatever number of host keys one identity, or one organization, introduces, what others said
// goes on waiting, and so does the latest of the flood.
func TestAuthorsShareTheQueue(t *testing.T) {
	for name, flooder := range map[string]func(i int) fair.Owner{
		"one identity":     func(int) fair.Owner { return fair.Owner{Org: "Org2", Identity: "one"} },
		"one organization": func(i int) fair.Owner { return fair.Owner{Org: "Org2", Identity: fmt.Sprint(i)} },
	} {
		t.Run(name, func(t *testing.T) {
			topic := newTopic(reader)
			flood := func() {
				for i := range 1000 {
					require.NoError(t, topic.Introduce(t.Context(), "neighbour", flooder(i), fmt.Append(nil, "flood ", i)))
				}
			}
			var honest []string
			say := func(n int) {
				for range n {
					text := fmt.Sprint("honest ", len(honest))
					author := fair.Owner{Org: "Org1", Identity: fmt.Sprint("peer", len(honest)%4)}
					require.NoError(t, topic.Introduce(t.Context(), "neighbour", author, []byte(text)))
					honest = append(honest, text)
				}
			}
			say(topics.PushWaiting / 4)
			require.NoError(t, topic.Publish(t.Context(), []byte("our own")))
			flood()
			say(topics.PushWaiting/4 - 1) // half of the places with our own
			flood()
			waiting := topic.Queued(reader)
			require.Len(t, waiting, topics.PushWaiting)
			require.Subset(t, waiting, honest)
			require.Contains(t, waiting, "our own")
			require.Equal(t, "flood 999", waiting[len(waiting)-1])
		})
	}
}

// TestQueueAtTheLimit: what is one past it pushes out the oldest of the same author.
func TestQueueAtTheLimit(t *testing.T) {
	topic := newTopic(reader)
	one := fair.Owner{Org: "Org1", Identity: "one"}
	for i := range topics.PushWaiting {
		require.NoError(t, topic.Introduce(t.Context(), "neighbour", one, fmt.Append(nil, i)))
	}
	require.Contains(t, topic.Queued(reader), "0")
	require.NoError(t, topic.Introduce(t.Context(), "neighbour", one, []byte("last")))
	require.Len(t, topic.Queued(reader), topics.PushWaiting)
	require.NotContains(t, topic.Queued(reader), "0")
	require.Contains(t, topic.Queued(reader), "1")
}

// TestIntroductionsTakeTurns: one goes to few of those who are not on the topic, and some go to all, never back to whom they come from.
func TestIntroductionsTakeTurns(t *testing.T) {
	var ids []peer.ID
	for i := range 3 * topics.Introduced {
		ids = append(ids, peer.ID(fmt.Sprintf("peer%02d", i)))
	}
	topic := newTopic(ids...)
	waiting := func() (n int) {
		for _, id := range ids {
			n += topic.Waiting(id)
		}
		return n
	}
	require.NoError(t, topic.Introduce(t.Context(), ids[0], fair.Owner{}, []byte("hello")))
	require.Equal(t, topics.Introduced, waiting())
	for range 3 {
		require.NoError(t, topic.Introduce(t.Context(), ids[0], fair.Owner{}, []byte("hello")))
	}
	require.Equal(t, 4*topics.Introduced, waiting())
	require.Zero(t, topic.Waiting(ids[0]))
	for _, id := range ids[1:] {
		require.Positive(t, topic.Waiting(id))
	}
}
