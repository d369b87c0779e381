// SPDX-License-Identifier: Apache-2.0

package evidence

// JudgeWaiting judges what is due, in the caller's goroutine, as if no body had been looked at before.
func JudgeWaiting(w *Witness) {
	clear(w.bodies)
	for _, c := range w.waiting.take(w.Ledger.Height()) {
		if err := w.judge(c); err != nil {
			panic(err)
		}
	}
}

// Waiting is how many claims wait.
func Waiting(w *Witness) (n int) {
	for _, slot := range w.waiting.by {
		n += len(slot)
	}
	return n
}
