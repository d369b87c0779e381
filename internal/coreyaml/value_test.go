// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

func TestOverrides(t *testing.T) {
	const file = "peer: {id: file, gossip: {aliveTimeInterval: 7s, MSGEXPIRATIONFACTOR: 9}}"
	type C = coreyaml.Config
	for name, c := range map[string]struct {
		env  string
		get  func(*C) any
		want any
	}{
		"file":                       {"X=1", func(c *C) any { return c.ID }, "file"},
		"any case in the file":       {"X=1", func(c *C) any { return c.Gossip.MsgExpirationFactor }, 9},
		"over the file":              {"CORE_PEER_ID=env", func(c *C) any { return c.ID }, "env"},
		"empty counts":               {"CORE_PEER_ID=", func(c *C) any { return c.ID }, ""},
		"with = in it":               {"CORE_WEFT_ORGSECRET=a=b", func(c *C) any { return string(c.OrgSecret) }, "a=b"},
		"absent from the file":       {"CORE_PEER_GOSSIP_ELECTION_LEADERALIVETHRESHOLD=3s", func(c *C) any { return c.Gossip.Election.LeaderAliveThreshold }, 3 * time.Second},
		"0 is the default":           {"CORE_PEER_GOSSIP_ALIVETIMEINTERVAL=0", func(c *C) any { return c.Gossip.AliveTimeInterval }, 5 * time.Second},
		"empty is the default":       {"CORE_PEER_GOSSIP_MSGEXPIRATIONFACTOR=", func(c *C) any { return c.Gossip.MsgExpirationFactor }, 20},
		"what follows from another":  {"CORE_PEER_GOSSIP_ALIVETIMEINTERVAL=2s", func(c *C) any { return c.Gossip.AliveExpirationTimeout }, 10 * time.Second},
		"list by blanks and commas":  {"CORE_WEFT_BOOTSTRAP= a:1 b:2,c:3, d:4\n", func(c *C) any { return c.Bootstrap }, []string{"a:1", "b:2", "c:3", "d:4"}},
		"empty list":                 {"CORE_WEFT_BOOTSTRAP=", func(c *C) any { return c.Bootstrap }, []string{}},
		"listening on host and port": {"CORE_WEFT_LISTENADDRESSES=127.0.0.1:1 [::1]:2 :3", func(c *C) any { return c.ListenAddresses }, []string{"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/quic-v1", "/ip6/::1/tcp/2", "/ip6/::1/udp/2/quic-v1", "/ip4/0.0.0.0/tcp/3", "/ip4/0.0.0.0/udp/3/quic-v1"}},
		"overrides in YAML": {"CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=[{FROM: 'o1:7050', to: '127.0.0.1:7050'}]",
			func(c *C) any { return c.Deliver.AddressOverrides }, []coreyaml.AddressOverride{{From: "o1:7050", To: "127.0.0.1:7050"}}},
		"anchors in YAML": {"CORE_WEFT_ANCHOROVERRIDES=- from: p0:7051\n  to: /dns/p0/tcp/7061\n",
			func(c *C) any { return c.AnchorOverrides }, map[string]string{"p0:7051": "/dns/p0/tcp/7061"}},
		"statsd is no metrics": {"CORE_METRICS_PROVIDER=statsd", func(c *C) any { return c.MetricsProvider }, "disabled"},
		"no parity":            {"CORE_WEFT_RELAY_PARITY=false", func(c *C) any { return c.Parity }, false},
		"parity by default":    {"CORE_WEFT_RELAY_PARITY=", func(c *C) any { return c.Parity }, true},
		"mesh":                 {"CORE_WEFT_RELAY_FULLMESHMAX=12", func(c *C) any { return c.FullMesh }, 12},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, c.get(mustLoad(t, file, c.env)))
		})
	}
}

// Gossip does not hold together with fewer than three neighbours: that is no reason not to start.
func TestPropagatePeerNum(t *testing.T) {
	for _, c := range []struct{ file, want, warnings int }{{0, 0, 0}, {1, 3, 1}, {2, 3, 1}, {3, 3, 0}, {64, 64, 0}} {
		got := mustLoad(t, fmt.Sprintf("peer: {gossip: {propagatePeerNum: %d}}", c.file))
		require.Equal(t, c.want, got.Gossip.PropagatePeerNum, "of %d", c.file)
		require.Len(t, got.Warnings, c.warnings)
		for _, w := range got.Warnings {
			require.Contains(t, w, "peer.gossip.propagatePeerNum")
		}
	}
}

func TestLeaderMode(t *testing.T) {
	for name, c := range map[string]struct {
		gossip string
		want   coreyaml.LeaderMode
	}{
		"neither":            {"{}", coreyaml.Dynamic},
		"no values":          {"{useLeaderElection: , orgLeader: }", coreyaml.Dynamic},
		"election":           {"{useLeaderElection: true, orgLeader: false}", coreyaml.Dynamic},
		"static":             {"{useLeaderElection: false, orgLeader: true}", coreyaml.Static},
		"static alone":       {"{orgLeader: true}", coreyaml.Static},
		"both false":         {"{useLeaderElection: false, orgLeader: false}", coreyaml.Standby},
		"no election":        {"{useLeaderElection: false}", coreyaml.Standby},
		"not the static one": {"{orgLeader: false}", coreyaml.Dynamic},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, "peer: {gossip: "+c.gossip+"}")
			require.Equal(t, c.want, got.LeaderMode())
			require.Equal(t, c.want == coreyaml.Static, len(got.Warnings) == 1)
		})
	}
	for env, want := range map[string]coreyaml.LeaderMode{ // over a stock file
		"CORE_PEER_GOSSIP_ORGLEADER=false":                                         coreyaml.Standby,
		"CORE_PEER_GOSSIP_ORGLEADER=false CORE_PEER_GOSSIP_USELEADERELECTION=true": coreyaml.Dynamic,
		"CORE_PEER_GOSSIP_ORGLEADER=":                                              coreyaml.Standby,
		"CORE_PEER_GOSSIP_ORGLEADER= CORE_PEER_GOSSIP_USELEADERELECTION=":          coreyaml.Standby, // as Fabric reads it
		"CORE_PEER_GOSSIP_ORGLEADER=true CORE_PEER_GOSSIP_USELEADERELECTION=false": coreyaml.Static,
	} {
		got := mustLoad(t, "peer: {gossip: {useLeaderElection: false, orgLeader: true}}", strings.Fields(env)...)
		require.Equal(t, want, got.LeaderMode(), env)
	}
	require.Equal(t, "static dynamic standby", coreyaml.Static.String()+" "+coreyaml.Dynamic.String()+" "+coreyaml.Standby.String())
}

// File names start at the folder of core.yaml.
func TestPaths(t *testing.T) {
	dir := folder(t, "peer: {localMspId: Org1MSP, tls: {clientAuthRequired: true, cert: {file: core.yaml}, key: {file: msp/../core.yaml}}}\n"+
		"weft: {dataDir: data, operations: {tls: {enabled: true, cert: {file: core.yaml}, key: {file: core.yaml}, clientRootCAs: {files: [core.yaml]}}}}")
	file := filepath.Join(dir, "core.yaml")
	c, err := coreyaml.Load(coreyaml.Options{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "data"), c.DataDir())
	require.Equal(t, filepath.Join(dir, "msp"), c.MSPPath)
	require.Equal(t, []string{file, file}, []string{c.Deliver.ClientCert, c.Deliver.ClientKey}, "the server's pair is the default")
	require.Equal(t, coreyaml.OperationsTLS{Enabled: true, Cert: file, Key: file, ClientRootCAs: []string{file}}, c.Operations.TLS)

	c, err = coreyaml.Load(coreyaml.Options{Dir: dir, Env: []string{"CORE_PEER_TLS_CLIENTCERT_FILE=" + file, "CORE_PEER_TLS_CLIENTKEY_FILE=" + file, "CORE_WEFT_DATADIR=/abs"}})
	require.NoError(t, err)
	require.Equal(t, "/abs", c.DataDir())
	require.Equal(t, file, c.Deliver.ClientCert)
}

func TestEndpoints(t *testing.T) {
	c := mustLoad(t, "weft: {endpoint: '10.0.0.1:7061', externalEndpoint: 'peer0.example.com:7061'}")
	require.Equal(t, []string{"/ip4/10.0.0.1/tcp/7061", "/ip4/10.0.0.1/udp/7061/quic-v1"}, c.InternalAddrs())
	require.Equal(t, []string{"/dns/peer0.example.com/tcp/7061", "/dns/peer0.example.com/udp/7061/quic-v1"}, c.ExternalAddrs())

	c = mustLoad(t, "weft: {listenAddresses: [/ip4/0.0.0.0/tcp/1, /ip4/0.0.0.0/tcp/2/ws], endpoint: '[2001:db8::1]:1', externalEndpoint: /dns4/x/tcp/443/wss}")
	require.Equal(t, []string{"/ip6/2001:db8::1/tcp/1"}, c.InternalAddrs(), "there is no QUIC")
	require.Equal(t, []string{"/dns4/x/tcp/443/wss"}, c.ExternalAddrs())

	require.Empty(t, mustLoad(t, "").ExternalAddrs())
}

// Aliases and merged mappings are YAML's business; what is merged replaces nothing.
func TestAliases(t *testing.T) {
	c := mustLoad(t, "peer:\n  id: &name own\n  networkId: *name\n  keepalive:\n    client: &k {interval: 9s}\n    deliveryClient:\n      <<: *k\n      timeout: 8s\n")
	require.Equal(t, 9*time.Second, c.Deliver.KeepaliveInterval)
	require.Equal(t, 8*time.Second, c.Deliver.KeepaliveTimeout)

	c = mustLoad(t, "peer:\n  keepalive:\n    client: &k {interval: 9s}\n    deliveryClient: {<<: [*k], interval: 7s}\n")
	require.Equal(t, 7*time.Second, c.Deliver.KeepaliveInterval)
}
