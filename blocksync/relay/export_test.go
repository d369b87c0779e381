// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/parity"
	"github.com/weft-p2p/weft/internal/stream"
)

// The limits that tests go to.
const (
	MaxTargetsOnWire, MaxWords, MaxScope, MaxScopes = maxTargetsOnWire, maxWords, maxScope, maxScopes
	ParkBytes, HeldBytes, AnnouncerBytes            = parkBytes, heldBytes, announcerBytes
	LingerBytes, Linger, QueueBytes                 = lingerBytes, linger, queueBytes
	DirectBytes, IntroduceAbove, GuestsAbove        = directBytes, introduceAbove, guestsAbove
	IntroduceBig, BigBody                           = introduceBig, bigBody
	SwapLeast                                       = swapLeast
	DirectBytesNear, NearRTT                        = directBytesNear, nearRTT
	Work, WorkBurst, OrgWork, OrgWorkBurst          = work, workBurst, orgWork, orgWorkBurst
	LongFrame                                       = longFrame
)

// DataStreams is how many streams pieces take turns on.
func DataStreams(c network.ConnectionState) int { return dataStreams(c) }

// The limits of parity.
const (
	ParityMin, MaxGuards    = parityMin, maxGuards
	LossyBlocks, CalmBlocks = lossyBlocks, calmBlocks
)

// GuardRef is the name of the parity of a body.
func GuardRef(of Ref, p parity.Sum) Ref { return guardRef(of, p) }

// Sight decides about parity: each call are the reports of a block, how many members call it lossy out of how many. It says
// whether the next block gets any.
func Sight() func(votes, total int) bool {
	s := &sight{}
	return func(votes, total int) bool {
		s.see(votes, total)
		return s.on
	}
}

// Blocks is how many bodies and parities the machine knows of.
func (m *Machine) Blocks() int { return len(m.blocks) }

// Cost is what a frame costs its reader.
func Cost(f *Frame) int { return cost(f) }

// Limits are those of the specification.
func Limits() map[string]string {
	p := Protocol
	limits := map[string]string{"ID": string(p.ID), "Service": p.Service, "Deadline": p.Deadline.String(), "Rate": fmt.Sprint(p.Rate), "OrgRate": fmt.Sprint(p.OrgRate), "nearRTT": nearRTT.String(), "quietNear": quietNear.String()}
	for name, v := range map[string]int{
		"Memory": p.Memory, "Burst": p.Burst, "OrgBurst": p.OrgBurst, "Streams": p.Streams, "PeerStreams": p.PeerStreams,
		"work": work, "workBurst": workBurst, "orgWork": orgWork, "orgWorkBurst": orgWorkBurst,
		"workFrame": workFrame, "workAnnounce": workAnnounce, "workWant": workWant, "longFrame": longFrame,
		"MaxFrame": MaxFrame, "MaxData": MaxData, "maxTargetsOnWire": maxTargetsOnWire, "maxWords": maxWords, "maxScope": maxScope,
		"maxScopes": maxScopes, "Window": Window, "rootsPerOrg": rootsPerOrg, "parkBytes": parkBytes, "heldBytes": heldBytes,
		"announcerBytes": announcerBytes, "lingerBytes": lingerBytes, "queueBytes": queueBytes, "directBytes": directBytes, "directBytesNear": directBytesNear, "pieceNear": pieceNear, "introduceAbove": introduceAbove, "guestsAbove": guestsAbove, "swapLeast": swapLeast, "introduceBig": introduceBig, "bigBody": bigBody,
		"tiersAbove": tiersAbove, "parityMin": parityMin, "maxGuards": maxGuards,
	} {
		limits[name] = strconv.Itoa(v)
	}
	return limits
}

// Frames reads frames, and what they take of a memory of so many bytes at one time.
func Frames(r io.Reader, memory int) func() (scope string, f *Frame, err error) {
	in := newFrameReader(&box{Reader: r, left: memory}, new(sync.Pool))
	return in.frame
}

// box is a stream with little memory.
type box struct {
	io.Reader
	left int
}

func (*box) SetReadDeadline(time.Time) error { return nil }

func (b *box) Reserve(bytes int) (func(), error) {
	if bytes > b.left {
		return nil, io.ErrShortBuffer
	}
	b.left -= bytes
	return func() { b.left += bytes }, nil
}

// WriteFrames returns a writer of frames.
func WriteFrames(w io.Writer) func(scope string, f *Frame) error {
	out := newFrameWriter(w, new(sync.Pool))
	return func(scope string, f *Frame) error {
		if err := out.frame(scope, f); err != nil {
			return err
		}
		return out.Flush()
	}
}

// ParkedSize is what a piece takes where pieces are parked.
func ParkedSize(f *Frame) int { return parkedSize(f) }

// Rates are those of a carrier.
func Rates() *stream.Rates { return stream.NewRates(work, workBurst, orgWork, orgWorkBurst) }

// RoundTrip is what the carrier believes a round trip to a peer takes.
func (c *Carrier) RoundTrip(id peer.ID) (time.Duration, bool) { return c.up(id) }

// SetRoundTrip makes the carrier believe something else.
func (c *Carrier) SetRoundTrip(id peer.ID, rtt time.Duration) {
	c.mu.Lock()
	n := c.peers[id]
	c.mu.Unlock()
	n.set(rtt, true)
}

// Arrival is a piece that comes so long after the announcement.
type Arrival struct {
	At      time.Duration
	Bytes   int
	Relayed bool
}

// Receiver measures how bodies come, whose pieces usually cross a hop of so long: each call is a body, complete at end.
func Receiver(hop time.Duration) func(pieces []Arrival, end time.Duration) (took, floor time.Duration) {
	m := &Machine{hop: hop}
	return func(pieces []Arrival, end time.Duration) (took, floor time.Duration) {
		heard := time.Unix(1_000_000, 0)
		b, c := &block{course: course{heard: heard}}, &Complete{}
		for _, p := range pieces {
			b.Size += p.Bytes
			b.course.came(heard.Add(p.At), b.Size, p.Relayed)
		}
		m.now = heard.Add(end)
		m.distance(b, c)
		return c.Took, c.Floor
	}
}

// Knows says whether a member is in the view.
func (m *Machine) Knows(id peer.ID) bool { return m.members[id] != nil }
