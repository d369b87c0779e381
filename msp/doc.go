// SPDX-License-Identifier: Apache-2.0

// Package msp says who is who: it reads Hyperledger Fabric's MSP folders and
// configurations, decides which certificates are members of an organization,
// and makes and checks signatures exactly as a Fabric peer does, so that weft
// and the peers beside it never disagree about an identity.
//
// Three layers, each usable alone:
//
//	Identity, SigningIdentity   a certificate and its signatures; no trust
//	MSP, Local                  the rules of one organization: CA tree,
//	                            revocation, organizational units, principals
//	Record, Records, Seal       the binding of a libp2p host key to an
//	                            identity, and messages signed under it
//
// Nothing here reads a clock: whoever cares about time passes now. An MSP does
// not look at expiry (Fabric's rule: an old block signed by a certificate that
// has since expired stays valid); Identity.ValidAt and Record.ValidAt do, and
// connections, streams and leadership ask them. Nothing starts a goroutine, and
// every exported type is safe for concurrent use.
//
// Every decoder takes hostile input: sizes are capped before anything is
// allocated, and no input panics.
package msp
