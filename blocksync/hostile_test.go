// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"bufio"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/pb"
)

// hostile is a host that answers requests as it likes. It claims to have everything.
func (n *net) hostile(t *testing.T, answer func(s network.Stream, q *pb.Request)) peer.AddrInfo {
	h := n.host(t)
	var answers sync.WaitGroup
	t.Cleanup(answers.Wait)
	h.SetStreamHandler(blocksync.Protocol.ID, func(s network.Stream) {
		answers.Add(1)
		defer answers.Done()
		defer s.Close()
		var q pb.Request
		if protodelim.UnmarshalFrom(bufio.NewReader(s), &q) == nil {
			answer(s, &q)
		}
	})
	return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
}

// nap sleeps, but not longer than the test.
func nap(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func say(s network.Stream, messages ...proto.Message) error {
	for _, m := range messages {
		if _, err := protodelim.MarshalTo(s, m); err != nil {
			return err
		}
	}
	return nil
}

var ok = &pb.Response{Status: pb.Status_STATUS_OK, Height: 1 << 40}

func chunk(number, size uint64, data []byte) *pb.Chunk {
	return &pb.Chunk{Number: number, Size: size, Data: data}
}

// whole is a block in one chunk.
func whole(t *testing.T, b *common.Block) *pb.Chunk {
	raw, err := proto.Marshal(b)
	require.NoError(t, err)
	return chunk(b.Header.Number, uint64(len(raw)), raw)
}

// TestHostileServers: one that lies and one that does not; the liar is heard of last, so it is asked first.
func TestHostileServers(t *testing.T) {
	const blocks = 40
	type answer func(s network.Stream, q *pb.Request)
	for name, c := range map[string]struct {
		lie    func(t *testing.T, n *net) answer
		within time.Duration
	}{
		"wrong number": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok, whole(t, n.Blocks[q.From-1])) }
		}, time.Second},
		"block of another number in a chunk of ours": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				c := whole(t, n.Blocks[q.From-1])
				c.Number = q.From
				_ = say(s, ok, c)
			}
		}, time.Second},
		"forged blocks": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok)
				for number := q.From; number <= min(q.To, blocks); number++ {
					_ = say(s, whole(t, n.forged(int(number))))
				}
			}
		}, 5 * time.Second},
		"forged blocks at the end of true ones": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok)
				for number := q.From; number < min(q.To, blocks); number++ {
					_ = say(s, whole(t, n.Blocks[number]))
				}
				_ = say(s, whole(t, n.forged(int(min(q.To, blocks)))))
			}
		}, 5 * time.Second},
		"truncated chunk": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				c := whole(t, n.Blocks[q.From])
				c.Data = c.Data[:len(c.Data)-1]
				_ = say(s, ok, c)
			}
		}, time.Second},
		"one-byte chunks": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				c := whole(t, n.Blocks[q.From])
				_ = say(s, ok)
				for i := range c.Data {
					if say(s, chunk(q.From, c.Size, c.Data[i:i+1])) != nil {
						return
					}
					nap(t, time.Second)
				}
			}
		}, time.Second},
		"size of zero": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok, chunk(q.From, 0, nil)) }
		}, time.Second},
		"size of 2^64-1": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok, chunk(q.From, 1<<64-1, make([]byte, blocksync.ChunkBytes)))
			}
		}, time.Second},
		"size above the channel's limit": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok, chunk(q.From, 100<<20, make([]byte, blocksync.ChunkBytes)))
			}
		}, time.Second},
		"no block but bytes": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok, chunk(q.From, 3, []byte{0xff, 0xff, 0xff})) }
		}, time.Second},
		"block with bad metadata": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				b := n.clone(int(q.From))
				b.Metadata.Metadata[0] = []byte{0xff}
				_ = say(s, ok, whole(t, b))
			}
		}, time.Second},
		"message above the limit": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok, chunk(q.From, 1<<20, make([]byte, 1<<20))) }
		}, time.Second},
		"garbage": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _, _ = s.Write([]byte{3, 0xff, 0xff, 0xff}) }
		}, time.Second},
		"nothing": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {}
		}, time.Second},
		"OK and nothing": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok) }
		}, time.Second},
		"refusals of all kinds": {func(t *testing.T, n *net) answer {
			var turn atomic.Int32
			return func(s network.Stream, q *pb.Request) {
				if status := pb.Status(turn.Add(1) % 7); status != pb.Status_STATUS_OK {
					_ = say(s, &pb.Response{Status: status, Height: 1 << 40})
				}
			}
		}, time.Second},
		"reset": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = s.Reset() }
		}, time.Second},
		"silence": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { nap(t, time.Hour) }
		}, 15 * time.Second},
		"silence after OK": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) { _ = say(s, ok); nap(t, time.Hour) }
		}, 15 * time.Second},
		"endless blocks": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok)
				for number := q.From; say(s, whole(t, n.forged(1+int(number)%blocks))) == nil; number++ {
				}
			}
		}, 5 * time.Second},
		"one small true block every 9 s": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok)
				for number := q.From; number <= min(q.To, blocks); number++ {
					nap(t, 9*time.Second)
					if say(s, whole(t, n.Blocks[number])) != nil {
						return
					}
				}
			}
		}, 15 * time.Second},
		"a chunk of 20 MB every 9 s": {func(t *testing.T, n *net) answer {
			return func(s network.Stream, q *pb.Request) {
				_ = say(s, ok)
				for say(s, chunk(q.From, 20<<20, make([]byte, blocksync.ChunkBytes))) == nil {
					nap(t, 9*time.Second)
				}
			}
		}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, blocks, 100)
				liars := make([]peer.AddrInfo, 3)
				answer := c.lie(t, n)
				var lies atomic.Int64
				for i := range liars {
					liars[i] = n.hostile(t, func(s network.Stream, q *pb.Request) {
						lies.Add(1)
						q.From = min(q.From, blocks) // there is nothing to forge beyond
						answer(s, q)
					})
				}
				honest, behind := n.node(t, blocks+1), n.node(t, 1)
				for _, other := range append(liars, peer.AddrInfo{ID: honest.ID(), Addrs: honest.Addrs()}) {
					require.NoError(t, behind.Connect(t.Context(), other))
				}
				behind.Sync.Have(honest.ID(), blocks+1)
				for _, liar := range liars {
					behind.Sync.Have(liar.ID, 1<<50)
				}
				n.requireHeight(t, behind, blocks+1, c.within)
				require.NotZero(t, lies.Load())
			})
		})
	}
}

// TestLiarAlone: without anybody honest a liar is asked less and less, and then not at all.
func TestLiarAlone(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 1, 100)
		var asked atomic.Int64
		liar := n.hostile(t, func(s network.Stream, q *pb.Request) {
			asked.Add(1)
			_ = say(s, ok, whole(t, n.forged(1)))
		})
		behind := n.node(t, 1)
		require.NoError(t, behind.Connect(t.Context(), liar))
		behind.Have(liar.ID, 1<<50)
		time.Sleep(24 * time.Hour)
		require.Positive(t, asked.Load())
		require.LessOrEqual(t, asked.Load(), int64(2*blocksync.GiveUp))
	})
}
