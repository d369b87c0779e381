// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// MaxIdentity is the most bytes of a serialized identity. Fabric sets no
// limit; a certificate with an RSA-4096 issuer and long names stays below 4 KiB.
const MaxIdentity = 16 << 10

// Errors of identities.
var (
	// ErrMalformed reports bytes that are not an identity.
	ErrMalformed = errors.New("msp: malformed identity")
	// ErrExpired reports a certificate after its NotAfter.
	ErrExpired = errors.New("msp: certificate has expired")
	// ErrNotYetValid reports a certificate before its NotBefore.
	ErrNotYetValid = errors.New("msp: certificate is not valid yet")
)

// Key names the holder of a signing key: SHA-256 of the MSP ID, a zero byte and
// the certificate's SubjectPublicKeyInfo. A renewed certificate with the same
// key keeps it. Quotas and majorities count Keys.
type Key [sha256.Size]byte

// Identity is a certificate and the MSP ID that it claims. It proves nothing by
// itself: MSP.Validate decides whether the organization vouches for it.
// Immutable, safe for concurrent use.
type Identity struct {
	mspID      string
	cert       *x509.Certificate
	serialized []byte
	key        Key
	digest     [sha256.Size]byte
}

// ParseIdentity reads an encoded msp.SerializedIdentity of at most MaxIdentity
// bytes that is well-formed by Fabric's rule for peers: one PEM block, of type
// CERTIFICATE or none, nothing behind it, the certificate's signature in
// canonical DER. Errors are ErrMalformed.
func ParseIdentity(serialized []byte) (*Identity, error) {
	return parseIdentity(serialized, wellFormedCertificate)
}

// ParseCreator reads the creator of a transaction or block signature as Fabric
// does there: the first PEM block counts, its type and what follows it do not
// matter. It differs from ParseIdentity so that weft accepts every block that a
// peer accepts. Errors are ErrMalformed.
func ParseCreator(serialized []byte) (*Identity, error) {
	return parseIdentity(serialized, firstCertificate)
}

func parseIdentity(serialized []byte, certificate func([]byte) (*x509.Certificate, error)) (*Identity, error) {
	if len(serialized) > MaxIdentity {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(serialized), MaxIdentity)
	}
	var sid mspproto.SerializedIdentity
	if err := proto.Unmarshal(serialized, &sid); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	cert, err := certificate(sid.IdBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return newIdentity(sid.Mspid, cert, bytes.Clone(serialized))
}

// NewIdentity makes an identity of the first PEM block of certPEM. Serialize
// then gives the certificate in plain PEM, whatever surrounds it in certPEM.
// Errors are ErrMalformed.
func NewIdentity(mspID string, certPEM []byte) (*Identity, error) {
	id, err := identityOf(mspID, certPEM)
	if err != nil {
		return nil, err
	}
	if n := len(id.serialized); n > MaxIdentity {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, n, MaxIdentity)
	}
	return id, nil
}

// identityOf is NewIdentity without a limit.
func identityOf(mspID string, certPEM []byte) (*Identity, error) {
	cert, err := firstCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	serialized, err := proto.Marshal(&mspproto.SerializedIdentity{
		Mspid:   mspID,
		IdBytes: pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert.Raw}),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: encode: %w", ErrMalformed, err)
	}
	return newIdentity(mspID, cert, serialized)
}

func newIdentity(mspID string, cert *x509.Certificate, serialized []byte) (*Identity, error) {
	if mspID == "" {
		return nil, fmt.Errorf("%w: no MSP ID", ErrMalformed)
	}
	return &Identity{
		mspID:      mspID,
		cert:       cert,
		serialized: serialized,
		key:        keyOf(mspID, cert),
		digest:     sha256.Sum256(cert.Raw),
	}, nil
}

func keyOf(mspID string, cert *x509.Certificate) Key {
	h := sha256.New()
	h.Write([]byte(mspID))
	h.Write([]byte{0})
	h.Write(cert.RawSubjectPublicKeyInfo)
	return Key(h.Sum(nil))
}

// MSPID returns the MSP ID of the organization that the identity claims.
func (id *Identity) MSPID() string { return id.mspID }

// Certificate returns the certificate, its signature in low-S form. Read only.
func (id *Identity) Certificate() *x509.Certificate { return id.cert }

// Serialize returns the msp.SerializedIdentity: the very bytes that were
// parsed. Read only.
func (id *Identity) Serialize() []byte { return id.serialized }

// Key returns the name of the holder of the signing key.
func (id *Identity) Key() Key { return id.key }

// Digest returns SHA-256 of the certificate's DER in low-S form. Together with
// the MSP ID it is what Fabric removes duplicate signers by.
func (id *Identity) Digest() [sha256.Size]byte { return id.digest }

// ExpiresAt returns the certificate's NotAfter.
func (id *Identity) ExpiresAt() time.Time { return id.cert.NotAfter }

// ValidAt reports whether now lies within the certificate's validity: nil,
// ErrExpired or ErrNotYetValid.
func (id *Identity) ValidAt(now time.Time) error {
	switch {
	case now.After(id.cert.NotAfter):
		return fmt.Errorf("%w: %s at %s", ErrExpired, id, id.cert.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(id.cert.NotBefore):
		return fmt.Errorf("%w: %s before %s", ErrNotYetValid, id, id.cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// Verify checks the identity's signature over msg by Fabric's rules: ECDSA on
// P-224 to P-521 over SHA-256 with S in the lower half of the order, or Ed25519
// over msg itself. The error is ErrSignature.
func (id *Identity) Verify(msg, sig []byte) error {
	return verifySignature(id.cert.PublicKey, sha256.Sum256, msg, sig)
}

// LogValue is String: loggers that look into values find no key in what embeds an
// identity.
func (id *Identity) LogValue() slog.Value { return slog.StringValue(id.String()) }

// String names the identity for logs: MSP ID and common name.
func (id *Identity) String() string {
	return fmt.Sprintf("%s/%q", id.mspID, id.cert.Subject.CommonName)
}
