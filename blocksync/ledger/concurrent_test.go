// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
)

// Readers ask for what Height promises while blocks are appended, segments end and the tail moves into the index.
func TestReadersBesideTheAppender(t *testing.T) {
	c := newChain(1)
	c.add(400, 50)
	l := open(t, t.TempDir(), ledger.Options{SegmentSize: 5000}.WithFlush(40))
	require.NoError(t, l.Append(c.blocks[0]))

	var done atomic.Bool
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for !done.Load() {
				askOne(t, l, c, random.Uint64N(l.Height()))
				askOne(t, l, c, l.Height()-1)
			}
		})
	}
	for n := 1; n < len(c.blocks); n += 3 {
		require.NoError(t, l.Append(c.blocks[n:n+3]...))
	}
	done.Store(true)
	wg.Wait()
	requireBlocks(t, l, c.blocks)
}

// askOne must not end the test from a goroutine of its own.
func askOne(t *testing.T, l *ledger.Ledger, c *chain, n uint64) {
	hash := block.HeaderHash(c.blocks[n].GetHeader())
	b, err := l.Block(n)
	if err != nil || b.GetHeader().GetNumber() != n {
		t.Errorf("block %d: %v", n, err)
	}
	if got, err := l.NumberByHash(hash); err != nil || got != n {
		t.Errorf("hash of block %d: %d, %v", n, got, err)
	}
	if got, err := l.NumberByTx(txID(int(n))); err != nil || got != n {
		t.Errorf("transaction of block %d: %d, %v", n, got, err)
	}
}

func TestCloseBesideReaders(t *testing.T) {
	c := newChain(1)
	l := open(t, t.TempDir(), ledger.Options{}.WithFlush(8))
	require.NoError(t, l.Append(c.add(20, 50)...))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := l.Block(3); err != nil {
					if _, err := l.NumberByTx(txID(3)); err == nil {
						t.Error("an answer after ErrClosed")
					}
					return
				}
			}
		})
	}
	require.NoError(t, l.Close())
	wg.Wait()
	_, err := l.Block(3)
	require.ErrorIs(t, err, ledger.ErrClosed)
}
