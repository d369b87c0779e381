// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// offer is a block that somebody brings.
type offer struct {
	*common.Block
	from peer.ID
}

// turns is a chain whose ordering organization changes its CA now and then: a block counts under one configuration only.
type turns struct {
	*blocktest.Chain
	signers []*msp.SigningIdentity // of each block
}

func drawTurns(t *testing.T, r *rapid.T) *turns {
	c := &turns{Chain: blocktest.New(t)}
	c.signers = append(c.signers, c.Identity)
	for range rapid.IntRange(3, 12).Draw(r, "steps") {
		switch rapid.SampledFrom([]string{"grow", "grow", "rotate", "configure"}).Draw(r, "step") {
		case "rotate":
			org := orderertest.Org(t, "Orderer")
			c.Configure(t, devnet.SetMSP(org))
			c.signers = append(c.signers, c.Identity)
			c.Ordering, c.Identity = org, orderertest.Signer(t, orderertest.Enroll(t, org, "orderer0", devnet.Orderer))
		case "configure":
			c.Configure(t, devnet.SetAnchors("Org1", fmt.Sprintf("peer:%d", 7000+c.Height())))
			c.signers = append(c.signers, c.Identity)
		default:
			c.Grow(t, rapid.IntRange(1, 4).Draw(r, "blocks"), 100)
			for len(c.signers) < len(c.Blocks) {
				c.signers = append(c.signers, c.Identity)
			}
		}
	}
	return c
}

// alterations are what a liar may do to a block.
var alterations = map[string]func(t *testing.T, c *turns, b *common.Block){
	"content":     func(_ *testing.T, _ *turns, b *common.Block) { b.Data.Data[0][9] ^= 1 },
	"transaction": func(_ *testing.T, _ *turns, b *common.Block) { b.Data.Data = append(b.Data.Data, []byte("more")) },
	"boundary": func(t *testing.T, c *turns, b *common.Block) { // keeps the data hash, and the signatures
		b.Data.Data = [][]byte{b.Data.Data[0][:7], b.Data.Data[0][7:]}
	},
	"signature": func(_ *testing.T, _ *turns, b *common.Block) {
		entry0 := b.Metadata.Metadata[0]
		entry0[len(entry0)-1] ^= 1
	},
	"unsigned":     func(_ *testing.T, _ *turns, b *common.Block) { b.Metadata = nil },
	"first signer": func(t *testing.T, c *turns, b *common.Block) { blocktest.SignAs(t, b, 0, c.signers[0]) },
	"last signer":  func(t *testing.T, c *turns, b *common.Block) { blocktest.SignAs(t, b, 0, c.Identity) },
	"fork": func(t *testing.T, c *turns, b *common.Block) {
		b.Header.PreviousHash = bytes.Repeat([]byte{7}, 32)
		blocktest.SignAs(t, b, 0, c.signers[b.Header.Number])
	},
}

// offers are candidates for all numbers from first on, true and altered, in any order, so that one peer brings both.
func (c *turns) offers(t *testing.T, r *rapid.T, first int) (all []offer) {
	liars := rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(keys(alterations))), 0, 8).Draw(r, "alterations")
	for _, b := range c.Blocks[first:] {
		all = append(all, offer{b, peer.ID(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "from"))})
	}
	for _, kind := range liars {
		b := proto.CloneOf(c.Blocks[rapid.IntRange(first, len(c.Blocks)-1).Draw(r, "altered")])
		alterations[kind](t, c, b)
		all = append(all, offer{b, peer.ID(rapid.SampledFrom([]string{"a", "b", "c", "liar"}).Draw(r, "from"))})
	}
	return rapid.Permutation(all).Draw(r, "order")
}

func keys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// play brings the first block, all offers while that one is being stored, and at last the true blocks once more. It returns
// what was committed and who was blamed for what, in order, and how many blocks were examined ahead.
func (c *turns) play(t *testing.T, workers int, offers []offer, hand handing) (transcript string, ahead int) {
	var events bytes.Buffer
	store := &memory{blocks: c.Blocks[:1:1], gate: make(chan struct{})}
	s, err := blocksync.New(blocksync.Config{
		Channel: c.Channel, Ledger: store, Verifier: c.Verifier(t, 1),
		Verified: func(b *common.Block, from peer.ID) {
			fmt.Fprintf(&events, "verified %d of %s\n", b.Header.Number, from)
		},
		Log: slog.New(slog.NewTextHandler(&events, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: untimed})),
	})
	require.NoError(t, err)
	s.Workers(workers)
	stop := background(t, s.Run)
	s.Offer(c.Blocks[1], "first")
	synctest.Wait()
	for _, o := range offers {
		hand(s, o)
	}
	synctest.Wait()
	ahead = s.Examined()
	close(store.gate)
	synctest.Wait()
	for _, b := range c.Blocks[s.Position().Height:] {
		s.Offer(b, "last")
		synctest.Wait()
	}
	require.NoError(t, stop())
	require.Equal(t, c.Height(), s.Position().Height, "nobody can stop the chain")
	for i, b := range store.blocks {
		require.True(t, proto.Equal(c.Blocks[i].Header, b.Header) && proto.Equal(c.Blocks[i].Data, b.Data), "block %d", i)
	}
	require.Equal(t, block.HeaderHash(c.Blocks[len(c.Blocks)-1].Header), s.Position().Head)
	return events.String(), ahead
}

// handing is how what peers bring is handed over.
type handing func(*blocksync.Sync, offer)

func asItCame(s *blocksync.Sync, o offer) { s.Offer(o.Block, o.from) }

func examined(s *blocksync.Sync, o offer) {
	b := proto.CloneOf(o.Block)
	if block.Normalize(b) != nil {
		asItCame(s, o)
		return
	}
	s.OfferExamined(channelconfig.Examine(b, s.Position().Bundle), o.from)
}

func untimed(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// Whatever comes in, and whatever a configuration block changes in between: the same blocks are stored, the same sources are
// blamed for the same, in the same order, be the blocks examined ahead of their turn, before they are handed over or not.
func TestParallelVerdictsAreTheSerialOnes(t *testing.T) {
	ahead := 0
	rapid.Check(t, func(r *rapid.T) {
		c := drawTurns(t, r)
		offers := c.offers(t, r, 2)
		var serial, parallel, before string
		var none, some int
		synctest.Test(t, func(t *testing.T) { serial, none = c.play(t, 0, offers, asItCame) })
		synctest.Test(t, func(t *testing.T) { parallel, some = c.play(t, 3, offers, asItCame) })
		synctest.Test(t, func(t *testing.T) { before, _ = c.play(t, 0, offers, examined) })
		require.Zero(r, none)
		require.Equal(r, serial, parallel)
		require.Equal(r, serial, before)
		ahead += some
	})
	require.Positive(t, ahead, "nothing was examined ahead")
}

// idle runs a sync whose chain has grown to a height and that has nothing but the genesis block.
func idle(t *testing.T, height, workers int, change ...func(*blocksync.Config)) (*blocktest.Chain, *blocksync.Sync, func() error) {
	c := blocktest.New(t)
	c.Grow(t, height-1, 10)
	cfg := blocksync.Config{Channel: c.Channel, Ledger: &memory{blocks: c.Blocks[:1:1]}, Verifier: c.Verifier(t, 1)}
	for _, f := range change {
		f(&cfg)
	}
	s, err := blocksync.New(cfg)
	require.NoError(t, err)
	s.Workers(workers)
	return c, s, background(t, s.Run)
}

func TestExaminesAheadWithinReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, stop := idle(t, 150, 2)
		for _, b := range c.Blocks[2:] {
			require.Equal(t, blocksync.Stored, s.Offer(b, "a"))
		}
		synctest.Wait()
		require.Equal(t, blocksync.BatchBlocks, s.Examined())
		s.Offer(c.Blocks[1], "a")
		synctest.Wait()
		require.Equal(t, c.Height(), s.Position().Height)
		require.NoError(t, stop())
	})
}

// A block that comes alone is judged by the writer, which has nothing else to do; one that comes while the writer waits for
// the disk is judged meanwhile.
func TestTheBlockThatIsDueIsNotHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *blocksync.Sync
		var ahead []int
		store := &memory{}
		c, s, stop := idle(t, 5, 2, func(cfg *blocksync.Config) {
			store.blocks = cfg.Ledger.(*memory).blocks
			cfg.Ledger = store
			cfg.Verified = func(*common.Block, peer.ID) { ahead = append(ahead, s.Examined()) }
		})
		for _, b := range c.Blocks[1:3] {
			s.Offer(b, "a")
			synctest.Wait()
		}
		gate := make(chan struct{})
		store.set(func() { store.gate = gate })
		s.Offer(c.Blocks[3], "a")
		synctest.Wait()
		s.Offer(c.Blocks[4], "a")
		synctest.Wait()
		require.Equal(t, 1, s.Examined())
		close(gate)
		synctest.Wait()
		require.Equal(t, []int{0, 0, 0, 1}, ahead)
		require.NoError(t, stop())
	})
}

func TestNothingIsExaminedBeyondABadBlockOfTheSameSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, stop := idle(t, 10, 1)
		bad := proto.CloneOf(c.Blocks[2])
		bad.Metadata = nil
		s.Offer(bad, "liar")
		for _, b := range c.Blocks[3:6] {
			s.Offer(b, "liar")
		}
		for _, b := range c.Blocks[6:] {
			s.Offer(b, "a")
		}
		synctest.Wait()
		require.Equal(t, 1+4, s.Examined())
		require.NoError(t, stop())
	})
}

// Run ends while blocks are examined, and everything that it has started with it.
func TestStopsWhileExamining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, stop := idle(t, 60, 4)
		for _, b := range c.Blocks[2:] {
			s.Offer(b, "a")
		}
		require.NoError(t, stop())
		require.ErrorIs(t, s.WaitHeight(t.Context(), 2), blocksync.ErrStopped)
	})
}
