// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"sync"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// frontier is how far the block source and the headers have got. Safe for concurrent use.
type frontier struct {
	mu    sync.Mutex    // guards all below
	next  uint64        // number of the block that the source has to bring next
	known uint64        // headers below it are verified
	moved chan struct{} // closed and replaced when next moves
}

func newFrontier(next uint64) *frontier { return &frontier{next: next, moved: make(chan struct{})} }

// move says that the source has to bring block next.
func (f *frontier) move(next uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
	close(f.moved)
	f.moved = make(chan struct{})
}

// await waits until a number is within the window ahead of the source.
func (f *frontier) await(ctx context.Context, number uint64) error {
	for {
		f.mu.Lock()
		next, moved := f.next, f.moved
		f.mu.Unlock()
		if number < next || number-next < headerWindow {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached is the number of the block that the source has to bring next.
func (f *frontier) reached() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// learn says that headers below a height are verified.
func (f *frontier) learn(height uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = max(f.known, height)
}

func (f *frontier) height() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

// roster is the endpoints that headers can come from, each to one receiver at a time; there are at least as many as receivers.
type roster struct {
	mu   sync.Mutex // guards free
	free []channelconfig.Endpoint
}

func (r *roster) take() channelconfig.Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.free[0]
	r.free = r.free[1:]
	return e
}

// put gives an endpoint back, behind those that have not been asked for longer.
func (r *roster) put(e channelconfig.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, e)
}
