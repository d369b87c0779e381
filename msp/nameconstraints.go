// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
)

var (
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// legacyNameConstraints keeps a rule that Go dropped after 1.14 and Fabric did
// not: a certificate without alternative names whose common name looks like a
// host name must not hang below a CA with name constraints.
func legacyNameConstraints(chain []*x509.Certificate) error {
	leaf := chain[0]
	if hasExtension(leaf, oidSubjectAltName) || !isHostname(leaf.Subject.CommonName) {
		return nil
	}
	for _, ca := range chain[1:] {
		if hasExtension(ca, oidNameConstraints) {
			return fmt.Errorf("CA %q has name constraints and the certificate no alternative names", ca.Subject.CommonName)
		}
	}
	return nil
}

// isHostname is the loose notion of a host name of that rule: dot-separated
// labels of letters, digits, '-' (not first), '_' and ':', the first may be "*".
func isHostname(name string) bool {
	name = strings.TrimSuffix(name, ".")
	for i, label := range strings.Split(name, ".") {
		if label == "*" && i == 0 {
			continue
		}
		if label == "" || label[0] == '-' || strings.ContainsFunc(label, notInHostname) {
			return false
		}
	}
	return true
}

func notInHostname(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '-' && r != '_' && r != ':'
}
