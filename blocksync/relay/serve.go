// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/stream"
)

// Work is what a frame costs its reader at least, counted in bytes that are hashed: a peer that sends more than the rate is
// read more slowly, which is all that an organization's members together suffer; an identity that goes on above its own
// commits faults.
const (
	// work and workBurst are what one identity may cause in a second and at once, orgWork and orgWorkBurst all members of an
	// organization.
	work, workBurst       = 256 << 20, 512 << 20
	orgWork, orgWorkBurst = 1 << 30, 2 << 30
	// workFrame is what any frame costs besides its bytes, workAnnounce an announcement, which has signatures to verify,
	// workWant a complaint, which may have much to be looked up and sent.
	workFrame, workAnnounce, workWant = 1 << 10, 256 << 10, 64 << 10
)

// cost is what a frame costs.
func cost(f *Frame) int {
	switch f.Kind {
	case Announce:
		return workAnnounce + f.Size()
	case Want:
		return workWant + f.Size()
	default:
		return workFrame + f.Size()
	}
}

// inlet is a stream whose memory is accounted for.
type inlet struct {
	network.Stream
	reserve func(bytes int) (release func(), err error)
}

func (i inlet) Reserve(bytes int) (func(), error) { return i.reserve(bytes) }

// serve reads a peer's stream until it ends.
func (c *Carrier) serve(ctx context.Context, s *stream.Stream) error {
	raw, from := s.Raw(), s.Remote()
	kind, err := greet(raw)
	if err != nil || kind == echoStream {
		return noEnd(err)
	}
	flow, closed := c.flow(from)
	defer closed()
	r := newFrameReader(inlet{counted{raw, flow}, s.Reserve}, &c.read)
	defer r.done()
	owner := c.Accounts.Owner(from)
	for {
		scope, f, err := r.frame()
		if err != nil {
			return noEnd(err)
		}
		if err := c.charge(ctx, from, owner, cost(f)); err != nil {
			return err
		}
		switch ch := c.channel(scope, from); {
		case ch != nil:
			ch.receive(from, f)
		case !c.Speaks(from): // barred, perhaps for what another host key of its identity did
			return errUnheard
		}
	}
}

// greet answers a new stream, and reads what it is for.
func greet(s network.Stream) (class, error) {
	if err := s.SetReadDeadline(time.Now().Add(helloTime)); err != nil {
		return 0, err
	}
	var kind [1]byte
	if _, err := io.ReadFull(s, kind[:]); err != nil {
		return 0, err
	}
	if _, err := s.Write([]byte{1}); err != nil {
		return 0, err
	}
	return class(kind[0]), s.SetReadDeadline(time.Time{})
}

// errUnheard ends a stream of a peer that is not listened to any more.
var errUnheard = errors.New("relay: peer has lost its standing")

// noEnd is nil for an end between frames.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// charge counts the work of a frame, and waits until it is within the rates.
func (c *Carrier) charge(ctx context.Context, from peer.ID, owner fair.Owner, n int) error {
	wait, own := c.rates.Reserve(owner, n)
	if own {
		c.Accounts.Fault(from, stream.Flood)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
