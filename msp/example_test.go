// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/weft-p2p/weft/msp"
)

// token stands for a hardware security module: it shows its public key and signs; the private key never leaves it.
type token struct{ inside *ecdsa.PrivateKey }

func (t token) Public() crypto.PublicKey { return t.inside.Public() }

func (t token) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return t.inside.Sign(r, digest, opts)
}

// The key of an identity may be anything that signs. With an MSP folder, LoadWithKey takes it.
func ExampleNewSigningIdentity() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	hsm := token{key}

	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "peer0.org1.example.com"},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, hsm.Public(), hsm)
	if err != nil {
		panic(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})

	id, err := msp.NewSigningIdentity("Org1MSP", certificate, hsm)
	if err != nil {
		panic(err)
	}
	signature, err := id.Sign([]byte("message"))
	fmt.Println(id, err, id.Verify([]byte("message"), signature))
	// Output: Org1MSP/"peer0.org1.example.com" <nil> <nil>
}
