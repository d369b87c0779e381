// SPDX-License-Identifier: Apache-2.0

// Package integration tests whole networks: real nodes on real libp2p hosts with real gossipsub, a development ordering
// service over gRPC with TLS, certificates and genesis blocks made on the spot, all in virtual time (testing/synctest over
// a simulated network). It has no code of its own but tests.
//
// Every network has a seed, which it prints; WEFT_SEED=n runs it with another, WEFT_SEED=0 with a new one. WEFT_LOG=debug shows what the nodes log.
package integration
