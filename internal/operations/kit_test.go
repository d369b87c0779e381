// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/operations"
)

// serve runs a server on a free port until the test ends, and returns its address.
func serve(t *testing.T, cfg operations.Config) string {
	t.Helper()
	cfg.ListenAddress = "127.0.0.1:0"
	s, err := operations.Listen(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		_, err := net.Dial("tcp", s.Addr().String())
		require.Error(t, err, "the address was given back")
	})
	return s.Addr().String()
}

// ask sends one request with a client of its own.
func ask(t *testing.T, method, url, body string, security *tls.Config) (int, string) {
	t.Helper()
	code, raw, err := try(t, method, url, body, security)
	require.NoError(t, err)
	return code, raw
}

func try(t *testing.T, method, url, body string, security *tls.Config) (int, string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: security}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), err
}

// authority issues certificates into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its own certificate
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.file, _ = a.issue(name, template)
	return a
}

// issue writes a certificate and its key. The first is the authority's own.
func (a *authority) issue(name string, template *x509.Certificate) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	if a.cert == nil {
		a.cert, a.key = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	require.NoError(a.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(a.t, err)
	return a.write(name+".crt", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", pkcs8)
}

func (a *authority) leaf(name string, usage x509.ExtKeyUsage) (cert, key string) {
	return a.issue(name, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage}})
}

func (a *authority) write(name, kind string, der []byte) string {
	file := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return file
}

// client trusts the authority, and shows a certificate if one is named.
func (a *authority) client(from *authority, name string) *tls.Config {
	raw, err := os.ReadFile(a.file)
	require.NoError(a.t, err)
	roots := x509.NewCertPool()
	require.True(a.t, roots.AppendCertsFromPEM(raw))
	c := &tls.Config{RootCAs: roots}
	if from != nil {
		pair, err := tls.LoadX509KeyPair(from.leaf(name, x509.ExtKeyUsageClientAuth))
		require.NoError(a.t, err)
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}
