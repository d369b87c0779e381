// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// Protocol is the protocol of relay streams.
const Protocol = protocol.ID("/weft/relay/1.0.0")

// Limits of streams.
const (
	// Service is the name under which the resource manager accounts for streams.
	Service = "weft.relay"
	// streamMemory is reserved for a stream, in bytes: its buffers and the longest frame.
	streamMemory = 128 << 10
	// maxScope is the longest name of a channel, maxScopes how many channels one stream carries.
	maxScope, maxScopes = 128, 64
	// readBuffer and writeBuffer are those of a stream, in bytes. What is written has left the queues and cannot be taken
	// back, so that little is.
	readBuffer, writeBuffer = 16 << 10, 16 << 10
	// writeTime is how long the other end may take nothing before the stream is cut.
	writeTime = 30 * time.Second
	// helloTime is how long the other end may take to answer a new stream.
	helloTime = 10 * time.Second
)

// class is what a stream is for: it begins with it.
type class byte

const (
	controlStream class = 1
	dataStream    class = 2
)

// bind is the kind of the frame that gives a channel its number on a stream: they count from 0.
const bind Kind = 0

// frameWriter writes frames of several channels on one stream.
type frameWriter struct {
	*bufio.Writer
	bound map[string]uint64
	buf   []byte
}

func newFrameWriter(w io.Writer) *frameWriter {
	return &frameWriter{Writer: bufio.NewWriterSize(w, writeBuffer), bound: map[string]uint64{}}
}

// frame writes a frame of a channel, and the number of the channel before the first.
func (w *frameWriter) frame(scope string, f *Frame) error {
	number, ok := w.bound[scope]
	if !ok {
		number = uint64(len(w.bound))
		w.bound[scope] = number
		w.buf = append(append(w.buf[:0], byte(bind)), scope...)
		if err := w.raw(); err != nil {
			return err
		}
	}
	w.buf = f.Append(binary.AppendUvarint(append(w.buf[:0], 1), number))
	return w.raw()
}

func (w *frameWriter) raw() error {
	var size [binary.MaxVarintLen64]byte
	if _, err := w.Write(size[:binary.PutUvarint(size[:], uint64(len(w.buf)))]); err != nil {
		return err
	}
	_, err := w.Write(w.buf)
	return err
}

// frameReader reads them.
type frameReader struct {
	*bufio.Reader
	bound []string
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{Reader: bufio.NewReaderSize(r, readBuffer)}
}

// frame reads the next frame and the channel that it is for. It returns [ErrFrame] for what no honest peer writes.
func (r *frameReader) frame() (scope string, f *Frame, err error) {
	for {
		raw, err := r.raw()
		if err != nil {
			return "", nil, err
		}
		if len(raw) == 0 {
			return "", nil, fmt.Errorf("%w: empty", ErrFrame)
		}
		if raw[0] != byte(bind) {
			return r.open(raw[1:])
		}
		if len(raw) > 1+maxScope || len(r.bound) >= maxScopes {
			return "", nil, fmt.Errorf("%w: channel %d with a name of %d bytes", ErrFrame, len(r.bound), len(raw)-1)
		}
		r.bound = append(r.bound, string(raw[1:]))
	}
}

func (r *frameReader) open(raw []byte) (string, *Frame, error) {
	number, n := binary.Uvarint(raw)
	if n <= 0 || number >= uint64(len(r.bound)) {
		return "", nil, fmt.Errorf("%w: of channel %d, of %d on this stream", ErrFrame, number, len(r.bound))
	}
	f, err := Decode(raw[n:])
	return r.bound[number], f, err
}

func (r *frameReader) raw() ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if size > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, size)
	}
	raw := make([]byte, size)
	_, err = io.ReadFull(r, raw)
	return raw, err
}
