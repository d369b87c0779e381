// SPDX-License-Identifier: Apache-2.0

// Package evidence proves who has signed what no honest member of a channel signs, so that anybody who has the channel's
// configuration can check it, offline:
//
//   - a fork: two headers with one number and one previous hash, both signed by the ordering service;
//   - a false announcement: a signed announcement whose size or root is not that of the body of the announced block.
//
// Only what is signed counts: a forwarder adds nothing of its own to an announcement or a block, so it is never named.
//
// A [Proof] is bytes that claim something, a [Finding] is one that holds. A [Witness] compares what was announced with what
// was committed, beside the ledger's writer and never in its way, and keeps what it finds in a [Store]:
//
//	announcements --Heard--> claims --once the number is committed--> Witness.Run --> Store, log, metric
//	other blocks  --Rival-->                      ledger --reads----->
//
// docs/spec/evidence.md describes the proofs.
package evidence
