// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/membership/pb"
	"github.com/weft-p2p/weft/msp"
)

func full(t fatal) membership.Heartbeat {
	return membership.Heartbeat{
		Sequence: 7,
		Addrs:    []ma.Multiaddr{addr(t, "/ip4/10.0.0.1/tcp/7061"), addr(t, "/dns4/peer0.example.org/udp/7061/quic-v1")},
		Channels: []membership.ChannelState{
			{Scope: "/weft/1/mfzwizltoq", Height: 12, HeadHash: hash(12), Config: 3, Leader: true},
			{Scope: "/weft/1/nbswy3dp"},
		},
	}
}

func TestHeartbeatGolden(t *testing.T) {
	for name, h := range map[string]membership.Heartbeat{
		"full":    full(t),
		"leaving": {Sequence: 8, Leaving: true},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := h.Marshal()
			require.NoError(t, err)
			path := filepath.Join("testdata", "heartbeat", name+".hex")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(content)+"\n"), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(string(want)), hex.EncodeToString(content), "the wire format changed")

			h.Record = record(t, "alice", identity(t, "Org1MSP"), 1)
			got, err := membership.DecodeHeartbeat(&msp.Sealed{Record: h.Record, Content: content})
			require.NoError(t, err)
			require.Equal(t, &h, got)
		})
	}
}

func TestHeartbeatRules(t *testing.T) {
	other := addr(t, "/ip4/10.0.0.1/tcp/1/p2p/"+peerID(t, "bob").String()).Bytes()
	states := func(n int) (all []*pb.ChannelState) {
		for i := range n {
			all = append(all, &pb.ChannelState{Scope: fmt.Sprint(i)})
		}
		return all
	}
	one := func(s *pb.ChannelState) func(*pb.Heartbeat) {
		return func(m *pb.Heartbeat) { m.Channels = []*pb.ChannelState{s} }
	}
	tests := map[string]struct {
		change func(*pb.Heartbeat)
		err    string // empty: allowed
	}{
		"no sequence":         {func(m *pb.Heartbeat) { m.Sequence = 0 }, "sequence is 0"},
		"most addresses":      {func(m *pb.Heartbeat) { m.Addrs = repeated(16, addr(t, "/ip4/10.0.0.1/tcp/1").Bytes()) }, ""},
		"too many addresses":  {func(m *pb.Heartbeat) { m.Addrs = repeated(17, []byte{4}) }, "17 addresses, at most 16"},
		"longest address":     {func(m *pb.Heartbeat) { m.Addrs = [][]byte{make([]byte, 256)} }, ""},
		"address too long":    {func(m *pb.Heartbeat) { m.Addrs = [][]byte{make([]byte, 257)} }, "address 0 has 257 bytes"},
		"empty address":       {func(m *pb.Heartbeat) { m.Addrs = [][]byte{{}} }, "address 0 has 0 bytes"},
		"address of another":  {func(m *pb.Heartbeat) { m.Addrs = [][]byte{other} }, "names peer"},
		"most channels":       {func(m *pb.Heartbeat) { m.Channels = states(256) }, ""},
		"too many channels":   {func(m *pb.Heartbeat) { m.Channels = states(257) }, "257 channels, at most 256"},
		"no scope":            {one(&pb.ChannelState{}), "channel 0: scope has 0 bytes"},
		"longest scope":       {one(&pb.ChannelState{Scope: strings.Repeat("x", 128)}), ""},
		"scope too long":      {one(&pb.ChannelState{Scope: strings.Repeat("x", 129)}), "scope has 129 bytes"},
		"scope twice":         {func(m *pb.Heartbeat) { m.Channels = []*pb.ChannelState{{Scope: "x"}, {Scope: "x"}} }, `scope "x" is listed twice`},
		"hash at height 0":    {one(&pb.ChannelState{Scope: "x", HeadHash: hash(1)}), "height 0 with a head hash"},
		"config at height 0":  {one(&pb.ChannelState{Scope: "x", Config: 1}), "height 0 with a head hash or a config block"},
		"no hash":             {one(&pb.ChannelState{Scope: "x", Height: 1}), "head hash has 0 bytes"},
		"short hash":          {one(&pb.ChannelState{Scope: "x", Height: 1, HeadHash: hash(1)[:31]}), "head hash has 31 bytes"},
		"long hash":           {one(&pb.ChannelState{Scope: "x", Height: 1, HeadHash: append(hash(1), 0)}), "head hash has 33 bytes"},
		"config is the head":  {one(&pb.ChannelState{Scope: "x", Height: 4, HeadHash: hash(1), Config: 3}), ""},
		"config not in chain": {one(&pb.ChannelState{Scope: "x", Height: 4, HeadHash: hash(1), Config: 4}), "config block 4 is not below height 4"},
		"greatest height":     {one(&pb.ChannelState{Scope: "x", Height: 1<<64 - 1, HeadHash: hash(1), Config: 1<<64 - 2}), ""},
	}
	rec := record(t, "alice", identity(t, "Org1MSP"), 1)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := &pb.Heartbeat{Sequence: 1}
			test.change(m)
			content, err := proto.Marshal(m)
			require.NoError(t, err)
			_, err = membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: content})
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, membership.ErrHeartbeat)
			require.ErrorContains(t, err, test.err)
		})
	}
}

func repeated(n int, b []byte) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

func TestHeartbeatSize(t *testing.T) {
	rec := record(t, "alice", identity(t, "Org1MSP"), 1)
	m := &pb.Heartbeat{Sequence: 1<<64 - 1, Leaving: true, Addrs: repeated(membership.MaxAddrs, make([]byte, membership.MaxAddrSize))}
	for i := range membership.MaxChannels {
		m.Channels = append(m.Channels, &pb.ChannelState{
			Scope: fmt.Sprintf("%0128d", i), Height: 1<<64 - 1, HeadHash: hash(1), Config: 1<<64 - 2, Leader: true,
		})
	}
	content, err := proto.Marshal(m)
	require.NoError(t, err)
	require.Less(t, len(content), membership.MaxContent, "the widest legal heartbeat must fit")
	_, err = membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: content})
	require.NoError(t, err)

	padded := protowire.AppendTag([]byte{8, 1}, 999, protowire.BytesType) // a field of a later version
	padded = protowire.AppendBytes(padded, make([]byte, membership.MaxContent-len(padded)-3))
	require.Len(t, padded, membership.MaxContent)
	_, err = membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: padded})
	require.NoError(t, err, "at the limit")

	_, err = membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: make([]byte, membership.MaxContent+1)})
	require.ErrorContains(t, err, "65537 bytes, at most 65536")
	_, err = membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: []byte{0xff}})
	require.ErrorIs(t, err, membership.ErrHeartbeat)
	_, err = membership.DecodeHeartbeat(nil)
	require.ErrorIs(t, err, membership.ErrHeartbeat)
}

func TestHeartbeatAddresses(t *testing.T) {
	rec := record(t, "alice", identity(t, "Org1MSP"), 1)
	relayed := "/ip4/10.0.0.9/tcp/1/p2p/" + peerID(t, "relay").String() + "/p2p-circuit"
	own := "/p2p/" + rec.PeerID().String()
	content, err := membership.Heartbeat{Sequence: 1, Addrs: []ma.Multiaddr{
		addr(t, "/ip4/10.0.0.1/tcp/1"+own), addr(t, own), addr(t, relayed+own), addr(t, relayed),
	}}.Marshal()
	require.NoError(t, err)
	content = append(content, 0x12, 2, 0xff, 0x7f) // field 2: an address of an unknown transport
	h, err := membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: content})
	require.NoError(t, err)
	require.Equal(t, []ma.Multiaddr{addr(t, "/ip4/10.0.0.1/tcp/1"), addr(t, relayed), addr(t, relayed)}, h.Addrs)
}

func TestMarshalRefusesWhatOthersWould(t *testing.T) {
	_, err := membership.Heartbeat{}.Marshal()
	require.ErrorIs(t, err, membership.ErrHeartbeat)
	_, err = membership.Heartbeat{Sequence: 1, Channels: []membership.ChannelState{{Scope: "\xff"}}}.Marshal()
	require.ErrorIs(t, err, membership.ErrHeartbeat)
}

func TestFor(t *testing.T) {
	h := full(t)
	s, ok := h.For("/weft/1/mfzwizltoq")
	require.True(t, ok)
	require.EqualValues(t, 12, s.Height)
	_, ok = h.For("/weft/1/unknown")
	require.False(t, ok)
}

// FuzzDecodeHeartbeat: any content is refused with ErrHeartbeat or gives a
// heartbeat that survives a round trip.
func FuzzDecodeHeartbeat(f *testing.F) {
	content, err := full(f).Marshal()
	require.NoError(f, err)
	f.Add(content)
	f.Add([]byte{})
	f.Add([]byte{8, 1, 0x12, 2, 0xff, 0x7f})
	f.Add(bytes.Repeat([]byte{0x1a, 0}, 300))
	rec := record(f, "alice", identity(f, "Org1MSP"), 1)
	f.Fuzz(func(t *testing.T, content []byte) {
		h, err := membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: content})
		if err != nil {
			require.ErrorIs(t, err, membership.ErrHeartbeat)
			return
		}
		again, err := h.Marshal()
		require.NoError(t, err)
		same, err := membership.DecodeHeartbeat(&msp.Sealed{Record: rec, Content: again})
		require.NoError(t, err)
		require.Equal(t, h, same)
	})
}
