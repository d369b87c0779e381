// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"bytes"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/weft-p2p/weft/internal/fair"
)

// Tape is a stream of p whose other end has said everything.
func Tape(p Protocol, said []byte) *Stream {
	return &Stream{raw: tape{}, r: bufio.NewReader(bytes.NewReader(said)), protocol: p}
}

// Entrance lets streams in as a server of p does, and says whether there was room. Nobody leaves.
func Entrance(p Protocol) func(fair.Owner) bool {
	live := &gate{total: p.Streams, each: p.PeerStreams}
	return func(o fair.Owner) bool { return live.enter(o) == network.StreamNoError }
}

// RatesOf are the rates of a server of p.
func RatesOf(p Protocol) *Rates { return NewRates(p.Rate, p.Burst, p.OrgRate, p.OrgBurst) }
