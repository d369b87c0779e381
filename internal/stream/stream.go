// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
)

// ErrTooLarge says that a message is longer than its protocol allows. The message was not read.
var ErrTooLarge = errors.New("stream: message above the protocol's limit")

// Protocol is what both ends of a stream protocol agree on, and what one stream of it may cost.
type Protocol struct {
	// ID is what libp2p negotiates, "/weft/<name>/<semver>".
	ID protocol.ID
	// Service is the name under which the resource manager accounts for the streams, "weft.<name>".
	Service string
	// Memory is reserved with the resource manager for as long as a stream lives, in bytes.
	Memory int
	// MaxMessage is the longest message that either end accepts, in bytes, without its length prefix.
	MaxMessage int
	// Deadline is how long one read or write of a message may take. A peer that trickles bytes is cut off by it.
	Deadline time.Duration
	// Rate and Burst bound the streams that one identity may open on a server, in streams per second, OrgRate and OrgBurst
	// those of all members of an organization. No rate, no bound.
	Rate     rate.Limit
	Burst    int
	OrgRate  rate.Limit
	OrgBurst int
	// Streams and PeerStreams bound how many streams a server answers at one time, in all and for one identity; of Streams an
	// organization gets at most as many as stay free. Zero: no bound but the resource manager's.
	Streams, PeerStreams int
}

// Stream is a libp2p stream of messages. Reads and writes belong to one goroutine each.
type Stream struct {
	raw      network.Stream
	r        *bufio.Reader // nil until the first message is read
	protocol Protocol
	in, out  []byte
	received int
	release  func() // idempotent
}

// Open opens a stream of p to remote, dialing it if need be. The stream ends when ctx does; Close or Reset it.
func Open(ctx context.Context, h host.Host, remote peer.ID, p Protocol) (*Stream, error) {
	raw, err := h.NewStream(ctx, remote, p.ID)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", p.ID, remote, err)
	}
	s, err := admit(ctx, raw, p)
	if err != nil {
		return nil, fmt.Errorf("open %s to %s: %w", p.ID, remote, err)
	}
	return s, nil
}

// admit takes a raw stream under the service's scope and memory and binds it to ctx. On an error the stream is reset.
func admit(ctx context.Context, raw network.Stream, p Protocol) (*Stream, error) {
	scope := raw.Scope()
	if err := scope.SetService(p.Service); err != nil {
		_ = raw.ResetWithError(network.StreamResourceLimitExceeded)
		return nil, err
	}
	if err := scope.ReserveMemory(p.Memory, network.ReservationPriorityAlways); err != nil {
		_ = raw.ResetWithError(network.StreamResourceLimitExceeded)
		return nil, err
	}
	unbind := context.AfterFunc(ctx, func() { _ = raw.ResetWithError(network.StreamShutdown) })
	return &Stream{raw: raw, protocol: p, release: sync.OnceFunc(func() {
		unbind()
		scope.ReleaseMemory(p.Memory)
	})}, nil
}

// Remote is the peer at the other end; the secure channel proved its host key.
func (s *Stream) Remote() peer.ID { return s.raw.Conn().RemotePeer() }

// Raw is the stream itself, for a protocol that goes on as long as both ends like: frames instead of messages with a deadline.
func (s *Stream) Raw() network.Stream { return s.raw }

// Received is the number of bytes read so far, length prefixes included.
func (s *Stream) Received() int { return s.received }

// Read reads the next message into m. It blocks until a message is there, Deadline at most. It returns io.EOF when the
// other end closed between messages and [ErrTooLarge] for a message above MaxMessage.
func (s *Stream) Read(m proto.Message) error {
	raw, err := s.Next()
	if err != nil {
		return err
	}
	return proto.Unmarshal(raw, m)
}

// Next is Read for who decodes the message himself. It is valid until the next message is read.
func (s *Stream) Next() ([]byte, error) {
	if err := s.raw.SetReadDeadline(time.Now().Add(s.protocol.Deadline)); err != nil {
		return nil, err
	}
	if s.r == nil {
		s.r = bufio.NewReader(s.raw)
	}
	size, err := ReadSize(s.r)
	if err != nil {
		return nil, err
	}
	if size > uint64(s.protocol.MaxMessage) {
		return nil, fmt.Errorf("%w: %d bytes, %d allowed", ErrTooLarge, size, s.protocol.MaxMessage)
	}
	if uint64(cap(s.in)) < size {
		s.in = make([]byte, size)
	}
	s.in = s.in[:size]
	if _, err := io.ReadFull(s.r, s.in); err != nil {
		return nil, noEOF(err)
	}
	s.received += len(s.in) + sizeVarint(size)
	return s.in, nil
}

// Write writes m, Deadline at most. It returns [ErrTooLarge] for a message above MaxMessage, before a byte is written.
func (s *Stream) Write(m proto.Message) error { return s.WritePaced(m, math.MaxInt, nil) }

// WritePaced is Write in parts, and calls pause before each; what that waits does not count against Deadline. It returns an
// error of pause.
func (s *Stream) WritePaced(m proto.Message, part int, pause func() error) error {
	if err := s.encode(m); err != nil {
		return err
	}
	deadline := time.Now().Add(s.protocol.Deadline)
	for rest := s.out; len(rest) > 0; {
		if pause != nil {
			start := time.Now()
			if err := pause(); err != nil {
				return err
			}
			deadline = deadline.Add(time.Since(start))
		}
		if err := s.raw.SetWriteDeadline(deadline); err != nil {
			return err
		}
		n, err := s.raw.Write(rest[:min(part, len(rest))])
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// encode puts a message and its length into out.
func (s *Stream) encode(m proto.Message) error {
	size := proto.Size(m)
	if size > s.protocol.MaxMessage {
		return fmt.Errorf("%w: %d bytes, %d allowed", ErrTooLarge, size, s.protocol.MaxMessage)
	}
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(binary.AppendUvarint(s.out[:0], uint64(size)), m)
	if err != nil {
		return err
	}
	s.out = out
	return nil
}

// Reserve takes n more bytes under the stream's account with the resource manager, until release is called, which is due
// before Close or Reset. It returns the resource manager's error when there is not so much.
func (s *Stream) Reserve(n int) (release func(), err error) {
	if err := s.raw.Scope().ReserveMemory(n, network.ReservationPriorityHigh); err != nil {
		return nil, err
	}
	return func() { s.raw.Scope().ReleaseMemory(n) }, nil
}

// CloseWrite says that no more messages will be written.
func (s *Stream) CloseWrite() error { return s.raw.CloseWrite() }

// Close ends the stream in good order and gives its resources back. Close and Reset may follow each other.
func (s *Stream) Close() error {
	s.release()
	return s.raw.Close()
}

// Reset ends the stream at once; the other end sees code. It gives the stream's resources back.
func (s *Stream) Reset(code network.StreamErrorCode) {
	s.release()
	_ = s.raw.ResetWithError(code)
}

// maxPrefix is the longest length prefix, in bytes: that of 32 GiB.
const maxPrefix = 5

// ReadSize reads the length prefix of a message. It returns io.EOF at the end of the stream, [ErrTooLarge] for a prefix
// that does not end.
func ReadSize(r io.ByteReader) (size uint64, err error) {
	for i := range maxPrefix {
		b, err := r.ReadByte()
		if err != nil && i > 0 {
			return 0, noEOF(err)
		}
		if err != nil {
			return 0, err
		}
		size |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return size, nil
		}
	}
	return 0, fmt.Errorf("%w: length prefix of more than %d bytes", ErrTooLarge, maxPrefix)
}

// noEOF turns the end of a stream inside a message into the error it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func sizeVarint(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
