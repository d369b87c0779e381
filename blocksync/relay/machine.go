// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/parity"
)

// Config says what a machine is made for.
type Config struct {
	Self   peer.ID
	Org    string // our MSP ID
	Hidden bool   // only our organization sees us
	FanOut int    // how many members are asked at one time for what is missing of a block, two at least; 0: any number
	// NoParity: our blocks never get parity.
	NoParity bool
	Memory   Memory // nil: heldBytes is the only bound. A [Channel] brings its own
	Rand     *rand.Rand
}

// Announcement is what a machine needs to know of an announcement that was verified.
type Announcement struct {
	Number uint64
	Root   [sha256.Size]byte
	Size   int // of the body, in bytes
	Parity parity.Sum
	From   peer.ID
	Org    string
	// Of is what the announcement says of the block: header and metadata, and no data. The machine does not look at it.
	Of     *common.Block
	Sealed []byte // as it came: it is passed on to the hidden members of our organization
	Crown  []byte // as it came with it, if it did; not verified
	// Heard is when it came, before it was verified; zero: it is verified at once.
	Heard time.Time
	// Targets are to hear of it from us, and our row, if Mode is Along.
	Targets []Short
	Mode    Mode
}

// Ref is the name of the announced body on the wire.
func (a Announcement) Ref() Ref { return RefOf(a.Number, a.Root, a.Size) }

// Complete is a body whose leaves are all here and fit the root. It is the caller's to check against the header, and to
// tell Refute if it does not fit.
type Complete struct {
	Announcement
	Body []byte
	// Took is the time from the announcement that was verified first, or from the first piece if that came sooner, to the last.
	Took time.Duration
	// Floor is the least time that it could have taken: its size by the rate at which blocks come lately, and the hop that
	// pieces take more than the announcement did. 0: not known.
	Floor    time.Duration
	Repaired int // leaves that were asked for
	// Announcers are all who announced this root.
	Announcers []peer.ID
	// Rebuilt says that some of it was computed.
	Rebuilt bool
}

// Lost is a block that does not come any further, and who announced it.
type Lost struct {
	Number     uint64
	Announcers []peer.ID
	Crowded    bool // pieces of it came, and there was no room or no memory for them
}

// Effects is what a machine wants done.
type Effects struct {
	Wake     []peer.ID // Next has something for them
	Control  bool      // there are control frames among it
	Pieces   bool      // and pieces
	Complete []Complete
	GiveUp   []Lost    // blocks that do not come any further: ask for ranges
	Announce [][]byte  // sealed announcements that we have made ours: they are for the topic as well
	Forged   []peer.ID // sent a piece that does not fit the root
	Dropped  map[Drop]int
	Wanted   map[Late]int // leaves that are asked for, for the first time
	Rebuild  []Rebuild    // to be run; say Rebuilt
	Switched bool         // Protecting has changed
	Lossy    bool         // a block has parity: packets are lost
}

// Machine is one node's part in spreading the blocks of one channel: it is source, relay and receiver. It is pure: every
// call gives the time. One goroutine or lock at a time.
type Machine struct {
	Config
	now     time.Time
	height  uint64
	members map[peer.ID]*member
	order   []*member // by ID
	shorts  map[Short]*member
	hidden  []*member        // of our organization, that we reach
	kin     []*member        // visible ones of our organization, that we reach
	givers  map[*member]bool // who sent us some of the last block that everybody had a part in
	lodges  bool             // there are guests that their own organizations serve
	inRows  bool             // the network stands in rows
	bits    int              // that name a row
	rows    [][]*member
	seat    int // our place in our row
	turned  float64
	blocks  map[Ref]*block
	parked  []parkedPiece
	parking fair.Tally // bytes
	held    int        // bytes of unfinished bodies
	firsts  []first
	quiet   time.Duration // how late a piece may be, before the size counts
	near    bool          // half of the members are within nearRTT
	hop     time.Duration // the usual way between two members
	came    time.Time     // when the piece in hand did: it may have been parked
	pace    pace          // of bodies that have come
	supply  pace          // of those that we are the source of
	queued  time.Time     // when a piece was, last
	most    time.Duration // the round trip to nine members in ten
	sight   sight
	effects Effects
	stats   Stats
}

// Stats counts what a machine did since it was made.
type Stats struct {
	Pieces, Duplicates, Parked, Overflow, Forged int // pieces that came in, and of these; Overflow: those that were dropped
	Forwarded, Wants, Repairs, Cancelled         int
	Dropped                                      int // frames for others
	Strikes                                      int
	Rebuilt, Misled                              int   // bodies that were computed, and parity that was false
	Received                                     int64 // bytes of leaves
}

// New makes a machine that knows nobody and nothing.
func New(c Config) *Machine {
	m := &Machine{Config: c, members: map[peer.ID]*member{}, shorts: map[Short]*member{}, blocks: map[Ref]*block{}}
	m.most = m.rttOf(9, 10)
	return m
}

// Take returns what is to be done since it was last called.
func (m *Machine) Take() Effects {
	e := m.effects
	m.effects = Effects{}
	return e
}

// Stats is what the machine has done so far.
func (m *Machine) Stats() Stats { return m.stats }

// Coming says whether a block is on its way: announced, not here, and not given up.
func (m *Machine) Coming(number uint64) bool {
	for _, b := range m.blocks {
		if b.Number == number && !b.done && !b.stopped && !b.isGuard() {
			return true
		}
	}
	return false
}

// Due is when Tick is to be called next if nothing happens before; zero if only an event can change anything.
func (m *Machine) Due() time.Time {
	if len(m.blocks) == 0 && len(m.parked) == 0 {
		return time.Time{}
	}
	if len(m.parked) > 0 {
		return m.now.Add(tick)
	}
	for _, b := range m.blocks {
		if b.active() {
			return m.now.Add(tick)
		}
	}
	return m.now.Add(parkTime)
}

// hurries says whether Due is earlier than when it was last asked.
func (m *Machine) hurries(last time.Time) bool {
	due := m.Due()
	return !due.IsZero() && (last.IsZero() || due.Before(last))
}

// active says whether time alone can change something about a block soon.
func (b *block) active() bool {
	return !b.done || b.withheld || b.trust.given != nil && !b.trust.weighed || b.pending != nil || !b.rebuild.tellAt.IsZero() || b.source != nil && (!b.judged || !b.observed || !b.collectAt.IsZero())
}

// Tick looks after what is overdue, collected or kept long enough.
func (m *Machine) Tick(now time.Time) {
	m.now = now
	m.unpark()
	m.trail()
	var moving time.Time
	for _, b := range m.sorted() {
		if b.isGuard() {
			continue
		}
		b.moving = moving
		if b.lastNew.After(moving) {
			moving = b.lastNew
		}
		switch {
		case b.expired(now, m.height):
			m.forget(b)
		default:
			m.standBy(b)
			m.serveTakers(b)
			m.follow(b)
			m.fetch(b)
			m.overdue(b)
			m.repair(b)
			m.tellLate(b)
			m.judge(b, false)
			m.observe(b)
			m.weigh(b)
		}
	}
	m.shed()
}

// sorted are the blocks, oldest first.
func (m *Machine) sorted() []*block {
	all := make([]*block, 0, len(m.blocks))
	for _, b := range m.blocks {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *block) int {
		if a.Number != b.Number {
			return int(int64(a.Number - b.Number))
		}
		return a.began.Compare(b.began)
	})
	return all
}

// Committed says that all blocks below height are committed: nothing more is asked for them.
func (m *Machine) Committed(now time.Time, height uint64) {
	m.now, m.height = now, max(m.height, height)
	for _, b := range m.blocks {
		if b.Number < height && !b.done {
			m.release(b)
			b.done, b.without, b.doneAt = true, true, now
		}
	}
}

// Refute says that a complete body does not fit its header: whoever announced the root has lied. The place is free for
// others; those who announced it get no other for this number.
func (m *Machine) Refute(now time.Time, a Announcement) {
	m.now = now
	b := m.blocks[a.Ref()]
	if b == nil {
		return
	}
	b.refuted, b.done, b.doneAt, b.body = true, true, now, nil
	m.release(b)
	for _, a := range b.announcers {
		if s := m.members[a.id]; s != nil {
			s.fault += refuteFault
		}
	}
	for _, s := range m.order {
		s.drop(b)
	}
}
