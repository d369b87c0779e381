// SPDX-License-Identifier: Apache-2.0

// Package ledger is the embedded block store of one channel: a directory of append-only segment files and an index that
// can always be made again from them.
//
// Guarantees:
//   - A block is on disk when Append returns nil: its bytes are written once and one fdatasync covers the whole call.
//   - Block numbers have no holes. A kill or a power cut at any instant leaves a prefix of what was appended that holds
//     at least everything Append reported.
//   - Damage is never passed over in silence: every read checks the CRC of its frame, and a damaged block that had been
//     durable is ErrCorrupt with file and offset, not a shorter chain.
//   - The index is never the truth. Missing, stale, damaged or made for other segments, it is rolled forward or dropped
//     and made again when the ledger is opened.
//
// What is stored is not judged: callers append only what they have verified.
//
//	Append ──> segment file ──fdatasync──> tail (memory) ──every 32 Ki entries, 256 MiB, Close──> index.db (bbolt)
//	            │                            │                                                      │
//	Block(n) ───┴──── ReadAt <── location ───┴──────────────────────────────────────────────────────┘
//
// There is one appender at a time (more are made to wait) and any number of readers, which never wait for the disk to
// sync. The package starts no goroutine.
//
// docs/spec/ledger.md describes the files byte by byte.
package ledger
