// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"slices"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

func FuzzParseIdentity(f *testing.F) {
	f.Add(serialized(f, "Org1MSP", read(f, "testdata/org1/signcerts/peer0.org1.example.com-cert.pem")))
	f.Add(serialized(f, testMSP, certify(f, nil, "ca", edKey(f), asCA).pem))
	f.Add([]byte("garbage"))
	ca := rootCA(f, "ca")
	m := newMSP(f, orgConfig(ca), msp.V3_0)
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, err := msp.ParseIdentity(raw)
		if err != nil {
			require.ErrorIs(t, err, msp.ErrMalformed)
			return
		}
		creator, err := msp.ParseCreator(raw)
		require.NoError(t, err, "ParseCreator accepts whatever ParseIdentity accepts")
		require.Equal(t, id.Digest(), creator.Digest())
		require.Equal(t, raw, id.Serialize())
		require.Error(t, m.Validate(id))
		require.ErrorIs(t, id.Verify(raw, raw), msp.ErrSignature)
	})
}

func FuzzOpenRecord(f *testing.F) {
	id := rootCA(f, "ca").issue(f, "p").signer(f, testMSP)
	f.Add(issue(f, hostKey(f), id).Bytes())
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		rec, err := msp.OpenRecord(raw, epoch)
		if err != nil {
			return
		}
		require.Equal(t, raw, rec.Bytes())
		require.NoError(t, rec.ValidAt(epoch))
		require.NotEmpty(t, rec.PeerID())
	})
}

func FuzzUnseal(f *testing.F) {
	rec, id := fixed(f) // each worker makes its own
	good, err := msp.Seal("purpose", "scope", rec, id, []byte("content"))
	require.NoError(f, err)
	brief, err := msp.SealBrief("purpose", "scope", rec, id, []byte("content"))
	require.NoError(f, err)
	f.Add("purpose", "scope", good)
	f.Add("purpose", "other", good)
	f.Add("purpose", "scope", brief)
	f.Add("purpose", "scope", slices.Concat(good, brief))
	f.Add("", "", []byte("garbage"))
	records := msp.NewRecords(16)
	held, err := records.Open(rec.Bytes(), epoch)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, purpose, scope string, raw []byte) {
		sealed, err := records.Unseal(purpose, scope, raw, epoch)
		if err != nil {
			return
		}
		require.Equal(t, "purpose", purpose)
		require.Equal(t, "scope", scope)
		require.Equal(t, "content", string(sealed.Content))
		require.Equal(t, held.Digest(), sealed.Record.Digest())
		whole, err := records.Complete(raw)
		require.NoError(t, err)
		_, err = msp.NewRecords(1).Unseal(purpose, scope, whole, epoch)
		require.NoError(t, err, "it introduces its author to anybody")
	})
}

func FuzzLoadConfig(f *testing.F) {
	f.Add([]byte(nodeOUsYAML))
	f.Add(read(f, "testdata/org1/config.yaml"))
	f.Add([]byte("OrganizationalUnitIdentifiers:\n  - {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: sales}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("NodeOUs: ["))
	dir, _, _ := mspFolder(f)
	f.Fuzz(func(t *testing.T, yaml []byte) {
		write(t, dir, "config.yaml", yaml)
		conf, err := msp.LoadConfig(dir, testMSP)
		if err != nil {
			require.ErrorContains(t, err, dir)
			return
		}
		_, err = msp.New(conf, msp.V3_0)
		if err != nil {
			require.ErrorIs(t, err, msp.ErrConfig)
		}
	})
}

// FuzzCertificate reads what lies where a configuration has certificates. What is an identity is one again when it is read
// in its own plain form, whatever surrounded it.
func FuzzCertificate(f *testing.F) {
	f.Fuzz(func(t *testing.T, pem []byte) {
		id, err := msp.NewIdentity(testMSP, pem)
		if err != nil {
			require.ErrorIs(t, err, msp.ErrMalformed)
			return
		}
		require.LessOrEqual(t, len(id.Serialize()), msp.MaxIdentity)
		again, err := msp.ParseCreator(id.Serialize())
		require.NoError(t, err)
		require.Equal(t, id.Digest(), again.Digest())
		require.Equal(t, id.Key(), again.Key())
		require.ErrorIs(t, id.Verify(pem, pem), msp.ErrSignature)
	})
}

// FuzzConfig makes an MSP of any configuration and version. What it vouches for, it also recognizes; a CA it never does.
func FuzzConfig(f *testing.F) {
	member := read(f, "testdata/org1/signcerts/peer0.org1.example.com-cert.pem")
	f.Fuzz(func(t *testing.T, raw []byte, version uint8) {
		conf := &mspproto.FabricMSPConfig{}
		if proto.Unmarshal(raw, conf) != nil {
			return
		}
		m, err := msp.New(conf, msp.Version(version%6))
		if err != nil {
			require.ErrorIs(t, err, msp.ErrConfig)
			return
		}
		require.NotEmpty(t, m.ID())
		require.NotEmpty(t, m.Roots())
		id, err := msp.NewIdentity(m.ID(), member)
		require.NoError(t, err)
		if m.Validate(id) == nil {
			require.NoError(t, m.Recognizes(id))
		}
		if m.NodeOUs() && m.IsPeer(id) == nil {
			require.NoError(t, m.Validate(id))
		}
		for _, root := range m.Roots() {
			ca, err := msp.NewIdentity(m.ID(), certPEM(root))
			require.NoError(t, err)
			require.Error(t, m.Validate(ca))
		}
	})
}

// FuzzRevocationList adds a list to the configuration of a real organization: it revokes nobody unless the CA has signed it.
func FuzzRevocationList(f *testing.F) {
	var conf mspproto.FabricMSPConfig
	load(f, "testdata/org1-block41.pb", &conf)
	peer, err := msp.NewIdentity(conf.GetName(), read(f, "testdata/org1/signcerts/peer0.org1.example.com-cert.pem"))
	require.NoError(f, err)
	_, revoked := realEnvelope(f)
	genuine := conf.RevocationList
	f.Fuzz(func(t *testing.T, list []byte) {
		conf.RevocationList = append(slices.Clone(genuine), list)
		m, err := msp.New(&conf, msp.V1_4_3)
		if err != nil {
			require.ErrorIs(t, err, msp.ErrConfig)
			return
		}
		require.ErrorIs(t, m.Validate(revoked), msp.ErrRevoked)
		require.NotErrorIs(t, m.Validate(peer), msp.ErrRevoked)
	})
}

// FuzzPrincipal asks a real member about any principal. Parts of what he satisfies do not make him another.
func FuzzPrincipal(f *testing.F) {
	var conf mspproto.FabricMSPConfig
	load(f, "testdata/org1-block0.pb", &conf)
	m := newMSP(f, &conf, msp.V1_4_3)
	peer, err := msp.NewIdentity(conf.GetName(), read(f, "testdata/org1/signcerts/peer0.org1.example.com-cert.pem"))
	require.NoError(f, err)
	stranger := rootCA(f, "x").issue(f, "s", unit("peer")).identity(f, conf.GetName())
	f.Fuzz(func(t *testing.T, kind int32, raw []byte) {
		p := &mspproto.MSPPrincipal{PrincipalClassification: mspproto.MSPPrincipal_Classification(kind), Principal: raw}
		held := m.Satisfies(peer, p) == nil
		wrapped := m.Satisfies(peer, combined(t, p)) == nil
		if kind != int32(mspproto.MSPPrincipal_COMBINED) {
			require.Equal(t, held, wrapped)
		}
		switch kind {
		case int32(mspproto.MSPPrincipal_ROLE), int32(mspproto.MSPPrincipal_ORGANIZATION_UNIT), int32(mspproto.MSPPrincipal_IDENTITY):
			require.Error(t, m.Satisfies(stranger, p))
		}
	})
}
