// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"errors"
	"slices"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// introduced is to how many members one introduction goes at most. Everybody on the topic who hears the newcomer introduces it,
// several times while it is new, so that who is not on the topic hears of it all the same.
const introduced = 4

// Introduce passes on what a member that is new to us said, wherever we heard it: on the topic, and to some of those who are not on
// the topic; they hear only whom they are connected to, and would never meet it. from, which gave it to us, does not get it back.
// author is whom its place among what waits is charged to.
func (t *Topic) Introduce(ctx context.Context, from peer.ID, author fair.Owner, data []byte) error {
	for _, id := range t.some(from) {
		t.pushes.add(id, message{author, data})
	}
	if topic := t.get(); topic != nil && !t.judges(data) {
		if err := topic.Publish(ctx, data); !errors.Is(err, pubsub.ErrTopicClosed) {
			return err
		}
	}
	return nil
}

// some are up to so many members that are not on the topic, in turns, without from. Whoever is connected is looked at first: mostly all of
// them are on the topic.
func (t *Topic) some(from peer.ID) []peer.ID {
	if len(t.absent(t.Host.Network().Peers(), nil)) == 0 {
		return nil
	}
	ids := slices.DeleteFunc(t.absent(t.Members(), nil), func(id peer.ID) bool { return id == from })
	if len(ids) <= introduced {
		return ids
	}
	slices.Sort(ids)
	next, _ := slices.BinarySearch(ids, t.Host.ID()) // so that not all who introduce begin at the same one
	t.mu.Lock()
	defer t.mu.Unlock()
	chosen := make([]peer.ID, introduced)
	for i := range chosen {
		chosen[i] = ids[(next+t.turn+i)%len(ids)]
	}
	t.turn = (t.turn + introduced) % len(ids)
	return chosen
}

// judging notes that a message of the topic is being judged, until done is called.
func (t *Topic) judging(id string) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judged[id] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.judged, id)
	}
}

// judges says whether a message of the topic is being judged: pubsub passes it on afterwards. If it were published before, pubsub would
// send it to whom it came from as well, and keep for ever that it is being judged.
func (t *Topic) judges(data []byte) bool {
	id := MessageID(&pubsubpb.Message{Topic: &t.Name, Data: data})
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.judged[id]
	return ok
}
