// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// digestFunc makes the digest of a message that ECDSA signs.
type digestFunc func(msg []byte) [32]byte

// digestOf returns the digest of an organization's hash family, nil for a family
// that Fabric does not know: it takes such a configuration, and then no signature.
func digestOf(c *mspproto.FabricCryptoConfig) digestFunc {
	switch cmp.Or(c.GetSignatureHashFamily(), "SHA2") {
	case "SHA2":
		return sha256.Sum256
	case "SHA3":
		return sha3.Sum256
	}
	return nil
}

// identityHash returns the hash function that certifiers are made with, nil for
// one that Fabric does not know: it refuses such a configuration.
func identityHash(c *mspproto.FabricCryptoConfig) func() hash.Hash {
	switch cmp.Or(c.GetIdentityIdentifierHashFunction(), "SHA256") {
	case "SHA256":
		return sha256.New
	case "SHA384":
		return sha512.New384
	case "SHA3_256":
		return func() hash.Hash { return sha3.New256() }
	case "SHA3_384":
		return func() hash.Hash { return sha3.New384() }
	}
	return nil
}
