// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The encodings are pinned for other languages.
func TestGolden(t *testing.T) {
	rec, id := fixed(t)
	golden(t, "testdata/record.hex", rec.Bytes())
	control, err := msp.Seal("heartbeat", "/weft/1/example", rec, id, []byte("content"))
	require.NoError(t, err)
	golden(t, "testdata/control.hex", control)
	brief, err := msp.SealBrief("heartbeat", "/weft/1/example", rec, id, []byte("content"))
	require.NoError(t, err)
	golden(t, "testdata/brief.hex", brief)
}

// fixed is a record that is the same in every process: every key is Ed25519 from a fixed seed, so that the signatures are
// always the same.
func fixed(t testing.TB) (*msp.Record, *msp.SigningIdentity) {
	seed := func(b byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	}
	number := func(c *x509.Certificate) { c.SerialNumber = big.NewInt(1) }
	ca := certify(t, nil, "ca", seed(1), asCA, number)
	id := certify(t, ca, "peer0", seed(2), unit("peer"), number).signer(t, testMSP)
	host, _, err := crypto.GenerateEd25519Key(bytes.NewReader(bytes.Repeat([]byte{3}, ed25519.SeedSize)))
	require.NoError(t, err)
	return issue(t, host, id), id
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(got)+"\n"), 0o644))
	}
	want, err := hex.DecodeString(strings.TrimSpace(string(read(t, path))))
	require.NoError(t, err)
	require.Equal(t, want, got)
}
