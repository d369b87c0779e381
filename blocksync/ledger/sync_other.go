// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package ledger

import "os"

// dataSync makes the data of a file durable.
func dataSync(f *os.File) error { return f.Sync() }
