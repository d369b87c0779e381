// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// sizes returns how many transactions each block after the genesis block has.
func sizes(t *testing.T, l *orderer.Memory) []int {
	t.Helper()
	var counts []int
	for n := uint64(1); n < l.Height(); n++ {
		b, err := l.Block(n)
		require.NoError(t, err)
		counts = append(counts, len(b.GetData().GetData()))
	}
	return counts
}

func TestBatches(t *testing.T) {
	const second = time.Second
	type submission struct {
		after time.Duration
		bytes int
	}
	small := submission{0, 10} // about 2.3 KB with its signature
	for name, tc := range map[string]struct {
		limits *pb.BatchSize
		txs    []submission
		blocks []int
	}{
		"count":                         {&pb.BatchSize{MaxMessageCount: 3, PreferredMaxBytes: 1 << 20}, []submission{small, small, small, small}, []int{3, 1}},
		"one a block":                   {&pb.BatchSize{MaxMessageCount: 1, PreferredMaxBytes: 1 << 20}, []submission{small, small}, []int{1, 1}},
		"preferred bytes":               {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 40_000}, []submission{{0, 15_000}, {0, 15_000}, {0, 15_000}}, []int{2, 1}},
		"big one alone":                 {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 40_000}, []submission{small, {0, 50_000}, small}, []int{1, 1, 1}},
		"big one first":                 {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 40_000}, []submission{{0, 50_000}, small, small}, []int{1, 2}},
		"timeout":                       {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 1 << 20}, []submission{small, {2 * second, 10}, {second / 2, 10}}, []int{1, 2}},
		"timeout counts from the first": {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 1 << 20}, []submission{small, {700 * time.Millisecond, 10}, {700 * time.Millisecond, 10}}, []int{2, 1}},
		"timeout starts with a cut":     {&pb.BatchSize{MaxMessageCount: 10, PreferredMaxBytes: 40_000}, []submission{{0, 30_000}, {700 * time.Millisecond, 30_000}, {700 * time.Millisecond, 10}}, []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, l := orderertest.New(t), orderer.NewMemory()
				tc.limits.AbsoluteMaxBytes = 1 << 20
				cfg := n.Config()
				cfg.Ledger, cfg.BatchSize = l, tc.limits
				o := n.Orderer(t, cfg)
				for _, tx := range tc.txs {
					time.Sleep(tx.after)
					require.NoError(t, o.Order(t.Context(), n.Transaction(t, tx.bytes)))
				}
				time.Sleep(2 * second)
				require.Equal(t, tc.blocks, sizes(t, l))
			})
		})
	}
}

// What it makes, Fabric's rules accept: through a new organization, a rotated CA and a signer of the new one.
func TestBlocksVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, l := orderertest.New(t), orderer.NewMemory()
		cfg := n.Config()
		cfg.Ledger = l
		var made []uint64
		cfg.OnBlock = func(number uint64, at time.Time, size int) {
			require.Equal(t, time.Now(), at)
			require.Greater(t, size, 1000)
			made = append(made, number)
		}
		o := n.Orderer(t, cfg)
		n.Fill(t, o, 3)
		require.EqualValues(t, 3, n.Configure(t, o, devnet.AddOrg(orderertest.Org(t, "Org3"))))
		n.Fill(t, o, 5)
		require.NoError(t, n.Ordering.RotateCA(time.Now()))
		require.EqualValues(t, 5, n.Configure(t, o, devnet.SetMSP(n.Ordering)))
		o.SetIdentity(orderertest.Signer(t, orderertest.Enroll(t, n.Ordering, "orderer0", devnet.Orderer)))
		n.Fill(t, o, 8)

		verifier := channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader())
		for number, lastConfig := range map[uint64]uint64{1: 0, 2: 0, 3: 3, 4: 3, 5: 5, 6: 5, 7: 5} {
			b, err := l.Block(number)
			require.NoError(t, err)
			index, err := block.LastConfig(b)
			require.NoError(t, err)
			require.Equal(t, lastConfig, index, "block %d", number)
		}
		for number := uint64(1); number < 8; number++ {
			b, err := l.Block(number)
			require.NoError(t, err)
			require.NoError(t, verifier.Verify(b), "block %d", number)
			require.NoError(t, verifier.Advance(b))
		}
		require.EqualValues(t, 2, verifier.Bundle().Sequence())
		require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7}, made)
	})
}

func TestMetadataIsThatOfARaftOrderer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, l := orderertest.New(t), orderer.NewMemory()
		cfg := n.Config()
		cfg.Ledger = l
		o := n.Orderer(t, cfg)
		n.Fill(t, o, 2)
		n.Configure(t, o, devnet.AddOrg(orderertest.Org(t, "Org3")))
		n.Fill(t, o, 4)
		for number, legacy := range map[uint64][]byte{1: {}, 2: {0x0a, 2, 8, 2}, 3: {0x0a, 2, 8, 2}} {
			b, err := l.Block(number)
			require.NoError(t, err)
			entries := b.GetMetadata().GetMetadata()
			require.Len(t, entries, 5)
			require.Equal(t, legacy, append([]byte{}, entries[1]...))
			for i := 2; i < 5; i++ {
				require.Empty(t, entries[i])
			}
			signed, value, err := block.OrdererMetadata(b.GetMetadata())
			require.NoError(t, err)
			require.Len(t, signed.GetSignatures(), 1)
			require.Empty(t, signed.GetSignatures()[0].GetIdentifierHeader())
			wrapped, raft := &common.Metadata{}, &etcdraft.BlockMetadata{}
			require.NoError(t, proto.Unmarshal(value.GetConsenterMetadata(), wrapped))
			require.NoError(t, proto.Unmarshal(wrapped.GetValue(), raft))
			require.Equal(t, []uint64{1}, raft.GetConsenterIds())
			require.EqualValues(t, 2, raft.GetNextConsenterId())
			require.Equal(t, number+2, raft.GetRaftIndex())
		}
		first, err := l.Block(1)
		require.NoError(t, err)
		_, value, err := block.OrdererMetadata(first.GetMetadata())
		require.NoError(t, err)
		require.Equal(t, []byte{0x0a, 0x07, 0x0a, 0x01, 0x01, 0x10, 0x02, 0x18, 0x03}, value.GetConsenterMetadata(), "as a real orderer's block 1")
	})
}

func TestRestartFromLedger(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		var heights []uint64
		for range 3 {
			l, err := ledger.Open(dir, ledger.Options{})
			require.NoError(t, err)
			cfg := n.Config()
			cfg.Ledger = l
			o, err := orderer.New(cfg)
			require.NoError(t, err)
			stop := n.Serve(t, o, n.Addresses[0])
			n.Fill(t, o, o.Height()+2)
			org := orderertest.Org(t, "Org"+string(rune('3'+len(heights))))
			n.Configure(t, o, devnet.AddOrg(org))
			n.Later = append(n.Later, org)
			n.Fill(t, o, o.Height()+1)
			heights = append(heights, o.Height())
			stop()
			require.ErrorIs(t, o.Order(t.Context(), n.Transaction(t, 10)), orderer.ErrStopped)
			_, err = o.Cut(t.Context())
			require.ErrorIs(t, err, orderer.ErrStopped)
			require.NoError(t, l.Close())
		}
		require.Equal(t, []uint64{5, 9, 13}, heights)

		l, err := ledger.Open(dir, ledger.Options{})
		require.NoError(t, err)
		verifier := channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader())
		for number := uint64(1); number < 13; number++ {
			b, err := l.Block(number)
			require.NoError(t, err)
			require.NoError(t, verifier.Verify(b), "block %d", number)
			require.NoError(t, verifier.Advance(b))
		}
		require.Len(t, verifier.Bundle().Orgs(), 5)

		cfg := orderertest.New(t).Config()
		cfg.Ledger = l
		_, err = orderer.New(cfg)
		require.ErrorIs(t, err, orderer.ErrOtherChain)
		require.NoError(t, l.Close())
	})
}

func TestNewChecksConfig(t *testing.T) {
	n := orderertest.New(t)
	for name, tc := range map[string]struct {
		change func(*orderer.Config)
		err    error
	}{
		"no genesis":             {func(c *orderer.Config) { c.Genesis = nil }, nil},
		"no identity":            {func(c *orderer.Config) { c.Identity = nil }, nil},
		"no certificate":         {func(c *orderer.Config) { c.TLS.Certificate = nil }, nil},
		"negative timeout":       {func(c *orderer.Config) { c.BatchTimeout = -1 }, nil},
		"genesis without data":   {func(c *orderer.Config) { c.Genesis = &common.Block{Header: &common.BlockHeader{}} }, channelconfig.ErrNotConfig},
		"identity of an app org": {func(c *orderer.Config) { c.Identity = orderertest.Signer(t, n.Client) }, orderer.ErrIdentity},
		"ledger that fails":      {func(c *orderer.Config) { c.Ledger = &brokenLedger{Memory: orderer.NewMemory(), after: 0} }, errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := n.Config()
			tc.change(&cfg)
			_, err := orderer.New(cfg)
			require.Error(t, err)
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			}
		})
	}
}

var errDisk = errors.New("disk full")

// brokenLedger cannot keep more than some blocks.
type brokenLedger struct {
	*orderer.Memory
	after uint64
}

func (l *brokenLedger) Append(blocks ...*common.Block) error {
	if l.Height() >= l.after {
		return errDisk
	}
	return l.Memory.Append(blocks...)
}

func TestLedgerFailureEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		cfg := n.Config()
		cfg.Ledger = &brokenLedger{Memory: orderer.NewMemory(), after: 1}
		o, err := orderer.New(cfg)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- o.Serve(t.Context(), n.Listen(n.Addresses[0])) }()
		require.NoError(t, o.Order(t.Context(), n.Transaction(t, 10)))
		_, err = o.Cut(t.Context())
		require.ErrorIs(t, err, errDisk)
		require.ErrorIs(t, <-done, errDisk)
		require.EqualValues(t, 1, o.Height())
	})
}

func TestServeRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		synctest.Wait()
		require.ErrorIs(t, o.Serve(t.Context()), orderer.ErrServing)
	})
}

func TestOrderWaitsForServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o, err := orderer.New(n.Config())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, o.Order(ctx, n.Transaction(t, 10)), context.DeadlineExceeded)
		_, err = o.Cut(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		defer n.Serve(t, o)() // no listener: in-process only
		n.Fill(t, o, 3)
		require.EqualValues(t, 3, o.Height())
	})
}

func TestBadConfigurationChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		_, err := o.Configure(t.Context(), &common.Config{}, nil)
		require.ErrorIs(t, err, channelconfig.ErrConfig)
		require.EqualValues(t, 1, o.Height())
		n.Fill(t, o, 2)
	})
}

func TestReadersThatStopDoNotSlowOrdering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		for range 5 { // they ask for everything and read nothing
			stream := deliver(t, n, nil)
			require.NoError(t, stream.Send(request(n, seek(oldest(), forever()))))
		}
		synctest.Wait()
		begin := time.Now()
		for range 12 {
			require.NoError(t, o.Order(t.Context(), n.Transaction(t, 50_000)))
			_, err := o.Cut(t.Context())
			require.NoError(t, err)
		}
		require.EqualValues(t, 13, o.Height())
		require.Less(t, time.Since(begin), time.Millisecond)
		open, _ := o.Streams()
		require.Equal(t, 5, open)
	})
}

// A transaction that was admitted under a configuration that is replaced before its turn is judged again.
func TestAdmissionIsJudgedAgainAfterConfigBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, l := orderertest.New(t), orderer.NewMemory()
		revoking, revoked := make(chan struct{}), make(chan struct{})
		cfg := n.Config()
		cfg.Ledger = l
		cfg.OnBlock = func(number uint64, _ time.Time, _ int) {
			if number == 1 {
				close(revoking)
				<-revoked
			}
		}
		o := n.Orderer(t, cfg)
		require.NoError(t, n.Org1.Revoke(n.Client.Certificate, time.Now()))
		config, err := devnet.Update(o.Bundle().Config(), devnet.SetMSP(n.Org1))
		require.NoError(t, err)
		configured, ordered := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := o.Configure(t.Context(), config, nil)
			configured <- err
		}()
		<-revoking
		go func() { ordered <- o.Order(t.Context(), n.Transaction(t, 10)) }()
		synctest.Wait()
		close(revoked)
		require.NoError(t, <-configured)
		require.NoError(t, <-ordered, "it was admitted")
		height, err := o.Cut(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, height, "and dropped")
	})
}
