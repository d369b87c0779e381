// SPDX-License-Identifier: Apache-2.0

// Package fabric holds tests with binaries of Hyperledger Fabric: a stock peer draws the blocks of stock orderers from a weft node. They run when FABRIC_BIN
// names a folder with peer and orderer, and are skipped without it.
package fabric
