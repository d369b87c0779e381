// SPDX-License-Identifier: Apache-2.0

// Package admin administers a running node over a Unix socket that only its owner may open: HTTP with JSON, blocks and proofs as their bytes.
//
//	GET    /v1/channels                       {"channels": [Status, ...]}
//	POST   /v1/channels                       body: a genesis block      -> Status
//	GET    /v1/channels/{id}                  Status
//	DELETE /v1/channels/{id}                  leaves
//	GET    /v1/channels/{id}/blocks/{which}   which: a number, oldest, newest or config -> a block
//	GET    /v1/channels/{id}/evidence         {"evidence": [Evidence, ...]}
//	GET    /v1/channels/{id}/evidence/{which} which: the ID of one       -> a proof
//	GET    /v1/peers                          {"peers": [Peer, ...]}
//	GET    /v1/version                        Version
//
// Every error is {"error": "..."} with status 400 (bad input), 404 (no such channel, block or proof), 409 (it is so already) or 500.
//
// A [Server] answers for a [Node], which the daemon implements; a [Client] has the same methods for the commands. Whoever may open
// the socket may do everything: its mode, 0600, is the access control.
package admin
