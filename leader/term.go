// SPDX-License-Identifier: Apache-2.0

package leader

import "context"

// term is one run of something that ends in a T. The zero value does not run.
type term[T any] struct {
	cancel context.CancelFunc
	done   chan T // closed after the result
}

func (t *term[T]) runs() bool { return t.done != nil }

func (t *term[T]) begin(ctx context.Context, do func(context.Context) T) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan T, 1)
	*t = term[T]{cancel, done}
	go func() {
		defer close(done)
		done <- do(ctx)
	}()
}

// end makes it end, if it runs, and waits for that.
func (t *term[T]) end() {
	if !t.runs() {
		return
	}
	t.cancel()
	for range t.done {
	}
	*t = term[T]{}
}
