// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/chance"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		appendUntilKilled(dir)
	}
	chance.Fix()
	goleak.VerifyTestMain(m)
}

func TestAppendAndRead(t *testing.T) {
	c := newChain(1)
	dir := t.TempDir()
	o := ledger.Options{SegmentSize: 2000, Channel: "ch"}
	l := open(t, dir, o)
	require.Zero(t, l.Height())
	require.NoError(t, l.Append())

	require.NoError(t, l.Append(c.add(1, 300)...))
	require.NoError(t, l.Append(c.add(5, 300)...))
	require.NoError(t, l.Append(c.add(1, 5000)...), "a block larger than a segment")
	require.NoError(t, l.Append(c.add(20, 3)...))
	requireBlocks(t, l, c.blocks)
	require.Greater(t, len(segments(t, dir)), 2)

	require.NoError(t, l.Close())
	l = open(t, dir, o)
	requireBlocks(t, l, c.blocks)
	require.Equal(t, l.Height(), l.Indexed(), "Close leaves nothing to roll forward")
	require.NoError(t, l.Append(c.add(3, 300)...))
	requireBlocks(t, l, c.blocks)
}

func TestBlockDecodes(t *testing.T) {
	c := newChain(1)
	b := c.block(100, "a", "b")
	b.Metadata.Metadata[0] = []byte("signatures")
	l := open(t, t.TempDir(), ledger.Options{})
	require.NoError(t, l.Append(b))
	got, err := l.Block(0)
	require.NoError(t, err)
	require.Equal(t, marshal(b), marshal(got))
}

func TestAppendRefuses(t *testing.T) {
	c := newChain(1)
	c.add(3, 50)
	mebibyte := bytes.Repeat([]byte{1}, 1<<20)
	large := &common.Block{Header: &common.BlockHeader{Number: 1}, Data: &common.BlockData{}}
	for range ledger.MaxBlock >> 20 {
		large.Data.Data = append(large.Data.Data, mebibyte)
	}
	tests := map[string]struct {
		blocks []*common.Block
		want   error
	}{
		"a block that is there":      {c.blocks[:1], ledger.ErrGap},
		"a gap":                      {c.blocks[2:], ledger.ErrGap},
		"a gap inside the call":      {[]*common.Block{c.blocks[1], c.blocks[1]}, ledger.ErrGap},
		"no header":                  {[]*common.Block{{}}, ledger.ErrGap},
		"nil":                        {[]*common.Block{nil}, ledger.ErrGap},
		"more than the largest size": {[]*common.Block{large}, ledger.ErrTooLarge},
	}
	l := open(t, t.TempDir(), ledger.Options{})
	require.NoError(t, l.Append(c.blocks[0]))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, l.Append(tt.blocks...), tt.want)
			requireBlocks(t, l, c.blocks[:1])
		})
	}
	require.NoError(t, l.Append(c.blocks[1:]...))
	requireBlocks(t, l, c.blocks)
}

func TestLookupsOfWhatIsNotThere(t *testing.T) {
	c := newChain(1)
	l := open(t, t.TempDir(), ledger.Options{}.WithFlush(4))
	require.NoError(t, l.Append(c.add(5, 50)...))
	_, err := l.Block(5)
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.Size(1 << 63)
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.HeaderHash(5)
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.NumberByHash([]byte("short"))
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.NumberByHash(make([]byte, 32))
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.NumberByHash(bytes.Repeat([]byte{0xff}, 32))
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.NumberByTx(strings.Repeat("x", 1<<16))
	require.ErrorIs(t, err, ledger.ErrNotFound)
	_, err = l.NumberByTx("")
	require.ErrorIs(t, err, ledger.ErrNotFound)
}

// A transaction ID may come again: Fabric stores it, marks it invalid and answers with the first block.
func TestFirstBlockKeepsTheTransaction(t *testing.T) {
	for _, flush := range []int{1, 8, 1000} {
		c := newChain(1)
		long := strings.Repeat("long", 1<<14) // longer than a key may be in bbolt
		c.block(50, "once", long)
		c.block(50, "again", "again")
		c.block(50, "once", "", "again")
		c.blocks[2].Data.Data = append(c.blocks[2].Data.Data, []byte("not an envelope"), nil)
		c.block(50, "last", long)

		dir := t.TempDir()
		l := open(t, dir, ledger.Options{}.WithFlush(flush))
		for _, b := range c.blocks {
			require.NoError(t, l.Append(b))
		}
		require.NoError(t, l.Append(c.block(50, "once")))
		for range 2 {
			for id, want := range map[string]uint64{"once": 0, long: 0, "again": 1, "last": 3} {
				n, err := l.NumberByTx(id)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
			require.NoError(t, l.Close())
			l = open(t, dir, ledger.Options{})
		}
	}
}

func TestManyRuns(t *testing.T) {
	c := newChain(1)
	l := open(t, t.TempDir(), ledger.Options{SegmentSize: 4000}.WithFlush(1))
	for range 150 {
		require.NoError(t, l.Append(c.add(1, 20)...))
	}
	require.Equal(t, uint64(150), l.Indexed())
	requireBlocks(t, l, c.blocks)
}

func TestInUse(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	_, err := ledger.Open(dir, ledger.Options{})
	require.ErrorIs(t, err, ledger.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, l.Append(newChain(1).add(1, 10)...), "the refused one disturbs nothing")
	require.NoError(t, l.Close())
	open(t, dir, ledger.Options{})
}

func TestOtherChannel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l := open(t, dir, ledger.Options{Channel: "mine"})
	require.NoError(t, l.Close())
	_, err := ledger.Open(dir, ledger.Options{Channel: "yours"})
	require.ErrorIs(t, err, ledger.ErrOtherChannel)
	require.ErrorContains(t, err, `"mine"`)
	open(t, dir, ledger.Options{})
}

func TestClosed(t *testing.T) {
	c := newChain(1)
	l := open(t, t.TempDir(), ledger.Options{})
	require.NoError(t, l.Append(c.add(2, 10)...))
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(c.add(1, 10)...), ledger.ErrClosed)
	_, err := l.Block(0)
	require.ErrorIs(t, err, ledger.ErrClosed)
	_, err = l.NumberByHash(block.HeaderHash(c.blocks[0].GetHeader()))
	require.ErrorIs(t, err, ledger.ErrClosed)
	_, err = l.NumberByTx(txID(0))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.Equal(t, uint64(2), l.Height())
}

// The nodes of a simulated network keep their blocks here while time is virtual.
func TestInsideABubble(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newChain(1)
		for range 3 {
			l, err := ledger.Open(dir, ledger.Options{})
			require.NoError(t, err)
			require.NoError(t, l.Append(c.add(3, 100)...))
			requireBlocks(t, l, c.blocks)
			require.NoError(t, l.Close())
		}
	})
}

func TestAppendAllocatesLittle(t *testing.T) {
	c := newChain(1)
	blocks := c.add(200, 64<<10)
	l := open(t, t.TempDir(), ledger.Options{})
	next := 0
	allocs := testing.AllocsPerRun(len(blocks)-1, func() {
		if err := l.Append(blocks[next]); err != nil {
			t.Error(err)
		}
		next++
	})
	require.Less(t, allocs, 25.0)
}
