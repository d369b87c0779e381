// SPDX-License-Identifier: Apache-2.0

package leader

import "time"

// State says what a [Puller] is doing.
type State int

const (
	// Idle: Run has not started, or has ended.
	Idle State = iota
	// Connecting: the first stream was asked for; it has neither proved itself nor failed.
	Connecting
	// Streaming: the stream has delivered a block, or stayed open for a while with nothing new to deliver.
	Streaming
	// Failing: a stream broke, and none has worked since. It is tried again after each back-off.
	Failing
)

// String returns the state as logs and status pages show it.
func (s State) String() string {
	switch s {
	case Idle:
		return "idle"
	case Connecting:
		return "connecting"
	case Streaming:
		return "streaming"
	case Failing:
		return "failing"
	default:
		return "unknown"
	}
}

// Status is a snapshot of a [Puller].
type Status struct {
	State    State
	Since    time.Time // when State began
	Endpoint string    // address of the orderer, "" when not connected or when the source does not say
	Failures int       // streams that broke in a row and did not work
	LastErr  error     // why the last stream broke; kept while the next one runs, nil when none ever broke
	Blocks   uint64    // blocks that Submit took since the start
}
