// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS names PEM files, which are read once.
type TLS struct {
	Cert, Key          string
	ClientCAs          []string // who may issue client certificates
	ClientAuthRequired bool     // every connection needs one
}

// config is nil for a nil TLS.
func (t *TLS) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("operations: load certificate %s (weft.operations.tls.cert.file) and key %s (weft.operations.tls.key.file): %w", t.Cert, t.Key, err)
	}
	clients := x509.NewCertPool() // nobody, not the system's CAs
	for _, name := range t.ClientCAs {
		pem, err := os.ReadFile(name)
		if err == nil && !clients.AppendCertsFromPEM(pem) {
			err = errors.New("no PEM certificate in it")
		}
		if err != nil {
			return nil, fmt.Errorf("operations: load client CA %s (weft.operations.tls.clientRootCAs.files): %w", name, err)
		}
	}
	mode := tls.VerifyClientCertIfGiven
	if t.ClientAuthRequired {
		mode = tls.RequireAndVerifyClientCert
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: mode,
	}, nil
}
