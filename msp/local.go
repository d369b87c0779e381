// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// Local is one's own organization and one's own identity in it.
type Local struct {
	MSP    *MSP
	Signer *SigningIdentity
	Config *mspproto.FabricMSPConfig // without the private key
	// Notes are oddities of the folder that a Fabric peer logs as warnings.
	Notes []string
}

// Load reads an MSP folder with signcerts/ (the first file counts) and
// keystore/ (PKCS #8 or SEC 1 in PEM; the key is found by the certificate's
// public key). The MSP follows the newest rules, as Fabric's local MSP does.
// Every error names the file and what to do about it. Expiry is not checked:
// ask Signer.ValidAt.
func Load(dir, mspID string) (*Local, error) { return LoadWithKey(dir, mspID, nil) }

// LoadWithKey is Load with a private key that is not in keystore/, such as one
// that an HSM keeps. The error is ErrKeyMismatch when it is not the key of the
// certificate in signcerts/. With a nil key it is Load.
func LoadWithKey(dir, mspID string, key crypto.Signer) (*Local, error) {
	conf, notes, err := loadConfig(dir, mspID)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir, notes: notes}
	signer, err := f.signer(mspID, key)
	if err != nil {
		return nil, fmt.Errorf("msp: load %s: %w", mspID, err)
	}
	local, err := NewLocal(conf, signer)
	switch {
	case errors.Is(err, ErrConfig):
		return nil, fmt.Errorf("load %s: %w: correct its CAs, crls/ or %s", dir, err, configFile)
	case err != nil:
		return nil, fmt.Errorf("load %s: %w: put a certificate of these CAs there", filepath.Join(dir, "signcerts"), err)
	}
	local.Notes = f.notes
	return local, nil
}

// NewLocal joins an MSP configuration and a signing identity, which must be
// valid under it. The errors are those of New and MSP.Validate.
func NewLocal(conf *mspproto.FabricMSPConfig, signer *SigningIdentity) (*Local, error) {
	m, err := New(conf, V3_0)
	if err != nil {
		return nil, err
	}
	if err := m.Validate(signer.Identity); err != nil {
		return nil, fmt.Errorf("own identity: %w", err)
	}
	return &Local{MSP: m, Signer: signer, Config: conf}, nil
}

func (f *folder) signer(mspID string, key crypto.Signer) (*SigningIdentity, error) {
	certs := f.files("signcerts")
	if f.err != nil {
		return nil, f.err
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%s has no PEM file: put the certificate of this node there", filepath.Join(f.dir, "signcerts"))
	}
	id, err := NewIdentity(mspID, certs[0].data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: replace the file", filepath.Join(f.dir, certs[0].name), err)
	}
	if key == nil {
		if key, err = f.key(id.cert.PublicKey, certs[0].name); err != nil {
			return nil, err
		}
	}
	return NewSigningIdentity(mspID, certs[0].data, key)
}

// key finds the private key of a certificate in keystore/.
func (f *folder) key(public crypto.PublicKey, certificate string) (crypto.Signer, error) {
	var tried []string
	for _, item := range f.files("keystore") {
		key, err := parseKey(item.data)
		switch {
		case err != nil:
			tried = append(tried, fmt.Sprintf("%s: %v", item.name, err))
		case samePublicKey(public, key.Public()):
			return key, nil
		default:
			tried = append(tried, item.name+": key of another certificate")
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	if len(tried) == 0 {
		tried = []string{"no PEM files there"}
	}
	return nil, fmt.Errorf("%w: %s has no key for %s: put its private key there (%s)", ErrKeyMismatch,
		filepath.Join(f.dir, "keystore"), filepath.Join(f.dir, certificate), strings.Join(tried, "; "))
}

// parseKey reads the first private key of a PEM file, and skips the EC
// PARAMETERS block that OpenSSL puts before it.
func parseKey(data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no PRIVATE KEY block")
	}
	if block.Type == "EC PRIVATE KEY" {
		return x509.ParseECPrivateKey(block.Bytes)
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, errors.New("the key is encrypted, decrypt it first")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return signer, nil
}
