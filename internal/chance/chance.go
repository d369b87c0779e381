// SPDX-License-Identifier: Apache-2.0

// Package chance lets the default test run draw the same inputs each time, so that a failure is that of the change. It is for
// tests alone. CONTRIBUTING.md says how to run them with others.
package chance

import "flag"

// Fix gives property tests (rapid) a fixed seed, unless RAPID_SEED or -rapid.seed names one; -rapid.seed=0 is a new one each
// time. It is for TestMain, before anything runs, and does nothing where there are no property tests.
func Fix() {
	f := flag.Lookup("rapid.seed")
	if f == nil || f.DefValue != "0" { // which RAPID_SEED would have changed
		return
	}
	_ = f.Value.Set("1") // what the command line says is parsed later
}
