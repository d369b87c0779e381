// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
)

// machine compares a ledger with a list of blocks through appends, full disks, reopens and crashes.
type machine struct {
	base    string
	options ledger.Options
	disk    *disk
	ledger  *ledger.Ledger
	dir     string
	chain   *chain
	first   map[string]uint64 // transaction -> first block
}

func TestLedgerIsAList(t *testing.T) {
	base := fastDir(t)
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{base: base, disk: &disk{space: 1 << 40}, chain: newChain(rapid.Uint64().Draw(t, "seed")), first: map[string]uint64{}}
		m.options = ledger.Options{Channel: "ch", SegmentSize: rapid.Int64Range(1, 3000).Draw(t, "segment")}.
			WithFlush(rapid.IntRange(1, 60).Draw(t, "flush")).WithOpen(m.disk.wrap)
		m.dir = m.newDir(t)
		m.open(t)
		defer func() { require.NoError(t, errors.Join(m.ledger.Close(), os.RemoveAll(m.dir))) }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.append, "full disk": m.fullDisk, "reopen": m.reopen, "crash": m.crash, "lose index": m.loseIndex,
			"": m.check,
		})
	})
}

func (m *machine) newDir(t *rapid.T) string {
	dir, err := os.MkdirTemp(m.base, "")
	require.NoError(t, err)
	return dir
}

func (m *machine) open(t *rapid.T) {
	l, err := ledger.Open(m.dir, m.options)
	require.NoError(t, err)
	m.ledger = l
}

func (m *machine) append(t *rapid.T) {
	from := len(m.chain.blocks)
	for range rapid.IntRange(1, 6).Draw(t, "blocks") {
		id := rapid.SampledFrom([]string{txID(len(m.chain.blocks)), "again", "and again"}).Draw(t, "tx")
		m.chain.block(rapid.IntRange(0, 400).Draw(t, "size"), txID(len(m.chain.blocks)), id)
	}
	require.NoError(t, m.ledger.Append(m.chain.blocks[from:]...))
	for n := from; n < len(m.chain.blocks); n++ {
		for _, tx := range m.chain.blocks[n].Data.Data {
			id, err := block.TxID(tx)
			require.NoError(t, err)
			if _, known := m.first[string(id)]; !known {
				m.first[string(id)] = uint64(n)
			}
		}
	}
}

func (m *machine) fullDisk(t *rapid.T) {
	height := len(m.chain.blocks)
	blocks := m.chain.add(rapid.IntRange(1, 4).Draw(t, "blocks"), 100)
	m.disk.space = rapid.Int64Range(0, sizeOf(blocks)-1).Draw(t, "space")
	require.ErrorIs(t, m.ledger.Append(blocks...), ledger.ErrFull)
	m.disk.space = 1 << 40
	m.chain.blocks = m.chain.blocks[:height]
}

func (m *machine) reopen(t *rapid.T) {
	require.NoError(t, m.ledger.Close())
	m.open(t)
}

// crash goes on with a copy of the directory as it is, with the beginning of another append behind it.
func (m *machine) crash(t *rapid.T) {
	killed := m.newDir(t)
	snapshot(t, m.dir, killed)
	require.NoError(t, m.ledger.Close())
	require.NoError(t, os.RemoveAll(m.dir))
	m.dir = killed
	if paths := segments(t, killed); len(paths) > 0 {
		f, err := os.OpenFile(paths[len(paths)-1], os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.Write(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "torn"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	m.open(t)
}

func (m *machine) loseIndex(t *rapid.T) {
	require.NoError(t, m.ledger.Close())
	require.NoError(t, os.Remove(index(m.dir)))
	m.open(t)
}

func (m *machine) check(t *rapid.T) {
	requireBlocks(t, m.ledger, m.chain.blocks)
	for id, want := range m.first {
		n, err := m.ledger.NumberByTx(id)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
}
