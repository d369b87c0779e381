// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"bytes"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// tape is a stream whose other end has said everything.
type tape struct{ network.Stream }

func (tape) SetReadDeadline(time.Time) error { return nil }

// FuzzRead reads messages from any bytes: none is above the limit, no more memory is held than the limit, and what is read is
// what protodelim reads.
func FuzzRead(f *testing.F) {
	f.Add([]byte{3, 10, 1, 'x', 0, 2, 10, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 1000
		s := &Stream{raw: tape{}, r: bufio.NewReader(bytes.NewReader(raw)), protocol: Protocol{MaxMessage: limit}}
		reference := bufio.NewReader(bytes.NewReader(raw))
		for range 100 {
			var got, want wrapperspb.BytesValue
			err := s.Read(&got)
			require.LessOrEqual(t, cap(s.in), limit)
			if err != nil {
				return
			}
			require.NoError(t, protodelim.UnmarshalOptions{MaxSize: limit}.UnmarshalFrom(reference, &want))
			require.Equal(t, want.Value, got.Value)
		}
	})
}
