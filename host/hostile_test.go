// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/stream"
)

// What hostile openers send: each stream is reset, nothing is kept, and nobody is told above Debug.
func TestHostileOpeners(t *testing.T) {
	frame := func(raw []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(raw))), raw...) }
	request := func(rec []byte) []byte {
		raw, err := proto.Marshal(&pb.AuthRequest{Record: rec})
		require.NoError(t, err)
		return frame(raw)
	}
	for name, raw := range map[string]func(p *party) []byte{
		"nothing":                 func(*party) []byte { return nil },
		"garbage":                 func(*party) []byte { return frame([]byte("\xff\xff\xffgarbage")) },
		"empty message":           func(*party) []byte { return []byte{0} },
		"garbage for a record":    func(*party) []byte { return request([]byte("garbage")) },
		"oversize":                func(*party) []byte { return binary.AppendUvarint(nil, 33<<10) },
		"endless length":          func(*party) []byte { return bytes.Repeat([]byte{0xff}, 20) },
		"half a message":          func(*party) []byte { return []byte{100, 1, 2} },
		"somebody else's record":  func(p *party) []byte { return request(p.record().Bytes()) },
		"a record cut short":      func(p *party) []byte { return request(p.record().Bytes()[:100]) },
		"our own record reversed": func(p *party) []byte { b := slices.Clone(p.record().Bytes()); slices.Reverse(b); return request(b) },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				p := newParty(s, "Org1", nil)
				stranger := s.plain()
				connect(t, stranger, p)
				st, err := stranger.NewStream(t.Context(), p.ID(), host.AuthProtocol.ID)
				require.NoError(t, err)
				_, err = st.Write(raw(p))
				require.NoError(t, err)
				start := time.Now()
				_, err = io.ReadAll(st)
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(start), host.AuthProtocol.Deadline+time.Second)
				rec, res := p.Known(stranger.ID())
				require.Nil(t, rec)
				require.Equal(t, host.Unspecified, res)
				require.Empty(t, p.changes())
				require.NotContains(t, p.log.String(), "level=WARN")
				require.NotContains(t, p.log.String(), "level=ERROR")
			})
		})
	}
}

// What hostile answerers send back, or do not.
func TestHostileAnswerers(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(a *party) *pb.AuthResponse
		err    error
	}{
		"no answer":    {nil, nil},
		"no status":    {func(*party) *pb.AuthResponse { return &pb.AuthResponse{} }, host.ErrAnswer},
		"no record":    {func(*party) *pb.AuthResponse { return &pb.AuthResponse{Status: pb.Status_STATUS_VERIFIED} }, host.ErrInvalidRecord},
		"wrong status": {func(*party) *pb.AuthResponse { return &pb.AuthResponse{Status: 77} }, host.ErrAnswer},
		"our own record": {func(a *party) *pb.AuthResponse {
			return &pb.AuthResponse{Status: pb.Status_STATUS_VERIFIED, Record: a.record().Bytes()}
		}, host.ErrInvalidRecord},
		"record without verification": {func(a *party) *pb.AuthResponse {
			return &pb.AuthResponse{Status: pb.Status_STATUS_UNKNOWN, Record: a.record().Bytes()}
		}, host.ErrUnknownToPeer},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				a, b := newParty(s, "Org1", nil), s.plain()
				server := &stream.Server{Host: b, Protocol: host.AuthProtocol, Handle: func(ctx context.Context, st *stream.Stream) error {
					if tc.answer == nil {
						<-ctx.Done()
						return ctx.Err()
					}
					return st.Write(tc.answer(a))
				}}
				run(t, server.Run)
				connect(t, a, b)
				start := time.Now()
				res, err := a.Authenticate(t.Context(), b.ID())
				require.Error(t, err)
				require.Equal(t, host.Unspecified, res)
				if tc.err != nil {
					require.ErrorIs(t, err, tc.err)
				}
				require.LessOrEqual(t, time.Since(start), host.AuthProtocol.Deadline+time.Second)
				require.Empty(t, a.changes())
			})
		})
	}
}
