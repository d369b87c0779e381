// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// maxFile is the most bytes read of any file of an MSP folder. Revocation lists
// are the biggest: 10 MiB hold some 250,000 serial numbers.
const maxFile = 10 << 20

// LoadConfig reads an MSP folder in Fabric's layout:
//
//	cacerts/               root CAs (required)
//	intermediatecerts/     CAs below them
//	admincerts/            administrators
//	tlscacerts/            TLS root CAs
//	tlsintermediatecerts/  read when tlscacerts/ holds something
//	crls/                  revocation lists, PEM
//	config.yaml            OrganizationalUnitIdentifiers and NodeOUs
//
// As in Fabric the first PEM block of each file counts and files without one
// are skipped. What the configuration means is checked by New; every error
// names the file.
func LoadConfig(dir, mspID string) (*mspproto.FabricMSPConfig, error) {
	conf, _, err := loadConfig(dir, mspID)
	return conf, err
}

func loadConfig(dir, mspID string) (*mspproto.FabricMSPConfig, []string, error) {
	f := &folder{dir: dir}
	conf := &mspproto.FabricMSPConfig{
		Name:              mspID,
		RootCerts:         f.material("cacerts", isCA),
		IntermediateCerts: f.material("intermediatecerts", isCA),
		Admins:            f.material("admincerts", isCertificate),
		TlsRootCerts:      f.material("tlscacerts", isCA),
		RevocationList:    f.material("crls", isCRL),
		CryptoConfig: &mspproto.FabricCryptoConfig{
			SignatureHashFamily:            "SHA2",
			IdentityIdentifierHashFunction: "SHA256",
		},
	}
	if len(conf.TlsRootCerts) > 0 {
		conf.TlsIntermediateCerts = f.material("tlsintermediatecerts", isCA)
	}
	f.units(conf)
	if f.err == nil && len(conf.RootCerts) == 0 {
		f.err = fmt.Errorf("%s has no PEM file: put the CA certificate of %s there", filepath.Join(dir, "cacerts"), mspID)
	}
	if f.err != nil {
		return nil, nil, fmt.Errorf("msp: load %s: %w", mspID, f.err)
	}
	return conf, f.notes, nil
}

// folder reads an MSP folder and remembers the first error.
type folder struct {
	dir   string
	notes []string
	err   error
}

// file is one PEM file of the folder; its name is relative to the folder.
type file struct {
	name string
	data []byte
}

// material returns the PEM files of a subfolder, in the order of their names,
// each accepted by check. A subfolder that does not exist is empty.
func (f *folder) material(sub string, check func([]byte) error) [][]byte {
	var list [][]byte
	for _, item := range f.files(sub) {
		if err := check(item.data); err != nil && f.err == nil {
			f.err = fmt.Errorf("%s: %w: replace or remove the file", filepath.Join(f.dir, item.name), err)
		}
		list = append(list, item.data)
	}
	return list
}

func (f *folder) files(sub string) []file {
	entries, err := os.ReadDir(filepath.Join(f.dir, sub))
	if errors.Is(err, fs.ErrNotExist) || f.err != nil {
		return nil
	}
	if err != nil {
		f.err = fmt.Errorf("%w: make it a readable directory", err)
		return nil
	}
	var list []file
	for _, e := range entries {
		name := filepath.Join(sub, e.Name())
		if data := f.pem(name); data != nil {
			list = append(list, file{name: name, data: data})
		}
	}
	return list
}

// pem returns the content of a PEM file; nil, with a note, for anything else.
// Directories, and links to them as Kubernetes makes in volumes, are no files.
func (f *folder) pem(name string) []byte {
	data, err := readFile(filepath.Join(f.dir, name))
	switch {
	case f.err != nil || errors.Is(err, errNotRegular):
		return nil
	case err != nil:
		f.err = err
		return nil
	}
	if block, _ := pem.Decode(data); block == nil {
		f.note("%s skipped: it holds no PEM block", filepath.Join(f.dir, name))
		return nil
	}
	return data
}

func (f *folder) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

func isCertificate(data []byte) error {
	_, err := firstCertificate(data)
	return err
}

func isCA(data []byte) error {
	cert, err := firstCertificate(data)
	if err == nil && !cert.IsCA {
		err = errors.New("not a CA certificate")
	}
	return err
}

func isCRL(data []byte) error {
	_, err := parseCRL(data)
	return err
}

var errNotRegular = errors.New("not a regular file")

// readFile reads a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: make it readable for this user", err)
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return data, nil
}
