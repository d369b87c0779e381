// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"sync"
	"sync/atomic"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/block"
)

// forgedAnswer is a kind of answer to a request for blocks. lie says that it is no answer to the request, so that the request
// fails; otherwise it is one, and its block is turned down at its turn.
type forgedAnswer struct {
	name   string
	lie    bool
	behind bool // the peers are held a block behind, which the forger has
	make   func(h *hat, q *syncpb.Request) []byte
}

// forgedAnswers are answers that are wrong whatever is in them; every forged block makes one more.
func forgedAnswers() []forgedAnswer {
	all := []forgedAnswer{
		{"another range", true, false, func(h *hat, q *syncpb.Request) []byte { return answered(q.From+1, h.net.ordered(2)) }},
		{"a block with another number", true, false, func(h *hat, q *syncpb.Request) []byte { return answered(q.From, h.net.ordered(2)) }},
		{"another channel's block", false, false, func(h *hat, q *syncpb.Request) []byte { return answered(q.From, h.foreign(q.From)) }},
		{"a true header, other data", false, true, func(h *hat, q *syncpb.Request) []byte {
			b := proto.CloneOf(h.net.ordered(min(q.From, h.net.orderer.Height()-1)))
			b.Data.Data[0] = h.flipped(b.Data.Data[0])
			return answered(q.From, b)
		}},
		{"a true header, a transaction twice", false, true, func(h *hat, q *syncpb.Request) []byte {
			b := proto.CloneOf(h.net.ordered(min(q.From, h.net.orderer.Height()-1)))
			b.Data.Data = append(b.Data.Data, b.Data.Data[0])
			return answered(q.From, b)
		}},
		{"garbage", true, false, func(h *hat, q *syncpb.Request) []byte { return append([]byte{101, 0xff}, h.bytes(300)...) }},
		{"a status that does not exist", true, false, func(h *hat, _ *syncpb.Request) []byte {
			return delimited(&syncpb.Response{Status: 77, Height: 1 << 62})
		}},
		{"nothing", true, false, func(h *hat, _ *syncpb.Request) []byte { return nil }},
		{"no block", true, false, func(h *hat, q *syncpb.Request) []byte { return header(q.From + 9) }},
		{"a block that is no block", true, false, func(h *hat, q *syncpb.Request) []byte {
			return append(header(q.From+1), delimited(&syncpb.Chunk{Number: q.From, Size: 100, Data: h.bytes(100)})...)
		}},
		{"cut short", true, false, func(h *hat, q *syncpb.Request) []byte {
			whole := answered(q.From, h.successor())
			return whole[:len(whole)/2]
		}},
		{"a block without an end", true, false, func(h *hat, q *syncpb.Request) []byte {
			return append(header(q.From+1), delimited(&syncpb.Chunk{Number: q.From, Size: 1 << 62, Data: h.bytes(100)})...)
		}},
		{"a message above the limit", true, false, func(h *hat, q *syncpb.Request) []byte {
			return append(header(q.From+1), protowire.AppendVarint(nil, 1<<30)...)
		}},
		{"elsewhere, at nobody", true, false, func(h *hat, q *syncpb.Request) []byte {
			return delimited(&syncpb.Response{Status: syncpb.Status_STATUS_ELSEWHERE, Height: q.From + 1, Elsewhere: h.bytes(10)})
		}},
	}
	for _, f := range forgedBlocks {
		all = append(all, forgedAnswer{f.name, false, false, func(h *hat, q *syncpb.Request) []byte { return answered(q.From, f.make(h)) }})
	}
	return all
}

// foreign is a block as another channel might have it.
func (h *hat) foreign(number uint64) *common.Block {
	b := proto.CloneOf(h.net.ordered(1))
	b.Header.Number = number
	b.Data.Data[0] = h.bytes(100)
	b.Header.DataHash = block.DataHash(b.Data)
	return b
}

func header(height uint64) []byte {
	return delimited(&syncpb.Response{Status: syncpb.Status_STATUS_OK, Height: height})
}

// answered is a whole answer with one block, as number.
func answered(number uint64, b *common.Block) []byte {
	raw := encoded(b)
	out := header(number + 1)
	for rest := raw; len(rest) > 0; {
		n := min(len(rest), blocksync.ChunkBytes)
		out = append(out, delimited(&syncpb.Chunk{Number: number, Size: uint64(len(raw)), Data: rest[:n]})...)
		rest = rest[n:]
	}
	return out
}

// serve answers requests for blocks with forgeries, and counts them.
func (h *hat) serve(f forgedAnswer, said *atomic.Int64) {
	var mu sync.Mutex // guards h: its randomness is for one
	h.host.SetStreamHandler(blocksync.Protocol.ID, func(raw network.Stream) {
		var q syncpb.Request
		if protodelim.UnmarshalFrom(bufio.NewReader(raw), &q) != nil {
			_ = raw.Reset()
			return
		}
		answer := func() []byte {
			mu.Lock()
			defer mu.Unlock()
			return f.make(h, &q)
		}()
		_, _ = raw.Write(answer)
		_ = raw.Close()
		said.Add(1)
	})
}
