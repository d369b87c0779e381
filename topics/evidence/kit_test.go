// SPDX-License-Identifier: Apache-2.0

package evidence_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// world is a chain of which we have committed a part, and a member that announces.
type world struct {
	*blocktest.Chain
	t      testing.TB
	member *blocktest.Member
	ledger *ledger
	log    bytes.Buffer
}

// ledger is the committed part of the chain.
type ledger struct {
	mu     sync.Mutex // guards blocks
	blocks []*common.Block
	reads  int // of whole blocks
}

func (l *ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks))
}

func (l *ledger) at(number uint64) (*common.Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if number >= uint64(len(l.blocks)) {
		return nil, fmt.Errorf("no block %d", number)
	}
	return l.blocks[number], nil
}

func (l *ledger) Bytes(number uint64) ([]byte, error) {
	b, err := l.at(number)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(b)
}

func (l *ledger) HeaderHash(number uint64) ([]byte, error) {
	b, err := l.at(number)
	if err != nil {
		return nil, err
	}
	return block.HeaderHash(b.Header), nil
}

// newWorld makes a chain of big blocks, of which the first are committed.
func newWorld(t testing.TB, length, committed, size int) *world {
	w := &world{Chain: blocktest.New(t), t: t}
	w.Grow(t, length-1, size)
	w.ledger = &ledger{blocks: w.Blocks[:committed]}
	w.member = w.Member(t, w.Org1, "announcer", devnet.Peer)
	return w
}

func (w *world) commit() {
	w.ledger.mu.Lock()
	w.ledger.blocks = w.Blocks[:len(w.ledger.blocks)+1]
	w.ledger.mu.Unlock()
}

func (w *world) genesisHash() []byte { return block.HeaderHash(w.Genesis.Header) }

func (w *world) scope() string {
	return topics.Name(topics.Announcements, w.Channel, w.genesisHash())
}

func (w *world) place(config uint64) evidence.Place {
	return evidence.Place{Channel: w.Channel, Genesis: w.genesisHash(), Config: config, Found: time.Now()}
}

// fork is a signed block with our history and another content.
func (w *world) fork(number int) *common.Block {
	return w.Block(w.t, w.Blocks[number-1], w.Next(w.t, 100).Data.Data...)
}

func attest(b *common.Block) evidence.Attestation {
	return evidence.Attestation{Header: b.Header, Signatures: b.Metadata.Metadata[0]}
}

func body(t testing.TB, b *common.Block) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b.Data)
	require.NoError(t, err)
	return raw
}

// announce is a sealed announcement of b, altered.
func (w *world) announce(m *blocktest.Member, b *common.Block, alter func(*topics.Announcement)) []byte {
	a, err := topics.Announce(b)
	require.NoError(w.t, err)
	alter(a)
	content, err := a.Marshal()
	require.NoError(w.t, err)
	return m.Seal(w.t, topics.Purpose, w.scope(), content)
}

func truly(*topics.Announcement) {}

func falseRoot(a *topics.Announcement) { a.Root[0] ^= 1 }

// witness makes a witness on the committed chain.
func (w *world) witness(dir string) *evidence.Witness {
	witness, err := evidence.New(evidence.Config{
		Channel: w.Channel, Genesis: w.genesisHash(), Ledger: w.ledger, Dir: dir,
		Admits:   func(id *msp.Identity) bool { return w.InForce().Member(id) == nil },
		Complete: msp.NewRecords(8).Complete, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	require.NoError(w.t, err)
	return witness
}

// hear has a message judged as it comes from the topic.
func (w *world) hear(witness *evidence.Witness, raw []byte) topics.Judgement {
	j := topics.Judge(func() (*msp.Sealed, error) {
		return msp.NewRecords(8).Unseal(topics.Purpose, w.scope(), raw, time.Now())
	}, chain{w, witness})
	witness.Heard(j, raw)
	return j
}

// chain is what announcements are judged by.
type chain struct {
	*world
	witness *evidence.Witness
}

func (c chain) Distrusts(id *msp.Identity) bool { return c.witness.Distrusts(id) }

func (c chain) Position() topics.Position {
	height := c.ledger.Height()
	hash, err := c.ledger.HeaderHash(height - 1)
	require.NoError(c.t, err)
	bundle, err := channelconfig.FromBlock(c.Genesis)
	require.NoError(c.t, err)
	return topics.Position{Height: height, Head: hash, Bundle: bundle}
}

func (c chain) HashAt(number uint64) []byte {
	hash, err := c.ledger.HeaderHash(number)
	if err != nil {
		return nil
	}
	return hash
}

// settle runs a witness until it has nothing to do. In a synctest bubble.
func settle(t testing.TB, witness *evidence.Witness, wait func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- witness.Run(ctx) }()
	wait()
	cancel()
	require.NoError(t, <-done)
}
