// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// ErrKeyMode says that others than the owner can read the host key.
var ErrKeyMode = errors.New("host: key file is open to others")

const (
	keyBlock   = "PRIVATE KEY"
	maxKeyFile = 16 << 10
)

// LoadKey reads the host key at path, an Ed25519 private key in a PEM file (PKCS #8, as "openssl genpkey -algorithm
// ed25519" writes it). When there is no file it makes a key and writes it with mode 0600, whole or not at all; of several
// processes that do so at once, one key wins and all return it. The folder must exist.
//
// It returns an error that wraps [ErrKeyMode] when the file's mode lets anybody but the owner in.
func LoadKey(path string) (crypto.PrivKey, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create host key %s: %w", path, err)
	}
	return readKey(path)
}

func readKey(path string) (crypto.PrivKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read host key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read host key: %s is no file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run chmod 0600 %s, or delete it for a new peer ID if it may have been copied",
			ErrKeyMode, path, info.Mode().Perm(), path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read host key %s: %w", path, err)
	}
	key, err := parseKey(raw)
	if err != nil {
		return nil, fmt.Errorf("read host key %s: %w; restore it from a backup, or delete it to get a new peer ID", path, err)
	}
	return key, nil
}

func parseKey(raw []byte) (crypto.PrivKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != keyBlock {
		return nil, errors.New("no PEM block " + keyBlock)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a host key is Ed25519, this is %T", key)
	}
	return crypto.UnmarshalEd25519PrivateKey(ed)
}

// createKey writes a new key to a file beside path and links it there, which fails when path has come to exist.
func createKey(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(pem.Encode(f, &pem.Block{Type: keyBlock, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
