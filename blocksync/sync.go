// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// ErrStopped says that the sync has ended while somebody waited for it.
var ErrStopped = errors.New("blocksync: stopped")

// ErrRejected says that a block of our own source did not verify: the source is faulty or lies, and another should be asked.
var ErrRejected = errors.New("blocksync: block of our own source rejected")

// Ledger is where blocks are committed. One goroutine appends, many read.
type Ledger interface {
	// Height is the number of the next block.
	Height() uint64
	// Append commits blocks, the first with number Height, each the successor of the one before; they are durable when it
	// returns. An error ends the channel.
	Append(blocks ...*common.Block) error
	// Bytes is a committed block as it is marshalled, an error if it is not there. The caller may keep but not change it.
	Bytes(number uint64) ([]byte, error)
	// HeaderHash is the header hash of a committed block, an error if it is not there.
	HeaderHash(number uint64) ([]byte, error)
}

// Config says what a channel's sync needs.
type Config struct {
	Channel string // for the log and the metrics
	Scope   string // names the channel in requests; not its name
	Host    host.Host
	Ledger  Ledger
	// Verifier stands at the ledger's height. It belongs to the Sync from now on.
	Verifier *channelconfig.Verifier
	// MayAsk says whether a peer may be asked for blocks.
	MayAsk func(peer.ID) bool
	// Owner is whom a peer counts as: its identity and organization. Nil: every peer counts for itself.
	Owner func(peer.ID) fair.Owner
	// FanOut is how many peers are asked for ranges at one time, two requests each. 0: 4.
	FanOut int
	// Streaming, if set, says whether our own block source delivers at the moment. While it does, peers are asked a little
	// later for what the source is about to bring.
	Streaming func() bool
	// Coming, if set, says whether a block is on its way without being asked for. It must not wait, nor call the Sync.
	Coming func(number uint64) bool
	// Verified, if set, is called with every block that has been verified, before it is committed; from is empty for blocks
	// of our own source. It must not wait for the ledger.
	Verified func(b *common.Block, from peer.ID)
	// Rival, if set, is called with every other block that anybody brings for a number and behind the block before it: with
	// the one that we commit, two blocks with one number. Nobody has verified it. It must not wait.
	Rival func(b *common.Block, from peer.ID)
	// Committed, if set, is called after every commit with the new height and, if the configuration changed, with the new
	// one. It is called by the writer, which goes on when it returns: no block behind a configuration block is Verified before.
	Committed func(height uint64, changed *channelconfig.Bundle)

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Position is where the chain stands, at one moment.
type Position struct {
	Height uint64                // number of the next block
	Head   []byte                // header hash of block Height-1
	Bundle *channelconfig.Bundle // configuration in force for block Height
}

// Sync keeps one channel's copy of the chain complete. Its methods are safe for concurrent use.
type Sync struct {
	Config
	metrics *metrics
	tally   *tally
	wakeup  chan struct{} // to the writer: there may be a candidate for the next number
	ahead   chan struct{} // to a worker: there may be a candidate to examine ahead of its turn
	replan  chan struct{} // to the fetcher: the planner has heard something
	reading chan struct{} // held while a block is read for a peer and not accounted for yet
	stopped chan struct{} // closed when Run ends

	uploads uploads
	workers int // that examine blocks ahead of their turn

	mu      sync.Mutex // guards all below
	at      Position
	ending  uint64                // height once the append under way is done, or that of the last one
	due     uint64                // where the writer is: it judges the candidates for this number itself
	inForce *channelconfig.Bundle // the configuration where the writer is
	buffer  *Buffer
	tip     *Tip
	planner *Planner
	flights map[Fetch]context.CancelFunc // requests under way
	size    int                          // of the block that was committed last, in bytes
	fault   *fault                       // what was wrong with our own source's last block; told once
	settled uint64                       // what our own source brought below it is verified, and about to be committed
	moved   chan struct{}                // closed and replaced at each commit and whenever candidates are dropped
}

// New makes the sync of a channel whose ledger holds at least the genesis block.
func New(c Config) (*Sync, error) {
	height := c.Ledger.Height()
	if height == 0 || c.Verifier.Next() != height {
		return nil, fmt.Errorf("blocksync: ledger of channel %s at height %d, verifier at %d", c.Channel, height, c.Verifier.Next())
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	workers := runtime.GOMAXPROCS(0)
	if workers == 1 {
		workers = 0 // the writer is as fast by itself
	}
	m, err := newMetrics(c.Registerer, c.Channel)
	if err != nil {
		return nil, err
	}
	s := &Sync{
		Config: c, metrics: m, tally: newTally(m),
		wakeup: make(chan struct{}, 1), ahead: make(chan struct{}, 1), replan: make(chan struct{}, 1), reading: make(chan struct{}, maxReading),
		stopped: make(chan struct{}), moved: make(chan struct{}), workers: workers,
		at:     Position{Height: height, Head: c.Verifier.PreviousHash(), Bundle: c.Verifier.Bundle()},
		buffer: NewBuffer(height), tip: NewTip(), ending: height, due: height, inForce: c.Verifier.Bundle(), flights: map[Fetch]context.CancelFunc{},
	}
	s.planner = NewPlanner(height, func(number uint64) bool {
		return number < s.ending || s.buffer.Has(number) || s.Coming != nil && s.Coming(number)
	})
	s.planner.owner, s.uploads.owner = s.ownerOf, s.ownerOf
	if c.FanOut > 0 {
		s.planner.FanOut(c.FanOut)
	}
	m.height(height)
	return s, nil
}

// Run commits and fetches until ctx ends or the ledger fails, and waits for whatever it started. It returns the ledger's
// error, nil when ctx ended. It runs once.
func (s *Sync) Run(ctx context.Context) error {
	defer close(s.stopped)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.write(ctx) })
	g.Go(func() error { s.fetch(ctx); return nil })
	for range s.workers {
		g.Go(func() error { s.examineAhead(ctx); return nil })
	}
	return g.Wait()
}

// Have says that a peer has all blocks below height: it announced the last of them, or told its height. If we lack any, it
// is asked at once.
func (s *Sync) Have(id peer.ID, height uint64) {
	s.plan(func(now time.Time) { s.planner.Have(now, id, height) })
}

// Gone says that a peer is not to be asked any more.
func (s *Sync) Gone(id peer.ID) { s.plan(func(time.Time) { s.planner.Gone(id) }) }

func (s *Sync) plan(tell func(now time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tell(time.Now())
	wake(s.replan)
}

// Extend adds a header above the height that was verified and links, so that the next one can be judged before the body of
// this one is here.
func (s *Sync) Extend(number uint64, hash []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number >= s.at.Height && number < s.at.Height+Window {
		s.tip.Extend(number, hash)
	}
}

// Position is where the chain stands.
func (s *Sync) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// Highest is the greatest height that any peer claims that has not lied and not failed often, or our own.
func (s *Sync) Highest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.at.Height, s.planner.Credible())
}

// VerifiedHeight is one more than the highest number whose header we know to be signed: committed, or on the header tip.
func (s *Sync) VerifiedHeight() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.at.Height, s.tip.Height())
}

// HashAt is the header hash of a committed block or of one on the header tip, nil if there is none.
func (s *Sync) HashAt(number uint64) []byte {
	s.mu.Lock()
	height, tip := s.at.Height, s.tip.HashAt(number)
	s.mu.Unlock()
	if number >= height {
		return tip
	}
	hash, err := s.Ledger.HeaderHash(number)
	if err != nil {
		s.unreadable("read header hash", number, err)
		return nil
	}
	return hash
}

// unreadable tells the operator that the ledger cannot be read, unless it is closed because the channel has ended.
func (s *Sync) unreadable(what string, number uint64, err error) {
	level := slog.LevelError
	select {
	case <-s.stopped:
		level = slog.LevelDebug
	default:
	}
	s.Log.Log(context.Background(), level, what, "channel", s.Channel, "number", number, "err", err)
}

// WaitHeight blocks until the height is at least height. It returns ctx's error when that ends before, and [ErrStopped]
// when Run has.
func (s *Sync) WaitHeight(ctx context.Context, height uint64) error {
	return s.await(ctx, func() (bool, error) { return s.at.Height >= height, nil })
}

// Watch is where the chain stands, and a channel that closes after the next commit, maybe before. After Run has ended there is
// [ErrStopped] as well.
func (s *Sync) Watch() (at Position, moved <-chan struct{}, err error) {
	select {
	case <-s.stopped:
		err = ErrStopped
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.moved, err
}

// wake leaves a token: whoever waits looks again. Tokens do not add up.
func wake(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
