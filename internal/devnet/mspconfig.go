// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// MSPConfig returns the verifying MSP of the organization as a channel configuration carries it: roots, TLS roots,
// revocation lists and NodeOUs for all four roles unless the organization has none.
func (o *Org) MSPConfig() *mspproto.FabricMSPConfig {
	conf := &mspproto.FabricMSPConfig{
		Name:         o.MSPID,
		TlsRootCerts: [][]byte{o.tls.pem()},
		CryptoConfig: &mspproto.FabricCryptoConfig{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA256"},
		FabricNodeOus: &mspproto.FabricNodeOUs{
			Enable:              true,
			ClientOuIdentifier:  o.ou(Client),
			PeerOuIdentifier:    o.ou(Peer),
			AdminOuIdentifier:   o.ou(Admin),
			OrdererOuIdentifier: o.ou(Orderer),
		},
	}
	if o.admin != nil {
		conf.FabricNodeOus, conf.Admins = nil, [][]byte{o.admin}
	}
	for _, a := range o.enrollment {
		conf.RootCerts = append(conf.RootCerts, a.pem())
		if a.crl != nil {
			conf.RevocationList = append(conf.RevocationList, a.crl)
		}
	}
	return conf
}

// ou is the identifier of a role. It names the authority, as cryptogen does, while there is one; with two, an identifier
// bound to either would shut out the members of the other, so it names none.
func (o *Org) ou(role Role) *mspproto.FabricOUIdentifier {
	id := &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: string(role)}
	if len(o.enrollment) == 1 {
		id.Certificate = o.issuer().pem()
	}
	return id
}
