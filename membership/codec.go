// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/membership/pb"
	"github.com/weft-p2p/weft/msp"
)

// ErrHeartbeat is wrapped by every error about the content of a heartbeat.
// A correct sender never causes it.
var ErrHeartbeat = errors.New("membership: invalid heartbeat")

// Field numbers of the repeated fields of pb.Heartbeat.
const (
	addrsField    = 2
	channelsField = 3
)

// Marshal returns the content to be sealed. It fails with ErrHeartbeat when a
// receiver would refuse it; Record is not looked at, the seal carries it.
func (h Heartbeat) Marshal() ([]byte, error) {
	m := &pb.Heartbeat{Sequence: h.Sequence, Leaving: h.Leaving}
	for _, addr := range h.Addrs {
		m.Addrs = append(m.Addrs, addr.Bytes())
	}
	for _, s := range h.Channels {
		m.Channels = append(m.Channels, &pb.ChannelState{
			Scope: s.Scope, Height: s.Height, HeadHash: s.HeadHash, Config: s.Config, Leader: s.Leader,
		})
	}
	if err := check(m); err != nil {
		return nil, err
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, invalid("encode: %v", err) // a scope that is not UTF-8
	}
	return content, nil
}

// DecodeHeartbeat reads the content of a sealed heartbeat and checks every cap
// and rule of it. Addresses of a transport that this build does not know are
// left out, so that a newer member is not refused for them. All errors wrap
// ErrHeartbeat.
func DecodeHeartbeat(sealed *msp.Sealed) (*Heartbeat, error) {
	if sealed == nil || sealed.Record == nil {
		return nil, invalid("no member record")
	}
	if n := len(sealed.Content); n > MaxContent {
		return nil, invalid("%d bytes, at most %d are allowed", n, MaxContent)
	}
	if err := count(sealed.Content); err != nil {
		return nil, err
	}
	m := new(pb.Heartbeat)
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(sealed.Content, m); err != nil {
		return nil, invalid("decode: %v", err)
	}
	if err := check(m); err != nil {
		return nil, err
	}
	addrs, err := parseAddrs(m.GetAddrs(), sealed.Record.PeerID())
	if err != nil {
		return nil, err
	}
	return &Heartbeat{
		Record: sealed.Record, Sequence: m.GetSequence(), Addrs: addrs,
		Channels: parseStates(m.GetChannels()), Leaving: m.GetLeaving(),
	}, nil
}

// count refuses too many entries before decoding makes an object of each: empty
// ones take two bytes on the wire and a hundred in memory.
func count(content []byte) error {
	var addrs, channels int
	for len(content) > 0 {
		field, _, n := protowire.ConsumeField(content)
		if n < 0 {
			return invalid("decode: %v", protowire.ParseError(n))
		}
		content = content[n:]
		switch field {
		case addrsField:
			addrs++
		case channelsField:
			channels++
		}
	}
	return checkCounts(addrs, channels)
}

func checkCounts(addrs, channels int) error {
	if addrs > MaxAddrs {
		return invalid("%d addresses, at most %d are allowed", addrs, MaxAddrs)
	}
	if channels > MaxChannels {
		return invalid("%d channels, at most %d are allowed", channels, MaxChannels)
	}
	return nil
}

func check(m *pb.Heartbeat) error {
	if m.GetSequence() == 0 {
		return invalid("sequence is 0")
	}
	if err := checkCounts(len(m.GetAddrs()), len(m.GetChannels())); err != nil {
		return err
	}
	for i, addr := range m.GetAddrs() {
		if n := len(addr); n == 0 || n > MaxAddrSize {
			return invalid("address %d has %d bytes, allowed are 1 to %d", i, n, MaxAddrSize)
		}
	}
	seen := make(map[string]struct{}, len(m.GetChannels()))
	for i, s := range m.GetChannels() {
		if err := checkState(s); err != nil {
			return invalid("channel %d: %v", i, err)
		}
		if _, twice := seen[s.GetScope()]; twice {
			return invalid("channel %d: scope %q is listed twice", i, s.GetScope())
		}
		seen[s.GetScope()] = struct{}{}
	}
	return nil
}

func checkState(s *pb.ChannelState) error {
	height, config, hash := s.GetHeight(), s.GetConfig(), len(s.GetHeadHash())
	switch n := len(s.GetScope()); {
	case n == 0 || n > MaxScope:
		return fmt.Errorf("scope has %d bytes, allowed are 1 to %d", n, MaxScope)
	case height == 0 && (hash != 0 || config != 0):
		return errors.New("height 0 with a head hash or a config block")
	case height > 0 && hash != hashSize:
		return fmt.Errorf("head hash has %d bytes, want %d", hash, hashSize)
	case height > 0 && config >= height:
		return fmt.Errorf("config block %d is not below height %d", config, height)
	}
	return nil
}

// parseAddrs drops what it cannot parse and takes a trailing /p2p part off;
// an address of somebody else is an error, nobody speaks for others.
func parseAddrs(raw [][]byte, id peer.ID) ([]ma.Multiaddr, error) {
	var addrs []ma.Multiaddr
	for i, b := range raw {
		addr, err := ma.NewMultiaddrBytes(b)
		if err != nil {
			continue
		}
		transport, named := peer.SplitAddr(addr)
		if named != "" && named != id {
			return nil, invalid("address %d names peer %s, the sender is %s", i, named, id)
		}
		if len(transport) > 0 {
			addrs = append(addrs, transport)
		}
	}
	return addrs, nil
}

func parseStates(raw []*pb.ChannelState) []ChannelState {
	var states []ChannelState
	for _, s := range raw {
		states = append(states, ChannelState{
			Scope: s.GetScope(), Height: s.GetHeight(), HeadHash: s.GetHeadHash(),
			Config: s.GetConfig(), Leader: s.GetLeader(),
		})
	}
	return states
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrHeartbeat, fmt.Sprintf(format, args...))
}
