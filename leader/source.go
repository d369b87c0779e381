// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// ErrStopped ends [Puller.Run] when Submit returns an error that wraps it: whoever takes the blocks has gone for good.
var ErrStopped = errors.New("leader: the receiver of the blocks has stopped")

// Submit takes one pulled block. It may block for as long as the receiver needs: that is the back-pressure. An error ends the stream, and
// the block is pulled again later, perhaps from another orderer; an error that wraps [ErrStopped] ends the pulling.
type Submit func(ctx context.Context, b *common.Block) error

// Source is where blocks come from.
type Source interface {
	// Pull opens one stream and calls submit for block from, from+1 and so on, in order and one at a time. It blocks until the stream breaks,
	// submit returns an error (which Pull wraps) or ctx ends; then it closes what it opened and returns. A nil error means that the stream was
	// given up on purpose and that the next Pull will go elsewhere. The blocks are not verified. A block belongs to submit.
	Pull(ctx context.Context, from uint64, submit Submit) error
}

// Located is what a [Source] implements in addition when it can say where it is connected.
type Located interface {
	// Endpoint returns the address of the stream that is open now, "" when there is none. It is safe for concurrent use.
	Endpoint() string
}
