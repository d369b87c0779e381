// SPDX-License-Identifier: Apache-2.0

// Package netdir lays out a development network in one folder, so that its processes can be started by hand on one machine, and reads
// what the ordering service among them needs. The commands "weft devnet init" and "weft orderer" call it.
//
//	DIR/crypto/        organizations as cryptogen lays them out: MSP folders of organizations, peers and users, TLS certificates
//	DIR/orderer/       the ordering service: orderer.yaml, its MSP folder, its TLS certificate and key, the genesis block, later its data
//	DIR/org1-peer0/    a peer: core.yaml, later its data; one folder for each
//	DIR/CHANNEL.block  the genesis block, for peers to join with
//
// Every path in the files is relative to the file, so the folder can be moved. There is a whole network in it or nothing: it is written
// beside its place and renamed. The keys of the certificate authorities are not kept, so nobody can be added later.
package netdir
