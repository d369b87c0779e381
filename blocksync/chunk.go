// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/stream"
)

// readBlock reads the chunks of one block, and says how many bytes it had. It returns io.EOF if the stream ends before the
// first. The chunks are put together where the block will lie: it is copied once, out of the stream.
func readBlock(s *stream.Stream, number, limit uint64) (*common.Block, int, error) {
	start := time.Now()
	c, err := readChunk(s)
	if err != nil {
		return nil, 0, err
	}
	size := c.Size
	if err := checkChunk(c, number, min(size, limit), 0); err != nil {
		return nil, 0, err
	}
	var held reservation
	defer held.release()
	if err := held.grow(s, int(min(size, believed)), int(size)); err != nil {
		return nil, 0, err
	}
	raw := append(make([]byte, 0, min(size, believed)), c.Data...)
	for uint64(len(raw)) < size {
		if time.Since(start) > patience(len(raw)) {
			return nil, 0, fmt.Errorf("%w: %d bytes of block %d in %s", errSlow, len(raw), number, time.Since(start))
		}
		if c, err = readChunk(s); err != nil {
			return nil, 0, noEOF(err)
		}
		if err := checkChunk(c, number, size, uint64(len(raw))); err != nil {
			return nil, 0, err
		}
		if err := held.grow(s, len(raw)+len(c.Data), int(size)); err != nil {
			return nil, 0, err
		}
		raw = append(raw, c.Data...)
	}
	b, err := decodeBlock(raw, number)
	return b, len(raw), err
}

// believed is how big a block may claim to be to get its memory at once. A bigger one gets more as it comes.
const believed = 4 << 20

// reservation is memory for a block that comes in.
type reservation struct {
	bytes    int
	releases []func()
}

// grow makes it enough for so many bytes of a block of size: at least twice what it was, as the block's own memory does.
func (r *reservation) grow(s *stream.Stream, bytes, size int) error {
	if bytes <= r.bytes {
		return nil
	}
	more := min(max(bytes, 2*r.bytes), size) - r.bytes
	release, err := s.Reserve(more)
	if err != nil {
		return err
	}
	r.bytes += more
	r.releases = append(r.releases, release)
	return nil
}

func (r *reservation) release() {
	for _, release := range r.releases {
		release()
	}
}

// readChunk reads a chunk, whose data is valid until the next one is read.
func readChunk(s *stream.Stream) (*pb.Chunk, error) {
	raw, err := s.Next()
	if err != nil {
		return nil, badMessage(err)
	}
	c, err := decodeChunk(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return c, nil
}

// decodeChunk is proto.Unmarshal of the three fields of a chunk, but for the data, which lies in raw.
func decodeChunk(raw []byte) (*pb.Chunk, error) {
	c := &pb.Chunk{}
	for len(raw) > 0 {
		number, kind, tag := protowire.ConsumeTag(raw)
		if tag < 0 || number > protowire.MaxValidNumber {
			return nil, errChunk
		}
		var size int
		switch value := raw[tag:]; {
		case number == 1 && kind == protowire.VarintType:
			c.Number, size = protowire.ConsumeVarint(value)
		case number == 2 && kind == protowire.VarintType:
			c.Size, size = protowire.ConsumeVarint(value)
		case number == 3 && kind == protowire.BytesType:
			c.Data, size = protowire.ConsumeBytes(value)
		default:
			size = protowire.ConsumeFieldValue(number, kind, value)
		}
		if size < 0 {
			return nil, errChunk
		}
		raw = raw[tag+size:]
	}
	return c, nil
}

var errChunk = errors.New("blocksync: chunk does not decode")

// errSlow says that a block came in at less than minRate.
var errSlow = errors.New("blocksync: answer too slow")

// decodeBlock takes raw over.
func decodeBlock(raw []byte, number uint64) (*common.Block, error) {
	b, err := block.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrAnswer, number, err)
	}
	if b.GetHeader().GetNumber() != number {
		return nil, fmt.Errorf("%w: block %d where %d was asked for", ErrAnswer, b.GetHeader().GetNumber(), number)
	}
	return b, nil
}

// checkChunk holds a chunk against the block it is a part of. All but the last chunk of a block are full, so that a server
// cannot keep a stream for ever with one byte at a time.
func checkChunk(c *pb.Chunk, number, size, have uint64) error {
	if c.Number != number || c.Size != size || size == 0 || uint64(len(c.Data)) != min(ChunkBytes, size-have) {
		return fmt.Errorf("%w: chunk of %d bytes at %d of %d of block %d; want block %d, %d bytes, in chunks of %d", ErrAnswer, len(c.Data), have, c.Size, c.Number, number, size, ChunkBytes)
	}
	return nil
}
