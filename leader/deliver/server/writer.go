// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"
)

// queue is how many reads wait, so that handler and sender do not wait for each other. A read of more than manyRoom bytes takes the whole
// queue, so that no more than one big block waits.
const queue = 2

// writer sends the messages of one stream, so that its handler reads the next blocks meanwhile, and can leave a client that does not read:
// when the handler returns, gRPC ends the send that hangs.
type writer struct {
	server   *Server
	messages chan []any    // to the goroutine
	ended    chan struct{} // closed when the goroutine has
	err      error         // why; read after ended

	timeout *time.Timer // of the step under way
	closed  bool        // no more messages
}

func (s *Server) newWriter(st stream) *writer {
	w := &writer{server: s, messages: make(chan []any, queue), ended: make(chan struct{}), timeout: time.NewTimer(time.Hour)}
	s.pending.Go(func() {
		defer close(w.ended)
		for messages := range w.messages {
			for _, m := range messages {
				if w.err = st.SendMsg(m); w.err != nil {
					return
				}
			}
		}
	})
	return w
}

// send hands messages with blocks of so many bytes over when those before them leave room. The error is errSlow when the client does not
// read.
func (w *writer) send(ctx context.Context, size int, messages ...any) error {
	w.limit(size)
	err := w.put(ctx, messages)
	for i := 1; i < queue && size > manyRoom && err == nil; i++ {
		err = w.put(ctx, nil)
	}
	return err
}

// put waits for a place in the queue.
func (w *writer) put(ctx context.Context, messages []any) error {
	select {
	case w.messages <- messages:
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
