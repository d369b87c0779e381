// SPDX-License-Identifier: Apache-2.0

// Package daemon is a peer as a process: a node on a libp2p host of its own, set up by core.yaml, that joins its channels again at
// every start, is administered over a Unix socket and watched over an operations listener.
//
//	core.yaml --> New: MSP, data directory, host, node, listeners --> Run: join again, serve, until ctx ends
//
// All that it keeps is in its data directory:
//
//	host.key            the host key, which the peer ID follows from; mode 0600
//	identity            whose directory this is: peer ID and MSP ID
//	incarnation         of the member record
//	ledgers/<channel>/  blocks
//	channels/*.block    genesis block of each channel that is joined at start; leaving removes it
//	node.lock           locked while a process uses the directory
//	admin.sock          administration, mode 0600
//
// A process may be killed at any time: every file is whole or absent, and the next start goes on from there.
package daemon
