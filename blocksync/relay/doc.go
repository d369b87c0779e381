// SPDX-License-Identifier: Apache-2.0

// Package relay spreads the bodies of new blocks: a striped relay of one hop.
//
// Whoever has a block of the ordering service, its source, sends every member the announcement, which can be verified by
// itself, and each piece of the body to one member only, which forwards it to all others as it comes:
//
//	source --announcement--> everybody
//	       --piece 1--> a --piece 1--> b c d ...
//	       --piece 2--> b --piece 2--> a c d ...
//
// So every uplink carries about one copy of the body, and every byte crosses two hops. Nobody forwards a piece that it has not
// held against an announcement that it has verified. A receiver complains to the source of what is overdue, and the source
// repairs it over members that it knows to forward; who fails it gets fewer pieces, or none but probes. Several sources of one
// block agree by rank who spreads it. Small blocks go from the source to everybody.
//
// Where packets are lost, the source adds parity (package internal/parity), of which any piece makes up for any other.
//
// In a network where not everybody is connected to everybody, a relay sends to its own row and to one member of each other
// row, which sends to that row (package internal/grid).
//
// A [Machine] is one node's part in one channel, pure and clockless. A [Channel] gives it a clock and its verdicts, and the
// [Carrier] of the host its streams (/weft/relay/1.0.0), which all channels share. When the relay gives a block up, range
// requests bring it (package blocksync): nothing here is a guarantee. docs/spec/relay.md has the protocol, ADR 025 the reasons.
package relay
