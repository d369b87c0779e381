// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
)

// batch gathers transactions for the next block by Fabric's rules: at most MaxMessageCount of them and PreferredMaxBytes together, and a
// transaction that is bigger than PreferredMaxBytes gets a block to itself. It is pure: the timeout is its caller's business.
type batch struct {
	pending [][]byte // marshalled envelopes
	size    int      // as Fabric counts: payloads and signatures
}

// add takes one transaction and returns the blocks' contents that are complete by now: none, one or two.
func (b *batch) add(tx transaction, limits *orderer.BatchSize) [][][]byte {
	var complete [][][]byte
	preferred := int(limits.GetPreferredMaxBytes())
	if len(b.pending) > 0 && b.size+tx.size > preferred {
		complete = append(complete, b.cut())
	}
	b.pending = append(b.pending, tx.raw)
	b.size += tx.size
	if tx.size > preferred || len(b.pending) >= int(limits.GetMaxMessageCount()) {
		complete = append(complete, b.cut())
	}
	return complete
}

// cut empties the batch; nil when there is nothing in it.
func (b *batch) cut() [][]byte {
	content := b.pending
	b.pending, b.size = nil, 0
	return content
}

// size returns the bytes of an envelope that count against the limits of a batch.
func size(e *common.Envelope) int { return len(e.GetPayload()) + len(e.GetSignature()) }
