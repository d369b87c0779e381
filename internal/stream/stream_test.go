// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weft-p2p/weft/internal/stream"
)

// overhead is what a BytesValue of 128 to 16,383 bytes adds to its value.
const overhead = 3

func TestMessagesUpToTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: echo})
		require.NoError(t, roundTrip(t, n.client, n, proto, 0))
		require.NoError(t, roundTrip(t, n.client, n, proto, proto.MaxMessage-overhead))
	})
}

func TestWriteRefusesOnePastTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: echo})
		s, err := stream.Open(t.Context(), n.client, n.server.ID(), proto)
		require.NoError(t, err)
		require.ErrorIs(t, s.Write(&wrapperspb.BytesValue{Value: make([]byte, proto.MaxMessage-overhead+1)}), stream.ErrTooLarge)
		require.NoError(t, s.Write(&wrapperspb.BytesValue{Value: []byte("the stream is still good")}))
		require.NoError(t, s.Read(&wrapperspb.BytesValue{}))
		require.NoError(t, s.Close())
	})
}

func TestReadRefusesOnePastTheLimit(t *testing.T) {
	wide := proto
	wide.MaxMessage++
	t.Run("server", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *network3) {
			read := make(chan error, 1)
			serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(_ context.Context, s *stream.Stream) error {
				err := s.Read(&wrapperspb.BytesValue{})
				read <- err
				return err
			}})
			requireCode(t, network.StreamProtocolViolation, roundTrip(t, n.client, n, wide, proto.MaxMessage-overhead+1))
			require.ErrorIs(t, <-read, stream.ErrTooLarge)
		})
	})
	t.Run("client", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *network3) {
			serve(t, &stream.Server{Host: n.server, Protocol: wide, Handle: func(_ context.Context, s *stream.Stream) error {
				if err := s.Read(&wrapperspb.BytesValue{}); err != nil {
					return err
				}
				return s.Write(&wrapperspb.BytesValue{Value: make([]byte, proto.MaxMessage-overhead+1)})
			}})
			require.ErrorIs(t, roundTrip(t, n.client, n, proto, 1), stream.ErrTooLarge)
		})
	})
}

// raw opens a stream and writes bytes as they are.
func raw(t *testing.T, n *network3, content ...byte) network.Stream {
	s, err := n.client.NewStream(t.Context(), n.server.ID(), proto.ID)
	require.NoError(t, err)
	_, err = s.Write(content)
	require.NoError(t, err)
	return s
}

// readOnce is a server that reads one message and says how that ended.
func readOnce(t *testing.T, n *network3) <-chan error {
	read := make(chan error, 1)
	serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(_ context.Context, s *stream.Stream) error {
		err := s.Read(&wrapperspb.BytesValue{})
		read <- err
		return err
	}})
	return read
}

func TestReadOfBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		content []byte
		want    error
		text    string
	}{
		"end between messages":  {content: []byte{}, want: io.EOF},
		"end inside the length": {content: []byte{0x80}, want: io.ErrUnexpectedEOF},
		"end after the length":  {content: []byte{3}, want: io.ErrUnexpectedEOF},
		"end inside a message":  {content: []byte{3, 1, 2}, want: io.ErrUnexpectedEOF},
		"length of 2^63":        {content: binary.AppendUvarint(nil, 1<<63), want: stream.ErrTooLarge},
		"length without end":    {content: []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, text: "length prefix"},
		"not protobuf":          {content: []byte{2, 0xff, 0xff}, text: "proto"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network3) {
				read := readOnce(t, n)
				s := raw(t, n, c.content...)
				require.NoError(t, s.CloseWrite())
				err := <-read
				require.ErrorContains(t, err, c.text)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				}
				if c.want != io.EOF {
					require.NotErrorIs(t, err, io.EOF)
				}
			})
		})
	}
}

func TestSlowReaderAndWriterAreCutOff(t *testing.T) {
	t.Run("one byte at a time", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *network3) {
			read := readOnce(t, n)
			start := time.Now()
			s := raw(t, n, 100)
			for range 20 {
				time.Sleep(100 * time.Millisecond)
				if _, err := s.Write([]byte{1}); err != nil {
					break
				}
			}
			require.ErrorContains(t, <-read, "deadline")
			require.Less(t, time.Since(start), 3*proto.Deadline)
			_, err := s.Read(make([]byte, 1))
			requireCode(t, network.StreamProtocolViolation, err)
		})
	})
	t.Run("says nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *network3) {
			read := readOnce(t, n)
			start := time.Now()
			raw(t, n)
			require.ErrorContains(t, <-read, "deadline")
			require.InDelta(t, proto.Deadline.Seconds(), time.Since(start).Seconds(), 0.1)
		})
	})
	t.Run("does not take the answer", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *network3) {
			big := proto
			big.MaxMessage = 64 << 20
			wrote := make(chan error, 1)
			serve(t, &stream.Server{Host: n.server, Protocol: big, Handle: func(_ context.Context, s *stream.Stream) error {
				err := s.Write(&wrapperspb.BytesValue{Value: make([]byte, 50<<20)}) // above any receive window
				wrote <- err
				return err
			}})
			raw(t, n)
			require.ErrorContains(t, <-wrote, "deadline")
		})
	})
}

func TestReceivedCountsWholeMessages(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		received := make(chan int, 3)
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(_ context.Context, s *stream.Stream) error {
			for {
				received <- s.Received()
				if err := s.Read(&wrapperspb.BytesValue{}); err != nil {
					return nil
				}
			}
		}})
		s, err := stream.Open(t.Context(), n.client, n.server.ID(), proto)
		require.NoError(t, err)
		require.Equal(t, n.server.ID(), s.Remote())
		require.NoError(t, s.Write(&wrapperspb.BytesValue{Value: []byte("abc")}))
		require.NoError(t, s.Write(&wrapperspb.BytesValue{Value: make([]byte, 200)}))
		require.NoError(t, s.CloseWrite())
		require.Equal(t, 0, <-received)
		require.Equal(t, 6, <-received)
		require.Equal(t, 6+205, <-received)
		require.NoError(t, s.Close())
	})
}

func TestContextEndsClientStream(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(ctx context.Context, s *stream.Stream) error {
			return s.Read(&wrapperspb.BytesValue{})
		}})
		ctx, cancel := context.WithCancel(t.Context())
		s, err := stream.Open(ctx, n.client, n.server.ID(), proto)
		require.NoError(t, err)
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		requireCode(t, network.StreamShutdown, s.Read(&wrapperspb.BytesValue{}))
		require.Less(t, time.Since(start), proto.Deadline)
		s.Reset(network.StreamNoError)
	})
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		_, err := stream.Open(t.Context(), n.client, n.server.ID(), proto)
		require.ErrorContains(t, err, string(proto.ID))
		require.ErrorContains(t, err, n.server.ID().String())
	})
}
