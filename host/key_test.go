// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func TestLoadKeyCreatesOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.key")
	first, err := host.LoadKey(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	again, err := host.LoadKey(path)
	require.NoError(t, err)
	require.True(t, first.Equals(again))
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "no temporary files are left")
}

func TestLoadKeyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.key")
	keys := make([]crypto.PrivKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], _ = host.LoadKey(path) })
	}
	wg.Wait()
	for _, k := range keys {
		require.NotNil(t, k)
		require.True(t, keys[0].Equals(k), "one key wins")
	}
}

func TestLoadKeyReadsOpenSSL(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	path := writeKey(t, key, 0o400)
	got, err := host.LoadKey(path)
	require.NoError(t, err)
	raw, err := got.Raw()
	require.NoError(t, err)
	require.Equal(t, []byte(key), raw)
}

func TestLoadKeyRefuses(t *testing.T) {
	_, good, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte("garbage"), 0o600))
	for name, tc := range map[string]struct {
		path, want string
	}{
		"readable by the group": {writeKey(t, good, 0o640), "chmod 0600"},
		"readable by all":       {writeKey(t, good, 0o604), "chmod 0600"},
		"ECDSA":                 {writeKey(t, ec, 0o600), "a host key is Ed25519"},
		"garbage":               {garbage, "delete it to get a new peer ID"},
		"no folder":             {filepath.Join(t.TempDir(), "none", "host.key"), "create host key"},
		"a folder":              {t.TempDir(), "host key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := host.LoadKey(tc.path)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err = host.LoadKey(writeKey(t, good, 0o640))
	require.ErrorIs(t, err, host.ErrKeyMode)
}

func writeKey(t *testing.T, key any, mode os.FileMode) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "host.key")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}
