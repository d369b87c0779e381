// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// What tests see of the inside.
const (
	PushWaiting          = pushWaiting
	PushParallel         = pushParallel
	Introduced           = introduced
	ValidatorTimeout     = validatorTimeout
	ValidatorConcurrency = validatorConcurrency
	JudgeRate            = judgeRate
	JudgeBurst           = judgeBurst
	OrgJudgeRate         = orgJudgeRate
	OrgJudgeBurst        = orgJudgeBurst
)

// CheckPush is what is checked of a pushed message before its topic judges it.
var CheckPush = checkPush

// Queued is what waits for a peer.
func (t *Topic) Queued(id peer.ID) (texts []string) {
	t.pushes.mu.Lock()
	defer t.pushes.mu.Unlock()
	if q := t.pushes.waiting[id]; q != nil {
		for _, m := range q.messages {
			texts = append(texts, string(m.data))
		}
	}
	return texts
}

// Waiting is how many messages wait for a peer.
func (t *Topic) Waiting(id peer.ID) int { return len(t.Queued(id)) }

// Validate is what pubsub asks about a message of a neighbour.
func (t *Topic) Validate(ctx context.Context, from peer.ID, data []byte) pubsub.ValidationResult {
	return t.validate(ctx, from, &pubsub.Message{Message: &pb.Message{Data: data}})
}
