// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weft-p2p/weft/internal/stream"
)

// Protocol is the protocol of relay streams: two to four of each peer, which stay open. Deadline is for the rest of a frame that has
// begun.
var Protocol = stream.Protocol{
	ID: "/weft/relay/1.0.0", Service: "weft.relay",
	// A longer frame than fits into it, which only an announcement may be, is reserved for besides.
	Memory: 128 << 10, MaxMessage: MaxFrame, Deadline: 30 * time.Second,
	// A peer opens four at most and keeps them; each of four host keys may come back while its old ones are not known to be gone.
	Rate: 20, Burst: 60, OrgRate: 640, OrgBurst: 1920, Streams: 8192, PeerStreams: 32,
}

// Limits of streams.
const (
	// maxScope is the longest name of a channel, maxScopes how many channels one stream carries.
	maxScope, maxScopes = 128, 64
	// readBuffer is what every stream that is open reads into, in bytes: small, for a node has up to eleven from each peer, and what is
	// longer goes past it. writeBuffer is what one that writes has for that time. What is in it has left the queues and cannot be
	// taken back, so that it is not large either.
	readBuffer, writeBuffer = 1 << 10, 16 << 10
	// bufferedFrame is the longest frame that is read into a buffer that is used again, in bytes: a piece of pieceNear bytes, with
	// its proof and some targets.
	bufferedFrame = 40 << 10
	// longFrame is the longest frame that is no announcement, in bytes: a piece with all of its data, proof and targets.
	longFrame = 96 << 10
	// writeTime is how long the other end may take nothing before the stream is cut, up to twice as long: the deadline is not
	// set anew for each frame.
	writeTime = 30 * time.Second
	// helloTime is how long the other end may take to answer a new stream.
	helloTime = 10 * time.Second
	// independentStreams is how many data streams there are to a peer where streams do not wait for each other. With 1% of the
	// packets lost, 1 MB took 326 ms to 50 members on one, 309 on two, 290 on three, 289 on five and 299 on eight.
	independentStreams = 3
	// lossyStreams is how many there are once a block had parity: who computes a body waits for no packet, so that what stands behind a
	// lost one is what is lost.
	lossyStreams = 10
)

// class is what a stream is for: it begins with it.
type class byte

const (
	controlStream class = 1
	dataStream    class = 2
	echoStream    class = 3 // for the answer alone: what a round trip takes
)

// bind is the kind of the frame that gives a channel its number on a stream: they count from 0.
const bind Kind = 0

// frameWriter writes frames of several channels on one stream. Between Flush and the next frame it holds no buffer: hundreds of
// streams are open, and few of them write at a time.
type frameWriter struct {
	to    io.Writer
	out   *outgoing // nil if all is flushed
	spare *sync.Pool
	bound map[string]uint64
}

// outgoing is what is not written yet, and the frame that is being put together, its length in front of it: what is longer than
// the buffer is written as it lies there, at once, if nothing is before it.
type outgoing struct {
	*bufio.Writer
	frame []byte
}

// newFrameWriter makes a writer that takes its buffers from spare.
func newFrameWriter(w io.Writer, spare *sync.Pool) *frameWriter {
	return &frameWriter{to: w, spare: spare, bound: map[string]uint64{}}
}

func (w *frameWriter) buffer() *outgoing {
	if w.out == nil {
		if w.out, _ = w.spare.Get().(*outgoing); w.out == nil {
			w.out = &outgoing{Writer: bufio.NewWriterSize(nil, writeBuffer), frame: make([]byte, lengthRoom)}
		}
		w.out.Reset(w.to)
	}
	return w.out
}

// Flush writes what is in the buffer, and gives the buffer back.
func (w *frameWriter) Flush() error {
	if w.out == nil {
		return nil
	}
	err := w.out.Flush()
	w.out.Reset(nil)
	if cap(w.out.frame) > longFrame {
		w.out.frame = make([]byte, lengthRoom)
	}
	w.spare.Put(w.out)
	w.out = nil
	return err
}

// frame writes a frame of a channel, and the number of the channel before the first.
func (w *frameWriter) frame(scope string, f *Frame) error {
	out := w.buffer()
	number, ok := w.bound[scope]
	if !ok {
		number = uint64(len(w.bound))
		w.bound[scope] = number
		out.frame = append(append(out.frame[:lengthRoom], byte(bind)), scope...)
		if err := out.raw(); err != nil {
			return err
		}
	}
	out.frame = f.Append(binary.AppendUvarint(append(out.frame[:lengthRoom], 1), number))
	return out.raw()
}

// lengthRoom is what is kept free in front of a frame for its length.
const lengthRoom = binary.MaxVarintLen32

func (o *outgoing) raw() error {
	var size [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(size[:], uint64(len(o.frame)-lengthRoom))
	whole := o.frame[lengthRoom-n:]
	copy(whole, size[:n])
	_, err := o.Write(whole)
	return err
}

// frameReader reads them. While it waits for a frame it holds no memory for one.
type frameReader struct {
	*bufio.Reader
	from    incoming
	bound   []string
	spare   *sync.Pool // of *frameBuffer
	buffer  *frameBuffer
	release func() // gives back what a long frame took
}

// frameBuffer is what frames are read into that are neither short nor long: most bytes of big blocks come in such ones.
type frameBuffer [bufferedFrame]byte

// incoming is what a frameReader needs of a stream.
type incoming interface {
	io.Reader
	SetReadDeadline(time.Time) error
	// Reserve takes memory until release is called, or says that there is none.
	Reserve(bytes int) (release func(), err error)
}

// newFrameReader makes a reader that takes its buffers from spare.
func newFrameReader(r incoming, spare *sync.Pool) *frameReader {
	return &frameReader{Reader: bufio.NewReaderSize(r, readBuffer), from: r, spare: spare, release: func() {}}
}

// frame reads the next frame and the channel that it is for. Proof and data of the one before are gone then: their memory is used
// again. It returns [ErrFrame] or [stream.ErrTooLarge] for what no honest peer writes.
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
	if err == nil && f.Kind != Announce && len(raw) > longFrame {
		err = fmt.Errorf("%w: kind %d of %d bytes", ErrFrame, f.Kind, len(raw))
	}
	return r.bound[number], f, err
}

// raw reads what has a length before it. It may be long in coming, but what has begun has to come.
func (r *frameReader) raw() ([]byte, error) {
	r.done()
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	size, hurried, err := r.size()
	if err != nil {
		return nil, err
	}
	if !hurried && r.Buffered() < size {
		hurried = true
		if err := r.from.SetReadDeadline(time.Now().Add(Protocol.Deadline)); err != nil {
			return nil, err
		}
	}
	if size > longFrame {
		if r.release, err = r.from.Reserve(size); err != nil {
			return nil, err
		}
	}
	raw := r.room(size)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	if hurried {
		err = r.from.SetReadDeadline(time.Time{})
	}
	return raw, err
}

// room is memory for a frame.
func (r *frameReader) room(size int) []byte {
	if size <= readBuffer || size > bufferedFrame {
		return make([]byte, size)
	}
	if r.buffer, _ = r.spare.Get().(*frameBuffer); r.buffer == nil {
		r.buffer = new(frameBuffer)
	}
	return r.buffer[:size]
}

// done gives back what the last frame took.
func (r *frameReader) done() {
	r.release()
	r.release = func() {}
	if r.buffer != nil {
		r.spare.Put(r.buffer)
		r.buffer = nil
	}
}

// size reads the length of what follows; hurried says that it has set the deadline.
func (r *frameReader) size() (size int, hurried bool, err error) {
	if hurried = r.Buffered() < binary.MaxVarintLen32; hurried {
		if err := r.from.SetReadDeadline(time.Now().Add(Protocol.Deadline)); err != nil {
			return 0, hurried, err
		}
	}
	long, err := stream.ReadSize(r)
	if err == nil && long > MaxFrame {
		err = fmt.Errorf("%w: %d bytes, %d allowed", stream.ErrTooLarge, long, MaxFrame)
	}
	return int(long), hurried, err
}
