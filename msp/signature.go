// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// ErrSignature reports a signature that its claimed signer did not make, or
// that is not in the form Fabric demands.
var ErrSignature = errors.New("msp: bad signature")

type ecdsaSignature struct{ R, S *big.Int }

// verifySignature follows Fabric: ECDSA over the digest of the message whatever
// the curve, S in the lower half of the order; Ed25519 over the message itself.
func verifySignature(key crypto.PublicKey, digest digestFunc, msg, sig []byte) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return verifyECDSA(k, digest, msg, sig)
	case ed25519.PublicKey:
		if !ed25519.Verify(k, msg, sig) {
			return ErrSignature
		}
		return nil
	default:
		return fmt.Errorf("%w: key type %T is not supported, use ECDSA or Ed25519", ErrSignature, key)
	}
}

func verifyECDSA(key *ecdsa.PublicKey, digest digestFunc, msg, sig []byte) error {
	if digest == nil {
		return fmt.Errorf("%w: the hash family of the organization is not known", ErrSignature)
	}
	rs, err := parseECDSA(sig)
	if err != nil {
		return err
	}
	if isHighS(key.Curve, rs.S) {
		return fmt.Errorf("%w: S is above half the order of %s", ErrSignature, key.Params().Name)
	}
	sum := digest(msg)
	if !ecdsa.Verify(key, sum[:], rs.R, rs.S) {
		return ErrSignature
	}
	return nil
}

// parseECDSA reads a DER signature. Bytes after it are ignored, as Fabric does.
func parseECDSA(sig []byte) (ecdsaSignature, error) {
	var rs ecdsaSignature
	if _, err := asn1.Unmarshal(sig, &rs); err != nil {
		return rs, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if rs.R.Sign() <= 0 || rs.S.Sign() <= 0 {
		return rs, fmt.Errorf("%w: R and S must be positive", ErrSignature)
	}
	return rs, nil
}

// reencode returns the signature in canonical DER, S as it is.
func reencode(sig []byte) ([]byte, error) {
	rs, err := parseECDSA(sig)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(rs)
}

// isHighS reports whether s lies above half the order of the curve, where it
// has a twin n-s that verifies just as well.
func isHighS(c elliptic.Curve, s *big.Int) bool {
	half := new(big.Int).Rsh(c.Params().N, 1)
	return s.Cmp(half) > 0
}

// lowS returns the signature with S in the lower half of the curve's order.
func lowS(c elliptic.Curve, sig []byte) ([]byte, error) {
	rs, err := parseECDSA(sig)
	if err != nil {
		return nil, err
	}
	if isHighS(c, rs.S) {
		rs.S = new(big.Int).Sub(c.Params().N, rs.S)
	}
	return asn1.Marshal(rs)
}
