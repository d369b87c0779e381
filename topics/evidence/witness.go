// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/meter"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

// Ledger is where committed blocks are read. Its methods are safe for concurrent use.
type Ledger interface {
	// Height is the number of the next block.
	Height() uint64
	// Bytes is a committed block, encoded; an error if it is not there.
	Bytes(number uint64) ([]byte, error)
	// HeaderHash is the header hash of a committed block, an error if it is not there.
	HeaderHash(number uint64) ([]byte, error)
}

// Config says what a witness needs.
type Config struct {
	Channel string
	Genesis []byte // header hash of the genesis block
	Ledger  Ledger
	Dir     string // where evidence is kept; empty: in memory only
	// Admits says whether an identity may act as a peer of the channel.
	Admits func(*msp.Identity) bool
	// Complete returns a sealed message with its whole record.
	Complete func(raw []byte) ([]byte, error)

	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
}

// Witness looks for evidence on one channel. Its methods are safe for concurrent use; only Run does work that takes time.
type Witness struct {
	Config
	store     *Store
	untrusted *distrust
	found     *prometheus.CounterVec // nil: not counted
	wake      chan struct{}          // 1-buffered: there may be claims to judge

	mu      sync.Mutex // guards waiting
	waiting *claims

	// The rest is of the goroutine of Run, after New.
	bodies map[uint64]description // of the last blocks, as far as somebody announced them
	config *channelconfig.Bundle  // the one that was needed last
}

// description is what a true announcement says of a body.
type description struct {
	root [32]byte
	size int
}

// New makes a witness and loads what was found before, each proof verified again. The error is one of reading the folder or
// of registering metrics.
func New(c Config) (*Witness, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w := &Witness{
		Config: c, untrusted: newDistrust(), wake: make(chan struct{}, 1), waiting: newClaims(), bodies: map[uint64]description{},
	}
	var err error
	if w.store, err = OpenStore(c.Dir, w.verify, c.Log); err != nil {
		return nil, err
	}
	for _, f := range w.store.All() {
		w.distrust(f)
	}
	if c.Registerer == nil {
		return w, nil
	}
	s := meter.Set{Registerer: c.Registerer}
	w.found = s.Counter("weft_evidence_total", "Proofs found against an orderer or an announcer, by kind; each once.", "channel", "kind")
	return w, s.Err()
}

// Findings are what was found, oldest first.
func (w *Witness) Findings() []*Finding { return w.store.All() }

// Distrusts says whether an identity was caught announcing what is not so, no longer than DistrustTime ago.
func (w *Witness) Distrusts(id *msp.Identity) bool { return w.untrusted.holds(id, time.Now()) }

// Heard takes a judged announcement and the message that it came in. It does not wait.
func (w *Witness) Heard(j topics.Judgement, raw []byte) {
	if j.Announcer == nil || !w.interesting(j) || !w.Admits(j.Announcer.Identity()) {
		return
	}
	key := j.Announcer.Identity().Key()
	c := claim{org: j.Announcer.Identity().MSPID(), source: string(key[:])}
	if a := j.Announcement; a != nil {
		c.Attestation, c.root, c.size = Attestation{a.Header, a.Signatures}, a.Root, a.BodySize
		if a.Data != nil { // it is the announced one, or it would have been rejected
			w.add(c)
			return
		}
	}
	var err error
	if c.message, err = w.Complete(raw); err == nil {
		w.add(c)
	}
}

// interesting says whether something may come of an announcement: it is near the chain, or contradicts itself or the chain.
func (w *Witness) interesting(j topics.Judgement) bool {
	switch j.Reason {
	case topics.Malformed:
		return errors.Is(j.Err, topics.ErrFalse) && !w.Distrusts(j.Announcer.Identity())
	case topics.Evidence:
		return true
	case topics.Known, topics.Valid, topics.Unlinked, topics.NewerConfig:
		number, height := j.Announcement.Header.GetNumber(), w.Ledger.Height()
		return number+Window >= height && number < height+Window
	}
	return false
}

// Rival takes a block that is not the one on our chain, or may not be, though it names the same block before it. Nobody has
// verified it. It counts against a source, an identity or a peer, and its organization; both are empty for our own block
// source. It does not wait, and keeps only what the orderers sign.
func (w *Witness) Rival(b *common.Block, org, source string) {
	if b.GetHeader().GetNumber() >= w.Ledger.Height()+Window {
		return
	}
	var entry0 []byte
	if entries := b.GetMetadata().GetMetadata(); len(entries) > 0 {
		entry0 = entries[common.BlockMetadataIndex_SIGNATURES]
	}
	w.add(claim{org: org, source: source, Attestation: Attestation{b.Header, entry0}})
}

func (w *Witness) add(c claim) {
	w.mu.Lock()
	added := w.waiting.add(c)
	w.mu.Unlock()
	if added && c.number() < w.Ledger.Height() {
		w.Committed()
	}
}

// Seen takes what a body is that was held against its header and against an announced root: whoever has announced that much of
// this header was right, so that the block need not be read for it. It does not wait.
func (w *Witness) Seen(h *common.BlockHeader, root [32]byte, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting.fulfil(h, description{root, size})
}

// Committed says that the chain has grown. It does not wait.
func (w *Witness) Committed() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run compares what was said with what was committed until ctx ends.
func (w *Witness) Run(ctx context.Context) error {
	for {
		w.mu.Lock()
		due := w.waiting.take(w.Ledger.Height())
		w.mu.Unlock()
		for _, c := range due {
			if ctx.Err() != nil {
				return nil
			}
			if err := w.judge(c); err != nil {
				w.Log.Debug("claim not judged", "channel", w.Channel, "number", c.number(), "err", err)
			}
		}
		if len(due) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
	}
}
