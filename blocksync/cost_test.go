// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// BenchmarkBlock compares what a block costs from the bytes that came off the wire to the ledger with what nobody can do
// without: SHA-256 over its transactions, one proto.Unmarshal, the signature checks. They take turns in one run, over a
// chain of blocks; the best time of each block counts, because whatever else runs on the machine can only add to it.
//
//	verified-x-bare   decoded, taken into the buffer's form, verified
//	stored-x-bare     that, and appended to a ledger in memory (tmpfs)
//	synced-x-bare     that, on a real disk: what a sync of every block costs beside it
//	alloc-x-size      bytes allocated for a stored block, the decoded block and its bytes included, over its size; what the
//	                  bare cost allocates, proto.Unmarshal's copy included, is bare-alloc-x-size
func BenchmarkBlock(b *testing.B) {
	for _, o := range []struct {
		consensus string
		orderers  int
	}{{devnet.Raft, 1}, {devnet.BFT, 4}, {devnet.BFT, 7}} {
		for _, size := range []int{16 << 10, 160 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s=%d/size=%dKB", o.consensus, o.orderers, size>>10), func(b *testing.B) {
				benchmarkBlock(b, newPriced(b, o.consensus, o.orderers, max(32, 4<<20/size), size))
			})
		}
	}
}

func benchmarkBlock(b *testing.B, p *priced) {
	var allocated, bareAllocated uint64
	bundle, err := channelconfig.FromBlock(p.genesis)
	require.NoError(b, err)
	bare, verified, stored, synced := p.watch(), p.watch(), p.watch(), p.watch()
	for b.Loop() {
		memory, disk := open(b, "/dev/shm"), open(b, "")
		p.appendGenesis(b, memory, disk)
		bareAllocated += allocation(func() { p.bare(b, bare) })
		p.take(b, bundle, p.wire(), nil, verified)
		allocated += allocation(func() { p.take(b, bundle, p.wire(), memory, stored) })
		p.take(b, bundle, p.wire(), disk, synced)
		shut(b, memory, disk)
	}
	for name, w := range map[string]watch{"verified": verified, "stored": stored, "synced": synced} {
		b.ReportMetric(float64(w.total())/float64(bare.total()), name+"-x-bare")
	}
	b.ReportMetric(float64(allocated)/float64(p.bytes*b.N), "alloc-x-size")
	b.ReportMetric(float64(bareAllocated)/float64(p.bytes*b.N), "bare-alloc-x-size")
	b.ReportMetric(float64(bare.total().Microseconds())/float64(len(bare)), "bare-µs/block")
	b.ReportMetric(0, "ns/op")
}

// watch has the best time of each block.
type watch []time.Duration

// lap notes the time since start for block i and returns when the next block starts.
func (w watch) lap(i int, start time.Time) time.Time {
	now := time.Now()
	if spent := now.Sub(start); w[i] == 0 || spent < w[i] {
		w[i] = spent
	}
	return now
}

func (w watch) total() (sum time.Duration) {
	for _, d := range w {
		sum += d
	}
	return sum
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// allocation is how many bytes f allocates.
func allocation(f func()) uint64 {
	before := heapAllocated()
	f()
	return heapAllocated() - before
}

// open makes an empty ledger below a folder, if there is such a folder.
func open(b *testing.B, below string) *ledger.Ledger {
	if _, err := os.Stat(below); err != nil {
		below = ""
	}
	dir, err := os.MkdirTemp(below, "weft-cost")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	l, err := ledger.Open(dir, ledger.Options{})
	require.NoError(b, err)
	return l
}

func shut(b *testing.B, ledgers ...*ledger.Ledger) {
	for _, l := range ledgers {
		require.NoError(b, l.Close())
	}
}

func heapAllocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// priced is a signed chain as it comes off the wire, and what is needed to count its bare cost.
type priced struct {
	genesis *common.Block
	raw     [][]byte // behind the genesis block
	bytes   int
	checks  [][]check
}

type check struct {
	key       *ecdsa.PublicKey
	signed    []byte
	signature []byte
}

// newPriced makes a chain of blocks of 4 KiB transactions, each signed by a quorum.
func newPriced(b *testing.B, consensus string, orderers, blocks, size int) *priced {
	network := newOrdering(b, consensus, orderers)
	p := &priced{genesis: network.genesis}
	last := p.genesis.Header
	for range blocks {
		made := network.block(b, last, max(1, size>>12), 4<<10)
		p.checks = append(p.checks, network.checks(b, made))
		raw, err := proto.Marshal(made)
		require.NoError(b, err)
		p.raw, p.bytes, last = append(p.raw, raw), p.bytes+len(raw), made.Header
	}
	return p
}

func (p *priced) watch() watch { return make(watch, len(p.raw)) }

// bare is what no verifier can do without.
func (p *priced) bare(b *testing.B, w watch) {
	start := time.Now()
	for i, raw := range p.raw {
		parsed := &common.Block{}
		require.NoError(b, proto.Unmarshal(raw, parsed))
		hash := sha256.New()
		for _, tx := range parsed.Data.Data {
			hash.Write(tx)
		}
		require.True(b, bytes.Equal(parsed.Header.DataHash, hash.Sum(nil)))
		for _, c := range p.checks[i] {
			digest := sha256.Sum256(c.signed)
			require.True(b, ecdsa.VerifyASN1(c.key, digest[:], c.signature))
		}
		start = w.lap(i, start)
	}
}

func (p *priced) appendGenesis(b *testing.B, ledgers ...*ledger.Ledger) {
	for _, l := range ledgers {
		require.NoError(b, l.Append(p.genesis))
	}
}

// wire copies the blocks to where a stream would have read them: whoever decodes them takes these bytes over.
func (p *priced) wire() (blocks [][]byte) {
	for _, raw := range p.raw {
		blocks = append(blocks, bytes.Clone(raw))
	}
	return blocks
}

// take does what a node does with each block, up to the ledger if there is one.
func (p *priced) take(b *testing.B, bundle *channelconfig.Bundle, wire [][]byte, l *ledger.Ledger, w watch) {
	start := time.Now()
	verifier := channelconfig.NewVerifier(bundle, p.genesis.Header)
	for i, raw := range wire {
		parsed, err := blocksync.DecodeBlock(raw, uint64(i+1))
		require.NoError(b, err)
		c, err := blocksync.NewCandidate(parsed, "peer")
		require.NoError(b, err)
		require.NoError(b, verifier.Verify(c.Block))
		require.NoError(b, verifier.Advance(c.Block))
		if l != nil {
			require.NoError(b, l.Append(c.Block))
		}
		start = w.lap(i, start)
	}
}

// ordering is an ordering service whose keys the test holds.
type ordering struct {
	bft     bool
	genesis *common.Block
	signers []*devnet.Node // a quorum
	client  *devnet.Node
	random  *rand.ChaCha8
}

func newOrdering(t testing.TB, consensus string, orderers int) *ordering {
	t.Helper()
	now := time.Now()
	org, err := devnet.NewOrg("Org1", now)
	require.NoError(t, err)
	service, err := devnet.NewOrg("Orderer", now)
	require.NoError(t, err)
	o := &ordering{bft: consensus == devnet.BFT, random: rand.NewChaCha8([32]byte{})}
	o.client, err = org.Enroll("User1", devnet.Client, now)
	require.NoError(t, err)
	channel := devnet.Channel{ID: "cost", Orgs: []*devnet.Org{org}, Consensus: consensus, BatchTimeout: time.Second}
	for i := range orderers {
		node, err := service.Enroll(fmt.Sprintf("orderer%d", i), devnet.Orderer, now)
		require.NoError(t, err)
		tls, _, err := service.TLS(node.Name, nil, now)
		require.NoError(t, err)
		o.signers = append(o.signers, node)
		channel.Orderers = append(channel.Orderers, devnet.OrderingNode{
			Org: service, Address: fmt.Sprintf("127.0.0.1:%d", 7050+i), TLSCert: tls, Identity: node.CertPEM(),
		})
	}
	quorum := 1
	if o.bft {
		quorum = devnet.Quorum(orderers)
	}
	o.signers = o.signers[:quorum]
	o.genesis, err = devnet.Genesis(channel, now)
	require.NoError(t, err)
	require.NoError(t, block.Normalize(o.genesis))
	return o
}

// block makes the block behind a header, of n transactions of about size bytes.
func (o *ordering) block(t testing.TB, last *common.BlockHeader, n, size int) *common.Block {
	t.Helper()
	data := &common.BlockData{}
	for range n {
		tx, err := devnet.Transaction("cost", o.client, size-1500, o.random, time.Now())
		require.NoError(t, err)
		data.Data = append(data.Data, encode(t, tx))
	}
	b := &common.Block{
		Header: &common.BlockHeader{Number: last.Number + 1, PreviousHash: block.HeaderHash(last), DataHash: block.DataHash(data)},
		Data:   data,
	}
	signed := &common.Metadata{Value: encode(t, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{}})}
	for i, node := range o.signers {
		s := &common.MetadataSignature{}
		if o.bft {
			s.IdentifierHeader = encode(t, &common.IdentifierHeader{Identifier: uint32(i + 1), Nonce: make([]byte, 24)})
		} else {
			s.SignatureHeader = encode(t, &common.SignatureHeader{Creator: node.Serialize(), Nonce: make([]byte, 24)})
		}
		var err error
		s.Signature, err = node.Sign(signedBytes(signed, s, b.Header))
		require.NoError(t, err)
		signed.Signatures = append(signed.Signatures, s)
	}
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{encode(t, signed)}}
	require.NoError(t, block.Normalize(b))
	return b
}

// checks are the signature checks of a block, reduced to ECDSA.
func (o *ordering) checks(t testing.TB, b *common.Block) (all []check) {
	t.Helper()
	signed, err := block.DecodeSignatures(b.Metadata.Metadata[0])
	require.NoError(t, err)
	for i, s := range signed.Signatures {
		id, err := msp.ParseCreator(o.signers[i].Serialize())
		require.NoError(t, err)
		all = append(all, check{id.Certificate().PublicKey.(*ecdsa.PublicKey), signedBytes(signed, s, b.Header), s.Signature})
	}
	return all
}

func signedBytes(m *common.Metadata, s *common.MetadataSignature, h *common.BlockHeader) []byte {
	return bytes.Join([][]byte{m.Value, s.SignatureHeader, s.IdentifierHeader, block.HeaderBytes(h)}, nil)
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}
