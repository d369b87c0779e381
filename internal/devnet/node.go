// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
)

// Signer is who signs an envelope: a Node here, a signing identity of package msp elsewhere.
type Signer interface {
	// Serialize returns the marshalled msp.SerializedIdentity.
	Serialize() []byte
	// Sign signs the SHA-256 digest of msg, low S, DER.
	Sign(msg []byte) ([]byte, error)
}

// Node is one enrolled identity with its private key: a peer, a client, an administrator or an orderer. Immutable and
// safe for concurrent use.
type Node struct {
	Org         *Org
	Name        string
	Role        Role
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey

	serialized []byte // msp.SerializedIdentity
}

var _ Signer = (*Node)(nil)

// CertPEM returns the enrollment certificate, PEM.
func (n *Node) CertPEM() []byte { return certificatePEM(n.Certificate) }

// Serialize returns the marshalled msp.SerializedIdentity.
func (n *Node) Serialize() []byte { return bytes.Clone(n.serialized) }

// Sign signs the SHA-256 digest of msg, low S, DER.
func (n *Node) Sign(msg []byte) ([]byte, error) {
	digest := sha256.Sum256(msg)
	return lowS{n.Key}.Sign(rand.Reader, digest[:], crypto.SHA256)
}
