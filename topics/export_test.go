// SPDX-License-Identifier: Apache-2.0

package topics

import "github.com/libp2p/go-libp2p/core/peer"

// What tests see of the inside.
const (
	PushWaiting          = pushWaiting
	PushParallel         = pushParallel
	ValidatorTimeout     = validatorTimeout
	ValidatorConcurrency = validatorConcurrency
	JudgeRate            = judgeRate
	JudgeBurst           = judgeBurst
	OrgJudgeRate         = orgJudgeRate
	OrgJudgeBurst        = orgJudgeBurst
)

// CheckPush is what is checked of a pushed message before its topic judges it.
var CheckPush = checkPush

// Waiting is how many messages wait for a peer.
func (t *Topic) Waiting(id peer.ID) int {
	t.pushes.mu.Lock()
	defer t.pushes.mu.Unlock()
	return len(t.pushes.waiting[id])
}
