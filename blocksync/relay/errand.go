// SPDX-License-Identifier: Apache-2.0

package relay

import "sync"

// errand is something to be done now and then. It has a goroutine while it is being done, and none while it is not: a host has some for
// each of its neighbours, and a goroutine that only waits keeps 5 to 9 KB. The zero value waits for begin.
type errand struct {
	mu    sync.Mutex   // guards all below; never held while the errand is done
	do    func() error // nil: not begun, or ended
	due   bool
	busy  bool
	going sync.WaitGroup
}

// begin says what is to be done; fail hears the first error, after which it is not done again. It is due if it was before.
func (e *errand) begin(do func() error, fail func(error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.do = func() error {
		err := do()
		if err != nil {
			fail(err)
		}
		return err
	}
	e.start()
}

// wake has it done, and once more if it is being done. It does not wait for that.
func (e *errand) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.due = true
	e.start()
}

// start starts what is due, unless it goes already. Callers hold mu.
func (e *errand) start() {
	if e.do == nil || !e.due || e.busy {
		return
	}
	e.busy = true
	e.going.Go(func() {
		for do := e.next(); do != nil; do = e.next() {
			if do() != nil {
				return // still busy: not again
			}
		}
	})
}

// next is what is to be done now, nil if nothing is.
func (e *errand) next() func() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy = e.do != nil && e.due; !e.busy {
		return nil
	}
	e.due = false
	return e.do
}

// end has it not done any more, and returns when it is not being done. What it waits for has to be ended before.
func (e *errand) end() {
	e.mu.Lock()
	e.do = nil
	e.mu.Unlock()
	e.going.Wait()
}
