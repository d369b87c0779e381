// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
)

func TestWriteMSP(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *devnet.Org){
		"fresh": func(*testing.T, *devnet.Org) {},
		"with a revocation list": func(t *testing.T, org *devnet.Org) {
			require.NoError(t, org.Revoke(enroll(t, org, "user2", devnet.Client).Certificate, start))
		},
		"with two roots": func(t *testing.T, org *devnet.Org) { require.NoError(t, org.RotateCA(start)) },
		"after a rotation": func(t *testing.T, org *devnet.Org) {
			require.NoError(t, org.RotateCA(start))
			org.RetireCA()
		},
	} {
		t.Run(name, func(t *testing.T) {
			org, dir := newOrg(t, "Org1"), filepath.Join(t.TempDir(), "msp")
			prepare(t, org)
			node := enroll(t, org, "peer0.org1.example.com", devnet.Peer)
			require.NoError(t, node.WriteMSP(dir))

			local, err := msp.Load(dir, org.MSPID)
			require.NoError(t, err)
			require.NoError(t, local.MSP.IsPeer(local.Signer.Identity))
			require.Equal(t, node.Serialize(), local.Signer.Serialize())
			require.True(t, proto.Equal(org.MSPConfig(), local.Config), "folder and MSPConfig differ")

			memory, err := node.Local()
			require.NoError(t, err)
			require.True(t, proto.Equal(memory.Config, local.Config))
			signature, err := memory.Signer.Sign([]byte("message"))
			require.NoError(t, err)
			require.NoError(t, local.Signer.Verify([]byte("message"), signature))
		})
	}
}

func TestPrivateKeysAreForTheOwnerOnly(t *testing.T) {
	org, dir := newOrg(t, "Org1"), t.TempDir()
	require.NoError(t, enroll(t, org, "peer0", devnet.Peer).WriteMSP(dir))
	keys, err := filepath.Glob(filepath.Join(dir, "keystore", "*_sk"))
	require.NoError(t, err)
	require.Len(t, keys, 1)
	info, err := os.Stat(keys[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestOrgFolderHasNoSigner(t *testing.T) {
	org, dir := newOrg(t, "Org1"), t.TempDir()
	require.NoError(t, org.WriteMSP(dir))
	conf, err := msp.LoadConfig(dir, org.MSPID)
	require.NoError(t, err)
	require.True(t, proto.Equal(org.MSPConfig(), conf))
	require.NoDirExists(t, filepath.Join(dir, "keystore"))
	_, err = msp.Load(dir, org.MSPID)
	require.Error(t, err)
}

// An MSP tells roles, revoked members and members of a retired authority apart.
func TestMSPJudgesMembers(t *testing.T) {
	org := newOrg(t, "Org1")
	peer, client := enroll(t, org, "peer0", devnet.Peer), enroll(t, org, "user1", devnet.Client)
	revoked := enroll(t, org, "user2", devnet.Client)
	require.NoError(t, org.Revoke(revoked.Certificate, start))
	requireVerdicts(t, org, map[*devnet.Node]error{peer: nil, client: nil, revoked: msp.ErrRevoked})

	require.NoError(t, org.RotateCA(start))
	later := enroll(t, org, "peer1", devnet.Peer)
	requireVerdicts(t, org, map[*devnet.Node]error{peer: nil, later: nil, revoked: msp.ErrRevoked})

	org.RetireCA()
	requireVerdicts(t, org, map[*devnet.Node]error{peer: msp.ErrUnknownCA, later: nil})
}

func requireVerdicts(t *testing.T, org *devnet.Org, verdicts map[*devnet.Node]error) {
	t.Helper()
	for _, version := range []msp.Version{msp.V1_4_3, msp.V3_0} {
		m, err := msp.New(org.MSPConfig(), version)
		require.NoError(t, err)
		for node, want := range verdicts {
			id, err := msp.ParseIdentity(node.Serialize())
			require.NoError(t, err)
			require.ErrorIs(t, m.Validate(id), want, node.Name)
			if want == nil {
				require.Equal(t, node.Role == devnet.Peer, m.IsPeer(id) == nil, node.Name)
			}
		}
	}
}
