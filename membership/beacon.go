// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/msp"
)

// minGap is the least time between two heartbeats on one topic. What happens
// within it goes out together.
const minGap = 200 * time.Millisecond

// Sequence counts the heartbeats of a node. All its beacons draw from the same
// one, so that its heartbeats are ordered whatever topic they take. It starts
// anew with the process, because that starts a new incarnation.
type Sequence struct{ last atomic.Uint64 }

func (s *Sequence) next() uint64 { return s.last.Add(1) }

// BeaconConfig is what a Beacon needs. Everything without a default is required.
// Run calls the functions from one goroutine, Leave from its caller's, perhaps
// at the same time.
type BeaconConfig struct {
	Scope    string        // name of the topic it publishes on
	Interval time.Duration // default: DefaultTiming().AliveInterval
	// Pace is the time to the next heartbeat, asked after each; 0 means
	// Interval. Optional.
	Pace     func() time.Duration
	Sequence *Sequence // shared by all beacons of the node
	// Compose says what to tell: on a channel's topic that channel alone, on
	// the organization's topic all channels. A channel is listed there before
	// its own beacon starts and no more before that one leaves.
	Compose func() ([]ma.Multiaddr, []ChannelState)
	Publish func(ctx context.Context, data []byte) error
	Record  func() *msp.Record // the current one, and its signer
	Signer  func() *msp.SigningIdentity
	Log     *slog.Logger // default: none
	Rand    *rand.Rand   // jitter; default: seeded by the runtime
}

// Beacon tells a topic that we are here: at start, every interval, soon after a
// Poke, and once more when we leave. A heartbeat carries our whole record when
// somebody may not know it, and else its digest: see showing.
type Beacon struct {
	c       BeaconConfig
	poke    chan struct{} // 1-buffered: pokes coalesce
	urge    chan struct{} // likewise
	left    chan struct{} // closed by Leave
	leaving sync.Once
	silent  bool    // of Run: the last heartbeat did not get out
	showing showing // of Run
}

// NewBeacon returns a beacon that is not yet running.
func NewBeacon(c BeaconConfig) (*Beacon, error) {
	if c.Scope == "" || c.Sequence == nil || c.Compose == nil || c.Publish == nil || c.Record == nil || c.Signer == nil {
		return nil, errors.New("membership: a beacon needs scope, sequence, compose, publish, record and signer")
	}
	c.Interval = cmp.Or(c.Interval, DefaultTiming().AliveInterval)
	if c.Interval < 2*minGap {
		return nil, fmt.Errorf("membership: heartbeat interval %s is below %s", c.Interval, 2*minGap)
	}
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Pace == nil {
		c.Pace = func() time.Duration { return 0 }
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return &Beacon{c: c, poke: make(chan struct{}, 1), urge: make(chan struct{}, 1), left: make(chan struct{})}, nil
}

// Poke asks for a heartbeat soon, with the whole record: somebody new should
// hear of us, or we have something new to say. Pokes that keep coming are answered at growing gaps, up
// to the interval, so that a crowd that joins does not make everybody shout.
// It never blocks and may be called by anybody at any time.
func (b *Beacon) Poke() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// Urge asks for a heartbeat at once, minGap after the last one at the least: what
// we claim has changed, and others decide upon it. It never blocks and may be
// called by anybody at any time; who calls it must not let others cause it often.
func (b *Beacon) Urge() {
	select {
	case b.urge <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends or Leave is called, and returns nil. A heartbeat
// that cannot be published is a warning, once until it works again.
func (b *Beacon) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var last, next time.Time
	gap, poked, urged := minGap, false, false
	beat := func() {
		if poked || !urged {
			gap = b.nextGap(gap, poked)
		}
		last = time.Now()
		b.beat(ctx, poked)
		poked, urged = false, false
		next = last.Add(b.jittered())
		timer.Reset(time.Until(next))
	}
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
			timer.Reset(time.Until(at))
		}
	}
	select {
	case <-ctx.Done():
	case <-b.left:
	default:
		beat()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.left:
			return nil
		case <-b.poke:
			poked = true
			sooner(last.Add(gap))
		case <-b.urge:
			urged = true
			sooner(last.Add(minGap))
		case <-timer.C:
			beat()
		}
	}
}

func (b *Beacon) nextGap(gap time.Duration, poked bool) time.Duration {
	if !poked {
		return minGap
	}
	return min(2*gap, max(b.c.Interval, b.c.Pace())*9/10)
}

// jittered is the time to the next heartbeat. It spreads those of nodes that
// started together within a tenth.
func (b *Beacon) jittered() time.Duration {
	every := cmp.Or(b.c.Pace(), b.c.Interval)
	return time.Duration(float64(every) * (0.9 + 0.2*b.c.Rand.Float64()))
}

// Leave publishes the last heartbeat, which says goodbye, and ends Run. Further
// calls do nothing.
func (b *Beacon) Leave(ctx context.Context) (err error) {
	b.leaving.Do(func() {
		close(b.left) // before drawing: see draft
		d := b.draft()
		d.Leaving = true
		err = b.send(ctx, d)
	})
	return err
}

// draft is a heartbeat with a place in the order, who is to sign it and whether
// the record's digest will do.
type draft struct {
	Heartbeat
	signer *msp.SigningIdentity
	brief  bool
}

// draft takes the record and draws the sequence, before anything else is looked
// at: so whatever comes after a goodbye in the order was decided after it. Here
// that is nothing; on the topic of the organization it is a list without the
// channel that was left.
func (b *Beacon) draft() draft {
	d := draft{signer: b.c.Signer()}
	d.Record = b.c.Record()
	d.Sequence = b.c.Sequence.next()
	return d
}

func (b *Beacon) beat(ctx context.Context, poked bool) {
	d := b.draft()
	d.brief = !b.showing.whole(time.Now(), b.c.Interval, d.Record, poked || b.silent)
	select {
	case <-b.left:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, b.c.Interval)
	defer cancel()
	d.Addrs, d.Channels = b.c.Compose()
	err := b.send(ctx, d)
	switch {
	case ctx.Err() == context.Canceled:
	case err != nil && !b.silent:
		b.c.Log.Warn("heartbeat not published, others will think that this node is dead", "topic", b.c.Scope, "err", err)
	case err == nil && b.silent:
		b.c.Log.Info("heartbeats are published again", "topic", b.c.Scope)
	}
	b.silent = err != nil
}

func (b *Beacon) send(ctx context.Context, d draft) error {
	if d.Record == nil || d.signer == nil {
		return errors.New("seal heartbeat: there is no member record yet")
	}
	content, err := d.Marshal()
	if err != nil {
		return err
	}
	seal := msp.Seal
	if d.brief {
		seal = msp.SealBrief
	}
	sealed, err := seal(Purpose, b.c.Scope, d.Record, d.signer, content)
	if err != nil {
		return err // it says what it sealed
	}
	if err := b.c.Publish(ctx, sealed); err != nil {
		return fmt.Errorf("publish heartbeat: %w", err)
	}
	return nil
}
