// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

var benchSizes = []struct {
	name string
	size int
}{{"16KB", 16 << 10}, {"160KB", 160 << 10}, {"1MB", 1 << 20}}

// BenchmarkAppend asks how many durable blocks a second the ledger takes, one by one as the ordering service delivers
// them and 32 at a time as catch-up does, and how many bytes each byte of a block costs on the way to the disk,
// index included.
func BenchmarkAppend(b *testing.B) {
	for _, s := range benchSizes {
		for _, batch := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/batch=%d", s.name, batch), func(b *testing.B) { benchmarkAppend(b, s.size, batch) })
		}
	}
}

func benchmarkAppend(b *testing.B, size, batch int) {
	l, err := ledger.Open(b.TempDir(), ledger.Options{})
	require.NoError(b, err)
	c := newChain(1)
	blocks := make([]*common.Block, batch)
	for i := range blocks {
		blocks[i] = c.block(size, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
	}
	payload := proto.Size(blocks[0])
	b.SetBytes(int64(payload * batch))
	b.ReportAllocs()
	before := written(b)
	for b.Loop() {
		for i, block := range blocks {
			block.Header.Number = l.Height() + uint64(i)
		}
		if err := l.Append(blocks...); err != nil {
			b.Fatal(err)
		}
	}
	total := float64(l.Height()) * float64(payload)
	b.ReportMetric(float64(l.Height())/b.Elapsed().Seconds(), "blocks/s")
	require.NoError(b, l.Close())
	b.ReportMetric(float64(written(b)-before)/total, "written/payload")
}

// written is how many bytes the process has passed to write calls so far, as Linux counts them; elsewhere 0.
func written(b *testing.B) (n int64) {
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var read int64
	_, err = fmt.Sscanf(string(raw), "rchar: %d\nwchar: %d", &read, &n)
	require.NoError(b, err)
	return n
}

// BenchmarkRead asks what serving a block costs: from the index file and the page cache, without and with decoding.
func BenchmarkRead(b *testing.B) {
	for _, s := range benchSizes {
		c := newChain(1)
		dir := filled(b, ledger.Options{}, c.add(32, s.size))
		l := open(b, dir, ledger.Options{})
		b.Run(s.name+"/bytes", func(b *testing.B) {
			benchmarkRead(b, s.size, func(n uint64) error { _, err := l.Bytes(n); return err })
		})
		b.Run(s.name+"/block", func(b *testing.B) {
			benchmarkRead(b, s.size, func(n uint64) error { _, err := l.Block(n); return err })
		})
	}
}

func benchmarkRead(b *testing.B, size int, read func(uint64) error) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		if err := read(n % 32); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookup asks what a search over many runs costs: 1,000 full runs are 33 million entries.
func BenchmarkLookup(b *testing.B) {
	c := newChain(1)
	dir := filled(b, ledger.Options{}.WithFlush(1), c.add(1000, 10))
	l := open(b, dir, ledger.Options{})
	b.Run("oldest", func(b *testing.B) { benchmarkLookup(b, l, 0) })
	b.Run("newest", func(b *testing.B) { benchmarkLookup(b, l, 999) })
}

func benchmarkLookup(b *testing.B, l *ledger.Ledger, n int) {
	for b.Loop() {
		if _, err := l.NumberByTx(txID(n)); err != nil {
			b.Fatal(err)
		}
	}
}
