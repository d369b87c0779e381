// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/weft-p2p/weft/internal/devnet"
)

// mspChanges alters the MSP of an organization.
func (c *chainMaker) mspChanges(org string) map[string]devnet.Change {
	other := c.org(org)
	leaf := c.enroll(other, "leaf", devnet.Client).CertPEM()
	foreign := other.MSPConfig()
	must(other.Revoke(c.enroll(other, "gone", devnet.Client).Certificate, c.now))
	crl := other.MSPConfig().RevocationList
	changes := map[string]devnet.Change{}
	for what, alter := range map[string]func(*mspproto.FabricMSPConfig){
		"no name":                      func(m *mspproto.FabricMSPConfig) { m.Name = "" },
		"other name":                   func(m *mspproto.FabricMSPConfig) { m.Name = "RenamedMSP" },
		"name of another organization": func(m *mspproto.FabricMSPConfig) { m.Name = "Org2MSP" },
		"no roots":                     func(m *mspproto.FabricMSPConfig) { m.RootCerts = nil },
		"root not PEM":                 func(m *mspproto.FabricMSPConfig) { m.RootCerts = [][]byte{[]byte("x")} },
		"root is no CA":                func(m *mspproto.FabricMSPConfig) { m.RootCerts = append(m.RootCerts, leaf) },
		"root twice":                   func(m *mspproto.FabricMSPConfig) { m.RootCerts = append(m.RootCerts, m.RootCerts...) },
		"root with trailing bytes":     func(m *mspproto.FabricMSPConfig) { m.RootCerts[0] = append(m.RootCerts[0], "more"...) },
		"two roots in one": func(m *mspproto.FabricMSPConfig) {
			m.RootCerts[0] = slices.Concat(m.RootCerts[0], foreign.RootCerts[0])
		},
		"another root too":              func(m *mspproto.FabricMSPConfig) { m.RootCerts = append(m.RootCerts, foreign.RootCerts...) },
		"root also intermediate":        func(m *mspproto.FabricMSPConfig) { m.IntermediateCerts = m.RootCerts },
		"intermediate of nobody":        func(m *mspproto.FabricMSPConfig) { m.IntermediateCerts = foreign.RootCerts },
		"intermediate not PEM":          func(m *mspproto.FabricMSPConfig) { m.IntermediateCerts = [][]byte{{1}} },
		"no TLS roots":                  func(m *mspproto.FabricMSPConfig) { m.TlsRootCerts = nil },
		"TLS root not PEM":              func(m *mspproto.FabricMSPConfig) { m.TlsRootCerts = [][]byte{[]byte("x")} },
		"TLS root is no CA":             func(m *mspproto.FabricMSPConfig) { m.TlsRootCerts = [][]byte{leaf} },
		"TLS intermediate of nobody":    func(m *mspproto.FabricMSPConfig) { m.TlsIntermediateCerts = foreign.TlsRootCerts },
		"TLS intermediate without root": func(m *mspproto.FabricMSPConfig) { m.TlsRootCerts, m.TlsIntermediateCerts = nil, foreign.TlsRootCerts },
		"CRL not PEM":                   func(m *mspproto.FabricMSPConfig) { m.RevocationList = [][]byte{[]byte("x")} },
		"CRL empty":                     func(m *mspproto.FabricMSPConfig) { m.RevocationList = [][]byte{{}} },
		"CRL of another CA":             func(m *mspproto.FabricMSPConfig) { m.RevocationList = crl },
		"CRL is a certificate":          func(m *mspproto.FabricMSPConfig) { m.RevocationList = [][]byte{leaf} },
		"no crypto configuration":       func(m *mspproto.FabricMSPConfig) { m.CryptoConfig = nil },
		"empty crypto configuration":    func(m *mspproto.FabricMSPConfig) { m.CryptoConfig = &mspproto.FabricCryptoConfig{} },
		"unknown hash family":           func(m *mspproto.FabricMSPConfig) { m.CryptoConfig.SignatureHashFamily = "MD5" },
		"unknown identifier hash":       func(m *mspproto.FabricMSPConfig) { m.CryptoConfig.IdentityIdentifierHashFunction = "MD5" },
		"identifier hash SHA384":        func(m *mspproto.FabricMSPConfig) { m.CryptoConfig.IdentityIdentifierHashFunction = "SHA384" },
		"admin not PEM":                 func(m *mspproto.FabricMSPConfig) { m.Admins = [][]byte{[]byte("x")} },
		"admin of another CA":           func(m *mspproto.FabricMSPConfig) { m.Admins = [][]byte{leaf} },
		"admin is the CA":               func(m *mspproto.FabricMSPConfig) { m.Admins = m.RootCerts },
		"NodeOUs gone":                  func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus = nil },
		"NodeOUs off":                   func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.Enable = false },
		"no admin OU":                   func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.AdminOuIdentifier = nil },
		"no OUs":                        func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus = &mspproto.FabricNodeOUs{Enable: true} },
		"empty OU":                      func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.PeerOuIdentifier.OrganizationalUnitIdentifier = "" },
		"the same OU twice": func(m *mspproto.FabricMSPConfig) {
			m.FabricNodeOus.PeerOuIdentifier = m.FabricNodeOus.ClientOuIdentifier
		},
		"OU of another CA":       func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.PeerOuIdentifier.Certificate = foreign.RootCerts[0] },
		"OU of a leaf":           func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.PeerOuIdentifier.Certificate = leaf },
		"OU without certificate": func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.PeerOuIdentifier.Certificate = nil },
		"OU certificate not PEM": func(m *mspproto.FabricMSPConfig) { m.FabricNodeOus.PeerOuIdentifier.Certificate = []byte("x") },
		"unit required": func(m *mspproto.FabricMSPConfig) {
			m.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{{Certificate: m.RootCerts[0], OrganizationalUnitIdentifier: "unit"}}
		},
		"unit of another CA": func(m *mspproto.FabricMSPConfig) {
			m.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{{Certificate: foreign.RootCerts[0], OrganizationalUnitIdentifier: "unit"}}
		},
		"unit without certificate": func(m *mspproto.FabricMSPConfig) {
			m.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{{OrganizationalUnitIdentifier: "unit"}}
		},
		"signing identity": func(m *mspproto.FabricMSPConfig) {
			m.SigningIdentity = &mspproto.SigningIdentityInfo{PublicSigner: leaf}
		},
	} {
		changes[org+" MSP: "+what] = alterMSP(org, alter)
	}
	for what, value := range map[string][]byte{
		"not protobuf": {0xff}, "empty": {}, "config not protobuf": marshal(&mspproto.MSPConfig{Config: []byte{0xff}}),
		"type Idemix": marshal(&mspproto.MSPConfig{Type: 1, Config: []byte{}}), "type 7": marshal(&mspproto.MSPConfig{Type: 7}),
		"gone": nil,
	} {
		changes[org+" MSP value: "+what] = edit(func(r *common.ConfigGroup) {
			section := "Application"
			if org == "Orderer" {
				section = "Orderer"
			}
			group := under(r, section, org)
			delete(group.Values, "MSP")
			if value != nil {
				group.Values["MSP"] = &common.ConfigValue{Value: value, ModPolicy: "Admins"}
			}
		})
	}
	return changes
}
