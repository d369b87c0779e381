// SPDX-License-Identifier: Apache-2.0

// Package operations is the listener that operators and their tools ask: the paths and answers of a Fabric peer's.
//
//	GET /metrics   Prometheus metrics; only with a Gatherer
//	GET /healthz   200 {"status":"OK",...}, or 503 with failed_checks
//	GET /logspec   {"spec":"info"}; PUT the same form to change it, answered by 204
//	GET /version   {"CommitSHA":"...","Version":"..."}
//
// With TLS, /metrics and /logspec want a client certificate that a client CA has issued, whether or not all connections
// need one; /healthz and /version do not (Fabric's rule).
//
// The daemon runs one [Server]. Whoever can connect can cost it a bounded number of bytes and seconds.
package operations
