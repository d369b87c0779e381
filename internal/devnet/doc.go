// SPDX-License-Identifier: Apache-2.0

// Package devnet makes the material of a development network on the spot, in Hyperledger Fabric's own formats:
// certificate authorities, enrollment and TLS certificates, MSP folders, channel genesis blocks, later configurations
// and signed transactions. It stands in for cryptogen, configtxgen, configtxlator and a client application.
//
//	NewOrg --Enroll--> Node --Local/WriteMSP--> package msp, or a stock peer
//	   \--TLS--> certificate and key
//	    \--Genesis / Adopt--> block 0 --Update, ConfigEnvelope--> later config blocks
//
// The development ordering service, the demo and tests call it. Nothing that it makes belongs on a production network:
// the keys of the authorities stay in memory and nobody checks who asks for a certificate.
//
// Time is always an argument, so that certificates fit the virtual clock of a testing/synctest bubble: they are valid
// from one hour before it. Keys, serial numbers and nonces come from crypto/rand. No function blocks, and there are no
// goroutines.
package devnet
