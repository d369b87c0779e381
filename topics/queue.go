// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"slices"

	"github.com/weft-p2p/weft/internal/fair"
)

// message is what waits to be pushed. What this node says itself has no author, and so counts as an organization.
type message struct {
	author fair.Owner
	data   []byte
}

// queue holds what waits for one peer on one topic, the oldest first, at most pushWaiting. One more pushes out the oldest of
// the author who has most there: a push is a hint, the latest heartbeat of somebody says more than the one before, and
// nobody's host keys push out what others said. It is pure; the zero value is empty.
type queue struct {
	messages []message
	tally    fair.Tally
}

func (q *queue) add(m message) {
	q.messages = append(q.messages, m)
	q.tally.Add(m.author, 1)
	if len(q.messages) > pushWaiting {
		q.take(q.victim())
	}
}

// take removes a message.
func (q *queue) take(i int) message {
	m := q.messages[i]
	q.messages = slices.Delete(q.messages, i, i+1)
	q.tally.Add(m.author, -1)
	return m
}

// victim is the oldest message of the identity that has most, in the organization that has most.
func (q *queue) victim() int {
	worst := 0
	for i, m := range q.messages {
		if q.tally.Larger(m.author, q.messages[worst].author) < 0 {
			worst = i
		}
	}
	return worst
}
