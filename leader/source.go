// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// ErrStopped ends [Puller.Run] when Submit returns an error that wraps it: whoever takes the blocks has gone for good.
var ErrStopped = errors.New("leader: the receiver of the blocks has stopped")

// What makes a [Puller] end a stream that has not broken.
var (
	// ErrRefused: a block that the source brought is not of the channel's chain. Whoever judges the blocks wraps it.
	ErrRefused = errors.New("leader: the source brought a block that is not of this chain")
	// ErrWithheld: blocks are known to exist, and the source has not brought them for too long.
	ErrWithheld = errors.New("leader: the source withholds blocks")
)

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

// Blamed is what a [Source] implements in addition when it has several places to pull from.
type Blamed interface {
	// Blame says that what the last Pull brought, or did not bring, was wrong: an error that wraps [ErrRefused] or [ErrWithheld]. It is called
	// between two Pulls, and the next one should go elsewhere. It returns an error that says what was blamed.
	Blame(err error) error
}

// Foresighted is what a [Source] implements in addition when it learns of blocks from others than the one that it pulls from.
type Foresighted interface {
	// Known returns a height: blocks below it exist, for their headers were verified. 0 when it knows none. Safe for concurrent use.
	Known() uint64
}

// Judge says what has become of the blocks that Submit took, where Submit does not wait for that itself.
type Judge interface {
	// Refused waits until a block that Submit took turns out bad, and returns an error that wraps [ErrRefused]; or ctx's error.
	Refused(ctx context.Context) error
	// Settle waits until all that Submit took is judged, so that Height is what it will be, and returns an error that wraps [ErrRefused] if
	// any of it was bad and Submit has not said so; or ctx's error. It is called between two streams.
	Settle(ctx context.Context) error
}
