// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// serve reads a peer's stream until it ends.
func (c *Carrier) serve(ctx context.Context, s network.Stream) {
	from := s.Conn().RemotePeer()
	if !c.Speaks(from) {
		_ = s.ResetWithError(network.StreamGated)
		return
	}
	scope := s.Scope()
	if scope.SetService(Service) != nil || scope.ReserveMemory(streamMemory, network.ReservationPriorityAlways) != nil {
		_ = s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer scope.ReleaseMemory(streamMemory)
	stop := context.AfterFunc(ctx, func() { _ = s.ResetWithError(network.StreamShutdown) })
	defer stop()
	err := c.read(s)
	if errors.Is(err, io.EOF) {
		_ = s.Close()
		return
	}
	c.Log.Debug("relay stream", "peer", from, "err", err)
	_ = s.ResetWithError(network.StreamProtocolViolation)
}

// read reads until the stream ends; io.EOF is a good end.
func (c *Carrier) read(s network.Stream) error {
	r := newFrameReader(s)
	if err := s.SetReadDeadline(time.Now().Add(helloTime)); err != nil {
		return err
	}
	if _, err := r.ReadByte(); err != nil {
		return err
	}
	if _, err := s.Write([]byte{1}); err != nil {
		return err
	}
	if err := s.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	from := s.Conn().RemotePeer()
	for {
		scope, f, err := r.frame()
		if err != nil {
			return err
		}
		if ch := c.channel(scope, from); ch != nil {
			ch.receive(from, f)
		}
	}
}
