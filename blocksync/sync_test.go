// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func TestCatchUp(t *testing.T) {
	for name, c := range map[string]struct {
		blocks, size int
		within       time.Duration
	}{
		"300 small blocks":   {300, 100, 2 * time.Second},
		"20 blocks of 1.5MB": {20, 3 << 19, 5 * time.Second},
		"one of 9 MB":        {1, 9 << 20, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, c.blocks, c.size)
				full, behind := n.node(t, c.blocks+1), n.node(t, 1)
				connect(t, behind, full)
				behind.Have(full.ID(), uint64(c.blocks)+1)
				n.requireHeight(t, behind, uint64(c.blocks)+1, c.within)
				require.EqualValues(t, c.blocks+1, behind.Highest())
			})
		})
	}
}

func TestCatchUpFromSeveralAndFromWhoComesLater(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 100, 1000)
		a, b, behind := n.node(t, 41), n.node(t, 101), n.node(t, 1)
		connect(t, behind, a, b)
		behind.Have(a.ID(), 41)
		n.requireHeight(t, behind, 41, 5*time.Second)
		behind.Have(b.ID(), 101)
		n.requireHeight(t, behind, 101, 5*time.Second)
		a.Have(behind.ID(), 101) // who has caught up serves
		n.requireHeight(t, a, 101, 5*time.Second)
	})
}

func TestSubmitInOrderAndTellsEverybody(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 3, 100)
		n.Configure(t, devnet.SetBatchSize(n.InForce().BatchSize()))
		n.Grow(t, 1, 100)
		var verified []uint64
		var heights []uint64
		var changed []*channelconfig.Bundle
		registry := prometheus.NewRegistry()
		nd := n.node(t, 1, func(c *blocksync.Config) {
			c.Verified = func(b *common.Block, from peer.ID) {
				require.Empty(t, from)
				verified = append(verified, b.Header.Number)
			}
			c.Committed = func(height uint64, b *channelconfig.Bundle) {
				heights, changed = append(heights, height), append(changed, b)
			}
			c.Registerer = registry
		})
		for _, b := range n.Blocks[1:] {
			require.NoError(t, nd.Submit(t.Context(), b))
			require.NoError(t, nd.Submit(t.Context(), b), "again is no fault")
			synctest.Wait()
		}
		n.requireHeight(t, nd, 6, time.Second)
		require.Equal(t, []uint64{1, 2, 3, 4, 5}, verified)
		require.Equal(t, []uint64{2, 3, 4, 5, 6}, heights)
		require.Nil(t, changed[2])
		require.EqualValues(t, 4, changed[3].Number())
		require.EqualValues(t, 4, nd.Position().Bundle.Number())
		families, err := registry.Gather()
		require.NoError(t, err)
		require.NotEmpty(t, families)
		lint, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		require.Empty(t, lint)
	})
}

func TestOfferedAheadIsCommittedWhenTheGapCloses(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 200, 10)
		nd := n.node(t, 1)
		for number := 200; number > 1; number-- {
			require.Equal(t, blocksync.Stored, nd.Offer(n.Blocks[number], "peer"))
		}
		synctest.Wait()
		require.EqualValues(t, 1, nd.Position().Height)
		require.Equal(t, blocksync.Stored, nd.Offer(n.Blocks[1], "other"))
		n.requireHeight(t, nd, 201, time.Second)
		require.Equal(t, blocksync.Stale, nd.Offer(n.Blocks[1], "other"))
	})
}

// TestForgedFirst: a forgery that comes before the true block does not shadow it, and whoever brought it loses the rest.
func TestForgedFirst(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 4, 10)
		nd := n.node(t, 1)
		require.Equal(t, blocksync.Stored, nd.Offer(n.forged(2), "liar"))
		require.Equal(t, blocksync.Stored, nd.Offer(n.clone(3), "liar"))
		require.Equal(t, blocksync.Repeated, nd.Offer(n.clone(2), "liar"))
		require.Equal(t, blocksync.Stored, nd.Offer(n.clone(2), "honest"))
		require.Equal(t, blocksync.Stored, nd.Offer(n.clone(1), "honest"))
		n.requireHeight(t, nd, 3, time.Second)
		synctest.Wait()
		require.EqualValues(t, 3, nd.Position().Height, "block 3 of the liar is dropped")
		require.Equal(t, blocksync.Stored, nd.Offer(n.clone(3), "liar"), "but may be brought again")
		n.requireHeight(t, nd, 4, time.Second)
	})
}

func TestUnvouchedBytesStayBehind(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 1, 10)
		junk := protowire.AppendBytes(protowire.AppendTag(nil, 1000, protowire.BytesType), make([]byte, 1<<20))
		b := n.clone(1)
		b.ProtoReflect().SetUnknown(junk)
		b.Header.ProtoReflect().SetUnknown(junk)
		b.Data.ProtoReflect().SetUnknown(junk)
		b.Metadata.Metadata = append(b.Metadata.Metadata, junk)
		before := proto.CloneOf(b)
		nd := n.node(t, 1)
		require.Equal(t, blocksync.Stored, nd.Offer(b, "peer"))
		n.requireHeight(t, nd, 2, time.Second)
		require.True(t, proto.Equal(before, b), "the caller's block is left alone")
	})
}

func TestOfferOfWhatIsNoBlock(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		nd := n.node(t, 1)
		bad := proto.CloneOf(n.Genesis)
		bad.Metadata.Metadata[0] = []byte{0xff}
		for _, b := range []*common.Block{nil, {}, {Header: nil, Data: n.Genesis.Data}, bad} {
			require.Equal(t, blocksync.Unusable, nd.Offer(b, "peer"))
			require.ErrorIs(t, nd.Submit(t.Context(), b), blocksync.ErrRejected)
		}
	})
}

func TestBadBlockOfOurOwnSource(t *testing.T) {
	t.Run("is told once, and the source begins again", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 3, 10)
			nd := n.node(t, 1)
			require.NoError(t, nd.Submit(t.Context(), n.forged(1)))
			synctest.Wait()
			err := nd.Submit(t.Context(), n.clone(2))
			require.ErrorIs(t, err, blocksync.ErrRejected)
			require.ErrorIs(t, err, channelconfig.ErrDataHash)
			for _, b := range n.Blocks[1:] {
				require.NoError(t, nd.Submit(t.Context(), b))
			}
			n.requireHeight(t, nd, 4, time.Second)
		})
	})
	t.Run("is not told to a source that has begun again already", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, 2, 10)
			nd := n.node(t, 1)
			require.NoError(t, nd.Submit(t.Context(), n.forged(1)))
			synctest.Wait()
			for _, b := range n.Blocks[1:] {
				require.NoError(t, nd.Submit(t.Context(), b))
			}
			n.requireHeight(t, nd, 3, time.Second)
		})
	})
	t.Run("wakes a submit that waits for room", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *net) {
			n.Grow(t, blocksync.Window+2, 10)
			nd := n.node(t, 1)
			for number := 2; number <= blocksync.Window; number++ {
				require.NoError(t, nd.Submit(t.Context(), n.clone(number)))
			}
			waits := background(t, func(ctx context.Context) error { return nd.Submit(ctx, n.clone(blocksync.Window+1)) })
			require.Equal(t, blocksync.Stored, nd.Offer(n.forged(1), "peer"))
			require.NoError(t, nd.Submit(t.Context(), n.forged(1)))
			synctest.Wait()
			require.ErrorIs(t, waits(), blocksync.ErrRejected)
		})
	})
}

// TestPeersCannotTakeOurSourcesPlace: four forgeries of the next block by peers, and our own source's is stored all the same.
func TestPeersCannotTakeOurSourcesPlace(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 2, 10)
		nd := n.node(t, 1)
		for _, liar := range []peer.ID{"a", "b", "c", "d"} {
			require.Equal(t, blocksync.Stored, nd.Offer(n.forged(2), liar))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, nd.Submit(ctx, n.clone(2)))
		require.NoError(t, nd.Submit(ctx, n.clone(1)))
		n.requireHeight(t, nd, 3, time.Second)
	})
}

func TestSubmitWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, blocksync.Window+10, 10)
		nd := n.node(t, 1)
		gate := make(chan struct{})
		nd.ledger.set(func() { nd.ledger.gate = gate })
		var submitted atomic.Int64
		submit := background(t, func(ctx context.Context) error {
			for _, b := range n.Blocks[1:] {
				if err := nd.Submit(ctx, b); err != nil {
					return err
				}
				submitted.Add(1)
			}
			return nil
		})
		time.Sleep(time.Hour)
		require.EqualValues(t, blocksync.Window, submitted.Load(), "the ordering service is held up")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, nd.Submit(ctx, n.Blocks[blocksync.Window+1]), context.DeadlineExceeded)
		close(gate)
		n.requireHeight(t, nd, blocksync.Window+11, time.Second)
		require.NoError(t, submit())
	})
}

func TestLedgerErrorEndsRun(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 2, 10)
		nd := n.node(t, 1)
		nd.ledger.set(func() { nd.ledger.broken = errDisk })
		waits := background(t, func(ctx context.Context) error { return nd.WaitHeight(ctx, 2) })
		require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
		synctest.Wait()
		require.ErrorIs(t, waits(), blocksync.ErrStopped)
		err := nd.stop()
		require.ErrorIs(t, err, errDisk)
		require.ErrorContains(t, err, "commit blocks 1 to 1 of channel "+n.Channel)
		require.ErrorIs(t, nd.WaitHeight(t.Context(), 5), blocksync.ErrStopped)
		require.NoError(t, nd.WaitHeight(t.Context(), 1), "what is there is there")
	})
}

func TestSubmitAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, blocksync.Window+2, 10)
		nd := n.node(t, 1)
		require.NoError(t, nd.stop())
		require.ErrorIs(t, nd.Submit(t.Context(), n.clone(blocksync.Window+1)), blocksync.ErrStopped)
	})
}

func TestNewChecksWhereItStands(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 2, 10)
		_, err := blocksync.New(blocksync.Config{Channel: "c", Ledger: &memory{}, Verifier: n.Verifier(t, 1)})
		require.ErrorContains(t, err, "height 0")
		_, err = blocksync.New(blocksync.Config{Channel: "c", Ledger: &memory{blocks: n.Blocks[:2]}, Verifier: n.Verifier(t, 1)})
		require.ErrorContains(t, err, "verifier at 1")
	})
}

func TestHeaderTip(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 4, 10)
		hash := func(number int) []byte { return block.HeaderHash(n.Blocks[number].Header) }
		nd := n.node(t, 2)
		require.Equal(t, hash(1), nd.HashAt(1))
		require.Nil(t, nd.HashAt(2))
		nd.Extend(1, []byte("old"))
		nd.Extend(2, hash(2))
		nd.Extend(3, []byte("another block was committed"))
		nd.Extend(2+blocksync.Window, []byte("too far"))
		require.Equal(t, hash(1), nd.HashAt(1))
		require.Equal(t, hash(2), nd.HashAt(2))
		require.Nil(t, nd.HashAt(2+blocksync.Window))
		nd.Extend(4, []byte("linked to the other block"))
		for _, b := range n.Blocks[2:4] {
			require.NoError(t, nd.Submit(t.Context(), b))
			synctest.Wait()
		}
		require.Equal(t, hash(3), nd.HashAt(3))
		require.Nil(t, nd.HashAt(4), "the tip began with a block that was not committed")
		nd.ledger.set(func() { nd.ledger.unread = true })
		require.Nil(t, nd.HashAt(1))
	})
}

func TestPeersThatMayNotBeAskedOrAreGoneAreNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 5, 10)
		full := n.node(t, 6)
		var may atomic.Bool
		behind := n.node(t, 1, func(c *blocksync.Config) { c.MayAsk = func(peer.ID) bool { return may.Load() } })
		connect(t, behind, full)
		behind.Have(full.ID(), 6)
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, behind.Position().Height)
		may.Store(true)
		behind.Have(full.ID(), 6)
		behind.Gone(full.ID())
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, behind.Position().Height)
		behind.Have(full.ID(), 6)
		n.requireHeight(t, behind, 6, time.Second)
	})
}

func TestGraceForOurOwnSource(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 5, 10)
		full := n.node(t, 6)
		behind := n.node(t, 1, func(c *blocksync.Config) { c.Streaming = func() bool { return true } })
		connect(t, behind, full)
		start := time.Now()
		behind.Have(full.ID(), 6)
		n.requireHeight(t, behind, 6, time.Minute)
		require.InDelta(t, blocksync.SourceGrace.Milliseconds(), time.Since(start).Milliseconds(), 100)
	})
}
