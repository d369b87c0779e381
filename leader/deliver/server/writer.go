// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"
)

// writer sends the messages of one stream, so that its handler reads the next block meanwhile, and can leave a client that does not read:
// when the handler returns, gRPC ends the send that hangs.
type writer struct {
	server   *Server
	messages chan any      // to the goroutine
	ended    chan struct{} // closed when the goroutine has
	err      error         // why; read after ended

	timeout *time.Timer // of the step under way
	closed  bool        // no more messages
}

func (s *Server) newWriter(st stream) *writer {
	w := &writer{server: s, messages: make(chan any), ended: make(chan struct{}), timeout: time.NewTimer(time.Hour)}
	s.pending.Go(func() {
		defer close(w.ended)
		for m := range w.messages {
			if w.err = st.SendMsg(m); w.err != nil {
				return
			}
		}
	})
	return w
}

// send hands a message of so many bytes over when the one before it is on its way. The error is errSlow when the client does not read.
func (w *writer) send(ctx context.Context, m any, size int) error {
	w.limit(size)
	select {
	case w.messages <- m:
		return nil
	case <-w.ended:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.timeout.C:
		return w.slow()
	}
}

// flush waits until everything is on its way. Nothing can be sent afterwards.
func (w *writer) flush(ctx context.Context) error {
	w.close()
	w.limit(0)
	defer w.timeout.Stop()
	select {
	case <-w.ended:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	case <-w.timeout.C:
		return w.slow()
	}
}

// close ends the goroutine after what it was given. It may be called more than once.
func (w *writer) close() {
	if !w.closed {
		close(w.messages)
		w.closed = true
	}
}

// limit starts the time that a client has for so many bytes.
func (w *writer) limit(size int) {
	w.timeout.Reset(w.server.cfg.Limits.SendTimeout + time.Duration(size/minRate)*time.Second)
}

func (w *writer) slow() error {
	w.server.cfg.Metrics.refused("slow")
	return errSlow
}
