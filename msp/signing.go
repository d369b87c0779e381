// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Errors of signing identities.
var (
	// ErrKeyMismatch reports a private key that is not the certificate's.
	ErrKeyMismatch = errors.New("msp: the private key does not belong to the certificate")
	// ErrKeyType reports a key that Fabric does not sign with.
	ErrKeyType = errors.New("msp: unsupported key type, use ECDSA or Ed25519")
)

// SigningIdentity is an identity that can sign. Safe for concurrent use when
// its key is.
type SigningIdentity struct {
	*Identity
	key crypto.Signer
}

// NewSigningIdentity joins a certificate (PEM) and its private key, which may
// live in an HSM. The errors are ErrMalformed, ErrKeyMismatch and ErrKeyType.
func NewSigningIdentity(mspID string, certPEM []byte, key crypto.Signer) (*SigningIdentity, error) {
	id, err := NewIdentity(mspID, certPEM)
	if err != nil {
		return nil, err
	}
	if key == nil || !samePublicKey(id.cert.PublicKey, key.Public()) {
		return nil, fmt.Errorf("%w of %s", ErrKeyMismatch, id)
	}
	switch id.cert.PublicKey.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return &SigningIdentity{Identity: id, key: key}, nil
	}
	return nil, fmt.Errorf("%w: %s has %T", ErrKeyType, id, id.cert.PublicKey)
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// Format prints the name, whatever the verb is: some would print the key.
func (s SigningIdentity) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt's own buffer takes everything
}

// Sign signs msg by Fabric's rules, so that Identity.Verify accepts it. It
// blocks as long as the key does.
func (s *SigningIdentity) Sign(msg []byte) ([]byte, error) {
	pub, ok := s.cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return s.sign(msg, crypto.Hash(0))
	}
	digest := sha256.Sum256(msg)
	sig, err := s.sign(digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return lowS(pub.Curve, sig)
}

func (s *SigningIdentity) sign(input []byte, hash crypto.Hash) ([]byte, error) {
	sig, err := s.key.Sign(rand.Reader, input, hash)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", s.Identity, err)
	}
	return sig, nil
}
