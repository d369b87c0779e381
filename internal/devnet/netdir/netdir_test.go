// SPDX-License-Identifier: Apache-2.0

package netdir_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/devnet/netdir"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// start is an ordinary day.
var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// initialize makes a network in a new folder, which it returns.
func initialize(t *testing.T, p netdir.Plan) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "net")
	require.NoError(t, netdir.Init(t.Context(), dir, p, start, false))
	return dir
}

func TestPeersHaveIdentitiesAndTheirOwnPorts(t *testing.T) {
	dir := initialize(t, netdir.DefaultPlan())
	bundle, err := channelconfig.FromBlock(readBlock(t, filepath.Join(dir, "mychannel.block")))
	require.NoError(t, err)
	for i, want := range []struct {
		folder, id, mspID string
		bootstrap         []string
	}{
		{"org1-peer0", "peer0.org1.example.com", "Org1MSP", []string{"127.0.0.1:7062"}},
		{"org1-peer1", "peer1.org1.example.com", "Org1MSP", []string{"127.0.0.1:7061"}},
		{"org2-peer0", "peer0.org2.example.com", "Org2MSP", []string{"127.0.0.1:7064"}},
		{"org2-peer1", "peer1.org2.example.com", "Org2MSP", []string{"127.0.0.1:7063"}},
	} {
		t.Run(want.folder, func(t *testing.T) {
			folder := filepath.Join(dir, want.folder)
			c, err := coreyaml.Load(coreyaml.Options{Dir: folder})
			require.NoError(t, err)
			require.Empty(t, c.Notes)
			require.Empty(t, c.Warnings)
			port := 7061 + i
			require.Equal(t, want.id, c.ID)
			require.Equal(t, want.mspID, c.MSPID)
			require.Equal(t, filepath.Join(folder, "data", "weft"), c.DataDir())
			require.Equal(t, coreyaml.Dynamic, c.LeaderMode())
			require.Equal(t, []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port), fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port)}, c.ListenAddresses)
			require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), c.Endpoint)
			require.Equal(t, c.Endpoint, c.ExternalEndpoint)
			require.Equal(t, fmt.Sprintf("127.0.0.1:%d", 9543+i), c.Operations.ListenAddress)
			require.Equal(t, want.bootstrap, c.Bootstrap)
			local, err := msp.Load(c.MSPPath, c.MSPID)
			require.NoError(t, err)
			require.NoError(t, bundle.Member(local.Signer.Identity))
		})
	}
}

func TestGenesisBlockNamesAnchorsAndTheOrderer(t *testing.T) {
	p := netdir.Plan{Orgs: 3, Peers: 2, Channel: "other", OrdererPort: 17050, BasePort: 17061, OperationsPort: 19543}
	dir := initialize(t, p)
	genesis := readBlock(t, filepath.Join(dir, "other.block"))
	require.True(t, proto.Equal(genesis, readBlock(t, filepath.Join(dir, "orderer", "genesis.block"))))
	bundle, err := channelconfig.FromBlock(genesis)
	require.NoError(t, err)
	require.Equal(t, "other", bundle.ChannelID())
	require.Len(t, bundle.Orgs(), 3)
	for i, org := range bundle.Orgs() {
		require.Equal(t, []channelconfig.Anchor{{Host: "127.0.0.1", Port: 17061 + 2*i}}, org.Anchors, org.MSPID)
	}
	require.Len(t, bundle.Endpoints(), 1)
	require.Equal(t, "127.0.0.1:17050", bundle.Endpoints()[0].Address)
}

func TestOrdererFolder(t *testing.T) {
	dir := initialize(t, netdir.DefaultPlan())
	moved := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Rename(dir, moved), "paths are relative")

	o, err := netdir.ReadOrderer(netdir.OrdererDir(moved))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7050", o.ListenAddress)
	require.Equal(t, filepath.Join(moved, "orderer", "data"), o.DataDir)
	bundle, err := channelconfig.FromBlock(o.Genesis)
	require.NoError(t, err)
	require.NoError(t, bundle.EvaluateIdentity(channelconfig.PolicyBlockValidation, o.Identity.Identity))
	require.NoError(t, bundle.EvaluateIdentity("/Channel/Writers", o.Client.Identity))
	requireTrusted(t, bundle.Endpoints()[0], o.TLS)
}

// requireTrusted requires that peers of the channel accept the server at its address.
func requireTrusted(t *testing.T, e channelconfig.Endpoint, server tls.Certificate) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, root := range e.TLSRoots {
		require.True(t, roots.AppendCertsFromPEM(root))
	}
	certificate, err := x509.ParseCertificate(server.Certificate[0])
	require.NoError(t, err)
	_, err = certificate.Verify(x509.VerifyOptions{DNSName: "127.0.0.1", Roots: roots, CurrentTime: start})
	require.NoError(t, err)
}

func TestPrivateKeysAreTheOwnersAlone(t *testing.T) {
	dir := initialize(t, netdir.DefaultPlan())
	keys := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if filepath.Base(path) == "server.key" || filepath.Base(filepath.Dir(path)) == "keystore" {
			info, err := d.Info()
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode(), path)
			keys++
		}
		return nil
	}))
	require.Equal(t, 2*4+2+2*2+1, keys, "4 peers and the orderer have two each, 2 users and 3 administrators one")
}

func TestInitRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	full := filepath.Dir(file)
	t.Chdir(t.TempDir())
	bad := netdir.DefaultPlan()
	bad.Channel = "My Channel"
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, tt := range map[string]struct {
		ctx     context.Context
		dir     string
		plan    netdir.Plan
		replace bool
		want    error
		text    string
	}{
		"a file":                {t.Context(), file, netdir.DefaultPlan(), true, netdir.ErrExists, "not a directory"},
		"a full folder":         {t.Context(), full, netdir.DefaultPlan(), false, netdir.ErrExists, "not empty"},
		"to replace a stranger": {t.Context(), full, netdir.DefaultPlan(), true, netdir.ErrExists, "something else"},
		"the current folder":    {t.Context(), ".", netdir.DefaultPlan(), false, netdir.ErrExists, "current folder"},
		"a missing parent":      {t.Context(), "a/b", netdir.DefaultPlan(), false, fs.ErrNotExist, "make that first"},
		"a bad channel":         {t.Context(), "net", bad, false, devnet.ErrChannel, "My Channel"},
		"when stopped":          {stopped, "net", netdir.DefaultPlan(), false, context.Canceled, ""},
		"an empty plan":         {t.Context(), "net", netdir.Plan{}, false, nil, "at least one"},
	} {
		t.Run(name, func(t *testing.T) {
			err := netdir.Init(tt.ctx, tt.dir, tt.plan, start, tt.replace)
			require.ErrorContains(t, err, tt.text)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
		})
	}
	for _, dir := range []string{".", full} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.LessOrEqual(t, len(entries), 1, "nothing is left behind in %s", dir)
	}
}

func TestInitReplacesANetworkAndFillsAnEmptyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, netdir.Init(t.Context(), dir, netdir.DefaultPlan(), start, false), "empty")
	left := filepath.Join(dir, "org1-peer0", "data")
	require.NoError(t, os.Mkdir(left, 0o755))
	require.ErrorIs(t, netdir.Init(t.Context(), dir, netdir.DefaultPlan(), start, false), netdir.ErrExists)
	require.DirExists(t, left)

	require.NoError(t, netdir.Init(t.Context(), dir, netdir.DefaultPlan(), start, true))
	require.NoDirExists(t, left)
	entries, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing beside it")
}

func TestPlanValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*netdir.Plan)
		want   string // empty: valid
	}{
		"default":                {func(*netdir.Plan) {}, ""},
		"one peer":               {func(p *netdir.Plan) { p.Orgs, p.Peers = 1, 1 }, ""},
		"as many as allowed":     {func(p *netdir.Plan) { p.Orgs, p.Peers = 20, 10 }, ""},
		"too many":               {func(p *netdir.Plan) { p.Orgs, p.Peers = 3, 67 }, "at most 200"},
		"so many that they wrap": {func(p *netdir.Plan) { p.Orgs, p.Peers = 1<<32, 1<<32 }, "at most 200"},
		"none":                   {func(p *netdir.Plan) { p.Peers = 0 }, "at least one"},
		"fewer than none":        {func(p *netdir.Plan) { p.Orgs = -1 }, "at least one"},
		"port 0":                 {func(p *netdir.Plan) { p.OrdererPort = 0 }, "port 0 of the ordering service"},
		"last ports":             {func(p *netdir.Plan) { p.BasePort = 65532 }, ""},
		"past the last port":     {func(p *netdir.Plan) { p.BasePort = 65533 }, "ports 65533 to 65536 of the peers"},
		"orderer among peers":    {func(p *netdir.Plan) { p.OrdererPort = 7064 }, "overlap"},
		"operations beside":      {func(p *netdir.Plan) { p.OperationsPort = 7065 }, ""},
		"operations among peers": {func(p *netdir.Plan) { p.OperationsPort = 7058 }, "overlap"},
	} {
		t.Run(name, func(t *testing.T) {
			p := netdir.DefaultPlan()
			tt.change(&p)
			if err := p.Validate(); tt.want != "" {
				require.ErrorContains(t, err, tt.want)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestReadOrdererRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   error
		text   string
	}{
		"no settings":      {remove("orderer.yaml"), netdir.ErrNotOrderer, "weft devnet init"},
		"no YAML":          {overwrite("orderer.yaml", "\t{"), netdir.ErrSettings, "orderer.yaml"},
		"an unknown key":   {overwrite("orderer.yaml", "listen: here"), netdir.ErrSettings, "listen"},
		"missing keys":     {overwrite("orderer.yaml", "data: data"), netdir.ErrSettings, "tls.key is missing"},
		"nothing":          {overwrite("orderer.yaml", ""), netdir.ErrSettings, "orderer.yaml"},
		"endless settings": {overwrite("orderer.yaml", string(make([]byte, 64<<10+1))), nil, "larger than"},
		"no genesis block": {remove("genesis.block"), fs.ErrNotExist, "genesis.block"},
		"no block":         {overwrite("genesis.block", "block"), nil, "decode the block"},
		"no identity":      {remove("msp"), nil, "OrdererMSP"},
		"no client":        {remove("../crypto"), nil, "Org1MSP"},
		"no TLS key":       {remove("tls/server.key"), fs.ErrNotExist, "TLS certificate"},
		"another TLS key":  {overwrite("tls/server.key", "key"), nil, "TLS certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := netdir.OrdererDir(initialize(t, netdir.Plan{Orgs: 1, Peers: 1, Channel: "c", OrdererPort: 1, BasePort: 2, OperationsPort: 3}))
			tt.damage(t, dir)
			_, err := netdir.ReadOrderer(dir)
			require.ErrorContains(t, err, tt.text)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
		})
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, name))) }
}

func overwrite(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
}

func readBlock(t *testing.T, path string) *common.Block {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	b := &common.Block{}
	require.NoError(t, proto.Unmarshal(raw, b))
	return b
}
