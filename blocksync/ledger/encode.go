// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// writeBuffer is what small parts of a frame are put together in, in bytes. Longer transactions are written as they lie in the
// block.
const writeBuffer = 64 << 10

// frameWriter writes one frame after the other. The header of each comes last, as it has the checksum of the rest: until then
// there is no frame.
type frameWriter struct {
	mark mark
	buf  []byte // waits
	to   io.WriterAt
	at   int64 // where buf goes
	crc  uint32
	err  error // the first
}

// write writes the frame of a block to an offset and returns the length of the marshalled block.
func (w *frameWriter) write(to io.WriterAt, offset int64, b *common.Block, position int) (length uint32, err error) {
	if w.buf == nil {
		w.buf = make([]byte, 0, writeBuffer)
	}
	header := append(make([]byte, 0, headerSize), w.mark[:]...)
	header = binary.LittleEndian.AppendUint64(header, b.GetHeader().GetNumber())
	header = binary.LittleEndian.AppendUint32(header, uint32(position))
	header = binary.LittleEndian.AppendUint32(header, uint32(proto.Size(b)))
	w.to, w.at, w.buf, w.err = to, offset+headerSize, w.buf[:0], nil
	w.crc = crc32.Checksum(header[atNumber:], castagnoli)
	if err := w.encode(b); err != nil {
		return 0, err
	}
	w.flush()
	w.put(binary.LittleEndian.AppendUint32(header, w.crc), offset)
	return binary.LittleEndian.Uint32(header[atLength:]), w.err
}

// encode adds the deterministic encoding of a block.
func (w *frameWriter) encode(b *common.Block) error {
	if err := w.marshal(&common.Block{Header: b.Header}); err != nil {
		return err
	}
	if b.Data != nil {
		w.field(2, proto.Size(b.Data))
		for _, tx := range b.Data.Data {
			w.field(1, len(tx))
			w.add(tx)
		}
		w.add(b.Data.ProtoReflect().GetUnknown())
	}
	rest := &common.Block{Metadata: b.Metadata}
	rest.ProtoReflect().SetUnknown(b.ProtoReflect().GetUnknown())
	return w.marshal(rest)
}

func (w *frameWriter) marshal(b *common.Block) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	w.add(raw)
	return err
}

// field adds what goes before a field of so many bytes.
func (w *frameWriter) field(number protowire.Number, size int) {
	var room [2 * binary.MaxVarintLen64]byte
	w.add(protowire.AppendVarint(protowire.AppendTag(room[:0], number, protowire.BytesType), uint64(size)))
}

func (w *frameWriter) add(part []byte) {
	w.crc = crc32.Update(w.crc, castagnoli, part)
	if len(w.buf)+len(part) > cap(w.buf) {
		w.flush()
	}
	if len(part) <= cap(w.buf) {
		w.buf = append(w.buf, part...)
		return
	}
	w.put(part, w.at)
	w.at += int64(len(part))
}

func (w *frameWriter) flush() {
	w.put(w.buf, w.at)
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
}

func (w *frameWriter) put(part []byte, offset int64) {
	if w.err == nil && len(part) > 0 {
		_, w.err = w.to.WriteAt(part, offset)
	}
}
