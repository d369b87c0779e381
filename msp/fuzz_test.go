// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

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
