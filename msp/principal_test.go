// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto/sha256"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

func principal(t testing.TB, kind mspproto.MSPPrincipal_Classification, m proto.Message) *mspproto.MSPPrincipal {
	t.Helper()
	raw, err := proto.Marshal(m)
	require.NoError(t, err)
	return &mspproto.MSPPrincipal{PrincipalClassification: kind, Principal: raw}
}

func role(t testing.TB, mspID string, r mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal {
	t.Helper()
	return principal(t, mspproto.MSPPrincipal_ROLE, &mspproto.MSPRole{MspIdentifier: mspID, Role: r})
}

func combined(t testing.TB, parts ...*mspproto.MSPPrincipal) *mspproto.MSPPrincipal {
	t.Helper()
	return principal(t, mspproto.MSPPrincipal_COMBINED, &mspproto.CombinedPrincipal{Principals: parts})
}

func TestRolePrincipals(t *testing.T) {
	ca := rootCA(t, "ca")
	ids := map[string]*msp.Identity{"stranger": rootCA(t, "x").issue(t, "s", unit("peer")).identity(t, testMSP)}
	for _, ou := range []string{"client", "peer", "admin", "orderer"} {
		ids[ou] = ca.issue(t, ou, unit(ou)).identity(t, testMSP)
	}
	listed := ca.issue(t, "listed", unit("client"))
	ids["listed"] = listed.identity(t, testMSP)
	on := orgConfig(ca)
	on.Admins = [][]byte{listed.pem}
	off := orgConfig(ca)
	off.FabricNodeOus, off.Admins = nil, on.Admins

	const member, admin = mspproto.MSPRole_MEMBER, mspproto.MSPRole_ADMIN
	const client, peer, orderer = mspproto.MSPRole_CLIENT, mspproto.MSPRole_PEER, mspproto.MSPRole_ORDERER
	tests := map[string]struct {
		conf    *mspproto.FabricMSPConfig
		version msp.Version
		role    mspproto.MSPRole_MSPRoleType
		yes     []string // who satisfies it; everybody else does not
	}{
		"member":                {on, msp.V1_4_3, member, []string{"client", "peer", "admin", "orderer", "listed"}},
		"client":                {on, msp.V1_4_3, client, []string{"client", "listed"}},
		"peer":                  {on, msp.V1_4_3, peer, []string{"peer"}},
		"orderer":               {on, msp.V3_0, orderer, []string{"orderer"}},
		"admin by list or unit": {on, msp.V1_4_3, admin, []string{"admin", "listed"}},
		"unknown role":          {on, msp.V3_0, 9, nil},
		"member of 1.3":         {on, msp.V1_3, member, []string{"client", "peer", "listed"}},
		"admin of 1.3 by list":  {on, msp.V1_3, admin, []string{"listed"}},
		"orderer of 1.3":        {on, msp.V1_3, orderer, nil},
		"peer of 1.1":           {on, msp.V1_1, peer, []string{"peer"}},
		"peer of 1.0":           {on, msp.V1_0, peer, nil},
		"member, NodeOUs off":   {off, msp.V1_4_3, member, []string{"client", "peer", "admin", "orderer", "listed"}},
		"peer, NodeOUs off":     {off, msp.V1_4_3, peer, nil},
		"orderer, NodeOUs off":  {off, msp.V1_4_3, orderer, nil},
		"admin, NodeOUs off":    {off, msp.V1_4_3, admin, []string{"listed"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMSP(t, tt.conf, tt.version)
			for who, id := range ids {
				err := m.Satisfies(id, role(t, testMSP, tt.role))
				require.Equal(t, has(tt.yes, who), err == nil, "%s: %v", who, err)
				require.ErrorIs(t, m.Satisfies(id, role(t, "OtherMSP", tt.role)), msp.ErrPrincipal)
			}
		})
	}
}

func has(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func TestUnitPrincipal(t *testing.T) {
	root := rootCA(t, "root")
	inner := root.intermediate(t, "inner")
	conf := orgConfig(root)
	conf.IntermediateCerts = [][]byte{inner.pem}
	m := newMSP(t, conf, msp.V1_4_3)
	id := inner.issue(t, "p", unit("sales", "peer")).identity(t, testMSP)

	// SHA-256 over the chain above the certificate, in low-S form.
	chain := append(inner.identity(t, testMSP).Certificate().Raw, root.identity(t, testMSP).Certificate().Raw...)
	certifier := sha256.Sum256(chain)
	ou := func(mspID, name string, c []byte) *mspproto.MSPPrincipal {
		return principal(t, mspproto.MSPPrincipal_ORGANIZATION_UNIT, &mspproto.OrganizationUnit{
			MspIdentifier: mspID, OrganizationalUnitIdentifier: name, CertifiersIdentifier: c,
		})
	}
	require.NoError(t, m.Satisfies(id, ou(testMSP, "sales", certifier[:])))
	require.ErrorIs(t, m.Satisfies(id, ou(testMSP, "labs", certifier[:])), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(id, ou(testMSP, "sales", make([]byte, 32))), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(id, ou(testMSP, "sales", nil)), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(id, ou("OtherMSP", "sales", certifier[:])), msp.ErrPrincipal)
	stranger := rootCA(t, "x").issue(t, "s", unit("sales", "peer")).identity(t, testMSP)
	require.ErrorIs(t, m.Satisfies(stranger, ou(testMSP, "sales", certifier[:])), msp.ErrUnknownCA)
}

func TestIdentityPrincipal(t *testing.T) {
	ca := rootCA(t, "ca")
	m := newMSP(t, orgConfig(ca), msp.V1_4_3)
	a, b := ca.issue(t, "a", unit("peer")), ca.issue(t, "b", unit("peer"))
	stranger := rootCA(t, "x").issue(t, "s", unit("peer"))
	want := func(mspID string, pem []byte) *mspproto.MSPPrincipal {
		return principal(t, mspproto.MSPPrincipal_IDENTITY, &mspproto.SerializedIdentity{Mspid: mspID, IdBytes: pem})
	}
	require.NoError(t, m.Satisfies(a.identity(t, testMSP), want(testMSP, a.pem)))
	require.NoError(t, m.Satisfies(a.identity(t, testMSP), want(testMSP, append([]byte("text\n"), a.pem...))), "the certificate counts, not its text")
	require.ErrorIs(t, m.Satisfies(b.identity(t, testMSP), want(testMSP, a.pem)), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(a.identity(t, testMSP), want("OtherMSP", a.pem)), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(stranger.identity(t, testMSP), want(testMSP, stranger.pem)), msp.ErrUnknownCA)
	require.ErrorIs(t, m.Satisfies(a.identity(t, testMSP), want(testMSP, []byte("garbage"))), msp.ErrPrincipal)
}

func TestAnonymityPrincipal(t *testing.T) {
	ca := rootCA(t, "ca")
	id := ca.issue(t, "a", unit("peer")).identity(t, testMSP)
	of := func(a mspproto.MSPIdentityAnonymity_MSPIdentityAnonymityType) *mspproto.MSPPrincipal {
		return principal(t, mspproto.MSPPrincipal_ANONYMITY, &mspproto.MSPIdentityAnonymity{AnonymityType: a})
	}
	m := newMSP(t, orgConfig(ca), msp.V1_3)
	require.NoError(t, m.Satisfies(id, of(mspproto.MSPIdentityAnonymity_NOMINAL)))
	require.ErrorIs(t, m.Satisfies(id, of(mspproto.MSPIdentityAnonymity_ANONYMOUS)), msp.ErrPrincipal)
	require.ErrorIs(t, newMSP(t, orgConfig(ca), msp.V1_1).Satisfies(id, of(mspproto.MSPIdentityAnonymity_NOMINAL)), msp.ErrPrincipal)
}

func TestCombinedPrincipal(t *testing.T) {
	ca := rootCA(t, "ca")
	m := newMSP(t, orgConfig(ca), msp.V1_3)
	id := ca.issue(t, "a", unit("peer")).identity(t, testMSP)
	member, peer, client := role(t, testMSP, mspproto.MSPRole_MEMBER), role(t, testMSP, mspproto.MSPRole_PEER), role(t, testMSP, mspproto.MSPRole_CLIENT)

	require.NoError(t, m.Satisfies(id, combined(t, member, combined(t, peer))))
	require.ErrorIs(t, m.Satisfies(id, combined(t, member, combined(t, client))), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(id, combined(t)), msp.ErrPrincipal)
	require.ErrorIs(t, newMSP(t, orgConfig(ca), msp.V1_1).Satisfies(id, combined(t, member)), msp.ErrPrincipal)

	deep := member
	for range 8 {
		deep = combined(t, deep)
	}
	require.NoError(t, m.Satisfies(id, deep))
	require.ErrorIs(t, m.Satisfies(id, combined(t, deep)), msp.ErrPrincipal)

	wide := make([]*mspproto.MSPPrincipal, 257)
	for i := range wide {
		wide[i] = member
	}
	require.NoError(t, m.Satisfies(id, combined(t, wide[:256]...)))
	require.ErrorIs(t, m.Satisfies(id, combined(t, wide...)), msp.ErrPrincipal)
}

func TestGarbagePrincipals(t *testing.T) {
	ca := rootCA(t, "ca")
	m := newMSP(t, orgConfig(ca), msp.V3_0)
	id := ca.issue(t, "a", unit("peer")).identity(t, testMSP)
	for kind := range mspproto.MSPPrincipal_Classification_name {
		p := &mspproto.MSPPrincipal{
			PrincipalClassification: mspproto.MSPPrincipal_Classification(kind), Principal: []byte("garbage"),
		}
		require.ErrorIs(t, m.Satisfies(id, p), msp.ErrPrincipal)
	}
	require.ErrorIs(t, m.Satisfies(id, &mspproto.MSPPrincipal{PrincipalClassification: 99}), msp.ErrPrincipal)
	require.ErrorIs(t, m.Satisfies(id, nil), msp.ErrPrincipal)
}
