// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"
)

// Small messages wait in a queue of so many slots, so that handler and sender do not wake each other for every one; a message above
// smallMessage bytes takes all of them, so that no more than one big block waits while another one is read.
const (
	slots        = 4
	smallMessage = 32 << 10
)

// message is what waits to be sent.
type message struct {
	content any
	slots   int // that it takes until it is on its way
}

// writer sends the messages of one stream, so that its handler reads the next block meanwhile, and can leave a client that does not read:
// when the handler returns, gRPC ends the send that hangs.
type writer struct {
	server   *Server
	messages chan message  // to the goroutine, with room for all that slots let in
	slots    chan struct{} // those that are taken
	ended    chan struct{} // closed when the goroutine has
	err      error         // why; read after ended

	timeout *time.Timer // of the step under way
	closed  bool        // no more messages
}

func (s *Server) newWriter(st stream) *writer {
	w := &writer{
		server: s, messages: make(chan message, slots), slots: make(chan struct{}, slots),
		ended: make(chan struct{}), timeout: time.NewTimer(time.Hour),
	}
	s.pending.Go(func() {
		defer close(w.ended)
		for m := range w.messages {
			if w.err = st.SendMsg(m.content); w.err != nil {
				return
			}
			for range m.slots {
				<-w.slots
			}
		}
	})
	return w
}

// send hands a message of so many bytes over when those before it leave room. The error is errSlow when the client does not read.
func (w *writer) send(ctx context.Context, content any, size int) error {
	w.limit(size)
	m := message{content, 1}
	if size > smallMessage {
		m.slots = slots
	}
	for range m.slots {
		if err := w.take(ctx); err != nil {
			return err
		}
	}
	w.messages <- m
	return nil
}

// take waits for a slot.
func (w *writer) take(ctx context.Context) error {
	select {
	case w.slots <- struct{}{}:
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
