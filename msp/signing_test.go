// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// hsm is a key that nobody can take out: all it does is sign.
type hsm struct {
	sign   func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
	public crypto.PublicKey
}

func (h hsm) Public() crypto.PublicKey { return h.public }

func (h hsm) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return h.sign(r, digest, opts)
}

func opaque(key crypto.Signer) hsm { return hsm{sign: key.Sign, public: key.Public()} }

func TestOpaqueKeys(t *testing.T) {
	ca := rootCA(t, "ca")
	for name, a := range map[string]*authority{"ECDSA": ca.issue(t, "p", unit("peer")), "Ed25519": certify(t, ca, "p", edKey(t), unit("peer"))} {
		t.Run(name, func(t *testing.T) {
			id, err := msp.NewSigningIdentity(testMSP, a.pem, opaque(a.key))
			require.NoError(t, err)
			sig, err := id.Sign([]byte("message"))
			require.NoError(t, err)
			require.NoError(t, id.Verify([]byte("message"), sig))
			require.NotEmpty(t, issue(t, hostKey(t), id).Bytes())
		})
	}
}

func TestLoadWithKey(t *testing.T) {
	dir, ca, _ := mspFolder(t)
	node := ca.issue(t, "node", unit("peer"))
	write(t, dir, "signcerts/peer0.pem", node.pem)
	_, err := msp.Load(dir, testMSP)
	require.ErrorIs(t, err, msp.ErrKeyMismatch, "keystore/ has another key")

	local, err := msp.LoadWithKey(dir, testMSP, opaque(node.key))
	require.NoError(t, err)
	sig, err := local.Signer.Sign([]byte("message"))
	require.NoError(t, err)
	require.NoError(t, local.Signer.Verify([]byte("message"), sig))
	_, err = msp.LoadWithKey(dir, testMSP, opaque(ca.key))
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
}

// Whatever prints or logs an identity that can sign prints its name, and nothing of its key.
func TestNoKeyIsEverPrinted(t *testing.T) {
	dir, ca, _ := mspFolder(t)
	for _, key := range []crypto.Signer{ecKey(t, ca.key.(*ecdsa.PrivateKey).Curve), edKey(t)} {
		write(t, dir, "signcerts/peer0.pem", certify(t, ca, "node", key, unit("peer")).pem)
		write(t, dir, "keystore/priv_sk", pkcs8(t, key))
		local, err := msp.Load(dir, testMSP)
		require.NoError(t, err)
		var out bytes.Buffer
		for _, v := range []any{local.Signer, *local.Signer, local, *local, struct{ S *msp.SigningIdentity }{local.Signer}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			text := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})
			slog.New(text).Debug("who", "identity", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("who", "identity", v)
			raw, err := json.Marshal(v)
			require.NoError(t, err)
			out.Write(raw)
		}
		require.True(t, strings.Contains(out.String(), `TestMSP/\"node\"`), "the name is printed")
		for _, form := range keyForms(key) {
			require.False(t, strings.Contains(strings.ToLower(out.String()), form), "the key is printed as %.20s...", form)
		}
	}
}

// keyForms are the ways in which the fmt verbs would print the secret part.
func keyForms(key crypto.Signer) []string {
	var secret []byte
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		secret, _ = k.Bytes()
	case ed25519.PrivateKey:
		secret = k.Seed()
	}
	hexes := make([]string, len(secret))
	for i, b := range secret {
		hexes[i] = fmt.Sprintf("0x%x", b)
	}
	return []string{
		hex.EncodeToString(secret),
		strings.Join(hexes, ", "),
		strings.Trim(fmt.Sprint(secret), "[]"),
		strings.TrimRight(fmt.Sprintf("%q", secret), `"`)[1:],
	}
}
