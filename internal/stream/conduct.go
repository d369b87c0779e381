// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"net"
	"time"

	"google.golang.org/protobuf/proto"
)

// ErrViolation is to be wrapped by a handler's error that is the peer's fault, beyond doubt: what no honest peer sends,
// whatever its version, its clock and its configuration.
var ErrViolation = errors.New("stream: protocol violation")

// ErrNonsense is to be wrapped by a handler's error about bytes that are no message, where messages are no protobuf.
var ErrNonsense = errors.New("stream: no message")

// Reason is what kind of misconduct a fault is; it is a label of a metric.
type Reason string

// The reasons.
const (
	Oversize  Reason = "oversize"  // a message above the protocol's limit
	Nonsense  Reason = "nonsense"  // bytes that are no message
	Violation Reason = "violation" // a message that no honest peer sends
	Slow      Reason = "slow"      // a message that was not written or not read within the deadline
	Flood     Reason = "flood"     // more streams or messages than the rate allows
)

const (
	// FaultLimit is how many faults bar an identity, and FaultDecay the time in which one of them is forgotten. An honest
	// peer commits none but by way of a network that fails, see slowEvery.
	FaultLimit = 32
	FaultDecay = 30 * time.Second
	// FaultPause is how long who is barred is refused. Afterwards half of the limit bars it again.
	FaultPause = 5 * time.Minute
	// What a network, or a machine that dies, can do to many streams at a time counts once in slowEvery, and who asks too
	// often once in floodEvery: so eight minutes of holding up streams without a break bar a peer, and half a minute of
	// asking too often.
	slowEvery, floodEvery = 10 * time.Second, time.Second
)

// conduct is how one identity behaves. It is pure; the zero value is without blame.
type conduct struct {
	faults      float64
	at          time.Time // when faults was right
	slow, flood time.Time // when one of them was last counted
	until       time.Time // barred until then
}

// fault counts a fault, unless it is one more of a kind that counts once in a while, and reports whether it bars the peer.
func (c *conduct) fault(now time.Time, r Reason) (counted, bars bool) {
	if r == Slow && !due(&c.slow, now, slowEvery) || r == Flood && !due(&c.flood, now, floodEvery) {
		return false, false
	}
	c.faults = max(0, c.faults-float64(now.Sub(c.at))/float64(FaultDecay)) + 1
	c.at = now
	if c.faults < FaultLimit || c.barred(now) {
		return true, false
	}
	c.faults, c.until = FaultLimit/2, now.Add(FaultPause)
	return true, true
}

func (c *conduct) barred(now time.Time) bool { return now.Before(c.until) }

// due says whether something that happens once in every is due, and then notes that it happened.
func due(last *time.Time, now time.Time, every time.Duration) bool {
	if !last.IsZero() && now.Sub(*last) < every {
		return false
	}
	*last = now
	return true
}

// blame says which fault of the peer, if any, an error of a handler shows. A stream that broke is nobody's fault.
func blame(err error) (Reason, bool) {
	var timeout net.Error
	switch {
	case errors.Is(err, ErrTooLarge):
		return Oversize, true
	case errors.Is(err, proto.Error), errors.Is(err, ErrNonsense):
		return Nonsense, true
	case errors.Is(err, ErrViolation):
		return Violation, true
	case errors.As(err, &timeout) && timeout.Timeout():
		return Slow, true
	}
	return "", false
}
