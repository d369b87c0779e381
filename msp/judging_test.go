// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

// principalTable is what testdata/judged holds: configurations, identities, principals and, for each configuration and
// identity, what Fabric says. A verdict is one character for the identity, d when Fabric cannot read it, v when it is
// valid, i when it is invalid; then one for each principal, 1 when it is satisfied.
type principalTable struct {
	MSPs []struct {
		Version int // position in msp.Version
		Config  []byte
	}
	Identities [][]byte
	Principals [][]byte
	Verdicts   [][]string // none for a configuration that Fabric refuses
}

// TestMakeJudged makes the table of testdata/judged anew, without verdicts, into the directory that WEFT_JUDGED names.
func TestMakeJudged(t *testing.T) {
	dir := os.Getenv("WEFT_JUDGED")
	if dir == "" {
		t.Skip("WEFT_JUDGED names no directory to write to")
	}
	w := newWorld(t)
	var table principalTable
	for len(table.MSPs) < 60 {
		conf, version := w.config(), rand.IntN(5)
		if _, err := msp.New(conf, msp.Version(version)); err != nil && len(table.MSPs)%3 > 0 {
			continue // two of three should be taken
		}
		table.MSPs = append(table.MSPs, struct {
			Version int
			Config  []byte
		}{version, marshalled(t, conf)})
	}
	table.Identities = w.identities()
	table.Principals = w.principals(40)
	raw, err := json.Marshal(table)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "principals.json"), raw, 0o600))
}

func marshalled(t testing.TB, m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return raw
}

// world holds authorities of one organization and of a foreign one, and who they certified.
type world struct {
	testing.TB
	cas     []*authority // roots and intermediates of TestMSP
	parents []int        // of cas; -1 for a root
	foreign *authority
	people  []*authority
	byCA    [][]*authority
}

var unitNames = []string{"client", "peer", "admin", "orderer", "unit1", "unit2", "PEER"}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, foreign: rootCA(t, "foreign")}
	root := rootCA(t, "root")
	first := root.intermediate(t, "first")
	w.cas = []*authority{
		root, first, first.intermediate(t, "second"), rootCA(t, "other root"),
		certify(t, nil, "P-384 root", ecKey(t, elliptic.P384()), asCA),
		certify(t, nil, "RSA root", rsaKey(t), asCA),
		certify(t, nil, "Ed25519 root", edKey(t), asCA),
		rootCA(t, "expired root", validity(epoch.Add(-9000*time.Hour), epoch.Add(-8000*time.Hour))),
		rootCA(t, "root", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }),
	}
	w.parents = []int{-1, 0, 1, -1, -1, -1, -1, -1, -1}
	for i, ca := range append(w.cas, w.foreign) {
		var issued []*authority
		for n := range 5 {
			issued = append(issued, certify(t, ca, fmt.Sprintf("%d of %d", n, i), w.key(n), w.options(n)...))
		}
		w.byCA = append(w.byCA, issued)
		w.people = append(w.people, issued...)
	}
	return w
}

// key is P-256 mostly, so that there is something to be valid.
func (w *world) key(n int) crypto.Signer {
	if n < 3 {
		return ecKey(w, elliptic.P256())
	}
	switch rand.IntN(5) {
	case 0:
		return ecKey(w, elliptic.P384())
	case 1:
		return ecKey(w, elliptic.P521())
	case 2:
		return ecKey(w, elliptic.P224())
	case 3:
		return rsaKey(w)
	default:
		return edKey(w)
	}
}

func (w *world) options(n int) []option {
	if n < 2 {
		return []option{unit(unitNames[rand.IntN(4)])}
	}
	var units []string
	if rand.IntN(8) > 0 {
		units = append(units, unitNames[rand.IntN(4)])
	}
	if rand.IntN(3) == 0 {
		units = append(units, unitNames[rand.IntN(len(unitNames))])
	}
	all := []option{unit(units...)}
	usage := func(u ...x509.ExtKeyUsage) option {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	switch rand.IntN(16) {
	case 0:
		all = append(all, validity(epoch.Add(-9000*time.Hour), epoch.Add(-8000*time.Hour)))
	case 1:
		all = append(all, validity(epoch.Add(90000*time.Hour), epoch.Add(91000*time.Hour)))
	case 2:
		all = append(all, asCA)
	case 3:
		all = append(all, usage(x509.ExtKeyUsageClientAuth))
	case 4:
		all = append(all, usage(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth))
	case 5:
		all = append(all, usage(x509.ExtKeyUsageAny))
	case 6:
		all = append(all, func(c *x509.Certificate) { c.DNSNames = []string{"peer.example.org"} })
	case 7:
		all = append(all, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
	}
	return all
}

// config draws a configuration; most are such that Fabric takes them.
func (w *world) config() *mspproto.FabricMSPConfig {
	conf := &mspproto.FabricMSPConfig{Name: testMSP}
	present := map[int]bool{0: rand.IntN(5) > 0}
	for i := range w.cas {
		if present[i] = present[i] || rand.IntN(3) == 0 && (w.parents[i] < 0 || present[w.parents[i]] || rand.IntN(20) == 0); !present[i] {
			continue
		}
		if w.parents[i] < 0 {
			conf.RootCerts = append(conf.RootCerts, w.cas[i].pem)
		} else {
			conf.IntermediateCerts = append(conf.IntermediateCerts, w.cas[i].pem)
		}
		if issued := w.byCA[i]; rand.IntN(4) == 0 {
			conf.RevocationList = append(conf.RevocationList, w.cas[i].crl(w, issued[rand.IntN(5)], issued[rand.IntN(5)]))
		}
	}
	if rand.IntN(12) == 0 {
		conf.RevocationList = append(conf.RevocationList, w.foreign.crl(w, w.byCA[0][0]))
	}
	w.roles(conf)
	for range rand.IntN(3) {
		if rand.IntN(3) == 0 {
			conf.OrganizationalUnitIdentifiers = append(conf.OrganizationalUnitIdentifiers, w.ou(unitNames[rand.IntN(len(unitNames))]))
		}
	}
	for range 1 + rand.IntN(2) {
		if conf.FabricNodeOus.GetAdminOuIdentifier() == nil || rand.IntN(3) == 0 {
			conf.Admins = append(conf.Admins, w.byCA[0][rand.IntN(5)].pem)
		}
	}
	if rand.IntN(4) == 0 {
		conf.CryptoConfig = &mspproto.FabricCryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"}
	}
	return conf
}

// roles turns NodeOUs on, off, or on for some of the roles.
func (w *world) roles(conf *mspproto.FabricMSPConfig) {
	if rand.IntN(4) == 0 {
		return
	}
	all := &mspproto.FabricNodeOUs{Enable: rand.IntN(5) > 0}
	conf.FabricNodeOus = all
	for name, at := range map[string]**mspproto.FabricOUIdentifier{
		"client": &all.ClientOuIdentifier, "peer": &all.PeerOuIdentifier, "admin": &all.AdminOuIdentifier, "orderer": &all.OrdererOuIdentifier,
	} {
		if rand.IntN(6) > 0 {
			*at = w.ou(name)
		}
	}
}

func (w *world) ou(name string) *mspproto.FabricOUIdentifier {
	id := &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
	switch rand.IntN(6) {
	case 0:
		id.Certificate = w.cas[rand.IntN(4)].pem
	case 1, 2:
		id.Certificate = w.cas[0].pem
	}
	return id
}

// identities are everybody, some under another MSP ID, some with a certificate whose signature has a high S.
func (w *world) identities() (all [][]byte) {
	for i, p := range w.people {
		certificate, id := p.pem, testMSP
		switch rand.IntN(12) {
		case 0:
			id = "OtherMSP"
		case 1, 2:
			certificate = otherS(w, p.cert)
		case 3:
			certificate = append([]byte("some text\n"), certificate...)
		}
		if i%5 < 3 || i < 15 {
			all = append(all, marshalled(w, &mspproto.SerializedIdentity{Mspid: id, IdBytes: certificate}))
		}
	}
	for _, ca := range w.cas[:4] {
		all = append(all, marshalled(w, &mspproto.SerializedIdentity{Mspid: testMSP, IdBytes: ca.pem}))
	}
	return append(all, nil, []byte{0xff}, marshalled(w, &mspproto.SerializedIdentity{Mspid: testMSP, IdBytes: []byte("no certificate")}))
}

// otherS writes a certificate with the other of the two S that its ECDSA signature may have.
func otherS(t testing.TB, c *x509.Certificate) []byte {
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	var sig struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(c.Raw, &outer)
	require.NoError(t, err)
	if _, err := asn1.Unmarshal(outer.Signature.Bytes, &sig); err != nil {
		return certPEM(c.Raw) // not ECDSA
	}
	curve := elliptic.P256()
	if len(outer.Signature.Bytes) > 80 {
		curve = elliptic.P384()
	}
	sig.S.Sub(curve.Params().N, sig.S)
	outer.Signature.Bytes, err = asn1.Marshal(sig)
	require.NoError(t, err)
	outer.Signature.BitLength = 8 * len(outer.Signature.Bytes)
	der, err := asn1.Marshal(outer)
	require.NoError(t, err)
	return certPEM(der)
}

// principals draws principals of all kinds, after one for each role.
func (w *world) principals(n int) (all [][]byte) {
	for r := range int32(7) {
		all = append(all, marshalled(w, role(w, testMSP, mspproto.MSPRole_MSPRoleType(r))))
	}
	for len(all) < n {
		all = append(all, marshalled(w, w.principal(2)))
	}
	return all
}

func (w *world) principal(depth int) *mspproto.MSPPrincipal {
	id := testMSP
	if rand.IntN(10) == 0 {
		id = "OtherMSP"
	}
	switch rand.IntN(9) {
	case 0:
		return role(w, id, mspproto.MSPRole_MSPRoleType(rand.IntN(6)))
	case 1, 2:
		return principal(w, mspproto.MSPPrincipal_ORGANIZATION_UNIT, w.unit(id))
	case 3, 4:
		p := w.people[rand.IntN(20)]
		certificate := p.pem
		if rand.IntN(2) == 0 {
			certificate = otherS(w, p.cert)
		}
		return principal(w, mspproto.MSPPrincipal_IDENTITY, &mspproto.SerializedIdentity{Mspid: id, IdBytes: certificate})
	case 5:
		return principal(w, mspproto.MSPPrincipal_ANONYMITY, &mspproto.MSPIdentityAnonymity{AnonymityType: mspproto.MSPIdentityAnonymity_MSPIdentityAnonymityType(rand.IntN(3))})
	case 6:
		return &mspproto.MSPPrincipal{PrincipalClassification: mspproto.MSPPrincipal_Classification(rand.IntN(7)), Principal: []byte("\xff\xff")}
	default:
		if depth == 0 {
			return role(w, id, mspproto.MSPRole_MEMBER)
		}
		var parts []*mspproto.MSPPrincipal
		for range rand.IntN(4) {
			parts = append(parts, w.principal(depth-1))
		}
		return combined(w, parts...)
	}
}

// unit is an organizational unit, of any CA or of one.
func (w *world) unit(id string) *mspproto.OrganizationUnit {
	u := &mspproto.OrganizationUnit{MspIdentifier: id, OrganizationalUnitIdentifier: unitNames[rand.IntN(len(unitNames))]}
	switch rand.IntN(4) {
	case 0:
		u.CertifiersIdentifier = []byte("other")
	case 1:
		sum := sha256.Sum256(w.cas[0].cert.Raw) // Fabric's name of the chain above w.byCA[0]
		u.CertifiersIdentifier = sum[:]
	}
	return u
}
