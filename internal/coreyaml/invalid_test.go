// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

func TestUnknown(t *testing.T) {
	_, err := load(t, "peeer: {id: x}\npeer:\n  gossip: {orgLeadr: true, BootStrap: x}\n  orgLeader: true\n  wholly: {other: 1}\nweft:\n  bootstraps: []\n  relay: {}\n",
		"CORE_PEER_GOSSIP_ORGLEDER=true", "CORE_peer_id=x", "CORE_", "NOT_CORE_X=1", "CORE_CHAINCODE_SYSTEM_MINE=enable", "CORE_VM_DOCKER_X=1")
	require.ErrorIs(t, err, coreyaml.ErrUnknown)
	require.NotErrorIs(t, err, coreyaml.ErrInvalid)
	_, list, _ := strings.Cut(err.Error(), "coreyaml: unknown: ")
	require.Equal(t, []string{
		"peeer (line 1, did you mean peer?)",
		"peer.gossip.orgLeadr (line 3, did you mean peer.gossip.orgLeader?)",
		"peer.orgLeader (line 4, did you mean peer.gossip.orgLeader?)",
		"peer.wholly (line 5)",
		"weft.bootstraps (line 7, did you mean weft.bootstrap?)",
		"CORE_PEER_GOSSIP_ORGLEDER (environment, did you mean CORE_PEER_GOSSIP_ORGLEADER?)",
		"CORE_peer_id (environment, did you mean CORE_PEER_ID?)",
		"CORE_ (environment)",
	}, strings.Split(list, "; "))
}

func TestInvalid(t *testing.T) {
	big := "peer: {id: " + strings.Repeat("x", 1<<20) + "}"
	for name, c := range map[string]struct {
		file, env string
		want      []string // all in the message
	}{
		"duration without unit": {"peer: {gossip: {aliveTimeInterval: 5}}", "", []string{"peer.gossip.aliveTimeInterval", `"5"`, "line 1", "5s"}},
		"policy of no client":   {"peer: {deliveryclient: {policy: quorum}}", "", []string{"peer.deliveryclient.policy", `"quorum"`, "cluster, simple"}},
		"duration in words":     {"", "CORE_PEER_DELIVERYCLIENT_CONNTIMEOUT=soon", []string{"peer.deliveryclient.connTimeout", `"soon"`, "CORE_PEER_DELIVERYCLIENT_CONNTIMEOUT", "500ms"}},
		"negative duration":     {"peer: {gossip: {election: {leaderAliveThreshold: -1s}}}", "", []string{"leaderAliveThreshold", `"-1s"`}},
		"election's own key":    {"weft: {election: {settle: soon}}", "", []string{"weft.election.settle", `"soon"`}},
		"number":                {"weft: {members: many}", "", []string{"weft.members", `"many"`, "whole number"}},
		"negative number":       {"weft: {members: -1}", "", []string{"weft.members", `"-1"`}},
		"huge number":           {"weft: {members: 99999999999}", "", []string{"weft.members"}},
		"too many neighbours":   {"peer: {gossip: {propagatePeerNum: 65}}", "", []string{"peer.gossip.propagatePeerNum", `"65"`, "up to 64"}},
		"mesh of one":           {"weft: {relay: {fullMeshMax: 1}}", "", []string{"weft.relay.fullMeshMax", `"1"`, "from 2 to 2000", "0 for the default"}},
		"mesh too large":        {"", "CORE_WEFT_RELAY_FULLMESHMAX=5000", []string{"weft.relay.fullMeshMax", `"5000"`, "from 2 to 2000"}},
		"boolean":               {"", "CORE_PEER_GOSSIP_ORGLEADER=yes", []string{"peer.gossip.orgLeader", `"yes"`, "CORE_PEER_GOSSIP_ORGLEADER", "write true or false"}},
		"text that is a list":   {"\n\npeer: {id: [a]}", "", []string{"peer.id is a list (line 3)", "single text"}},
		"text with keys":        {"weft: {dataDir: {a: b}}", "", []string{"weft.dataDir is a section", "file name"}},
		"list with keys":        {"weft: {bootstrap: [{a: b}]}", "", []string{"weft.bootstrap is a list"}},
		"section with a value":  {"peer: 7", "", []string{"peer (line 1) is a section"}},
		"key twice":             {"peer:\n  id: a\n  ID: b\n", "", []string{"peer.ID is there twice", "line 3"}},
		"provider":              {"metrics: {provider: graphite}", "", []string{"metrics.provider", `"graphite"`, "prometheus, statsd, disabled"}},

		"port too large":        {"weft: {operations: {listenAddress: '127.0.0.1:70000'}}", "", []string{"weft.operations.listenAddress", `port "70000"`, "0 to 65535"}},
		"port 0 to dial":        {"weft: {endpoint: 'a:0'}", "", []string{"weft.endpoint", `port "0"`, "1 to 65535"}},
		"no port":               {"weft: {bootstrap: 'a:1 b'}", "", []string{"weft.bootstrap", `"b"`, "host:port"}},
		"unspecified endpoint":  {"weft: {externalEndpoint: '0.0.0.0:7061'}", "", []string{"weft.externalEndpoint", "others cannot dial it"}},
		"endpoint without host": {"weft: {endpoint: ':7061'}", "", []string{"weft.endpoint", "others cannot dial it"}},
		"URL":                   {"weft: {endpoint: 'http://a:7061'}", "", []string{"weft.endpoint"}},
		"multiaddr":             {"weft: {listenAddresses: [/ip4/0.0.0.0/tpc/1]}", "", []string{"weft.listenAddresses", "/ip4/0.0.0.0/tpc/1", "multiaddr"}},
		"listen on a name":      {"weft: {listenAddresses: 'peer0:1'}", "", []string{"weft.listenAddresses", "peer0:1", "IP address"}},

		"overrides":         {"", "CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=a:1", []string{"addressOverrides", `"a:1"`, "from: host:port"}},
		"overrides no YAML": {"", "CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=[{", []string{"addressOverrides", "from: host:port"}},
		"override key":      {"peer: {deliveryclient: {addressOverrides: [{fromm: a:1}]}}", "", []string{"entry 1", `"fromm"`}},
		"override port":     {"peer: {deliveryclient: {addressOverrides: [{from: a:1, to: b}]}}", "", []string{"entry 1", `to "b"`}},
		"override CA":       {"peer: {deliveryclient: {addressOverrides: [{from: 'a:1', to: 'b:1', caCertsFile: no.pem}]}}", "", []string{"caCertsFile", "no.pem", "no such file"}},
		"anchor without to": {"weft: {anchorOverrides: [{from: 'a:1'}]}", "", []string{"weft.anchorOverrides", "entry 1", "to"}},
		"anchor twice":      {"weft: {anchorOverrides: [{from: 'a:1', to: 'b:1'}, {from: 'a:1', to: 'c:1'}]}", "", []string{"entry 2", "a:1", "twice"}},

		"both leader flags":     {"peer: {gossip: {orgLeader: true}}", "CORE_PEER_GOSSIP_USELEADERELECTION=true", []string{"peer.gossip.orgLeader", "peer.gossip.useLeaderElection", "both true", "false"}},
		"no MSP ID":             {"", "CORE_PEER_LOCALMSPID=", []string{"peer.localMspId", "CORE_PEER_LOCALMSPID"}},
		"no MSP":                {"peer: {mspConfigPath: nowhere}", "", []string{"peer.mspConfigPath", "nowhere", "CORE_PEER_MSPCONFIGPATH", "signcerts"}},
		"MSP is a file":         {"peer: {mspConfigPath: core.yaml}", "", []string{"peer.mspConfigPath", "no folder"}},
		"no client certificate": {"peer: {tls: {clientAuthRequired: true}}", "", []string{"peer.tls.cert.file", "tls/server.crt", "peer.tls.clientAuthRequired is true", "no such file"}},
		"half a client pair":    {"peer: {tls: {clientKey: {file: k}}}", "", []string{"peer.tls.clientCert.file", "peer.tls.clientKey.file", "both"}},
		"operations TLS":        {"weft: {operations: {tls: {enabled: true, key: {file: msp}, clientAuthRequired: true}}}", "", []string{"weft.operations.tls.cert.file is not set", "a folder", "weft.operations.tls.clientRootCAs.files is empty"}},

		"listener without address":  {"weft: {deliver: {listeners: [{orderer: 'a:1'}]}}", "", []string{"weft.deliver.listeners", "entry 1", `listen ""`}},
		"listener's orderer":        {"weft: {deliver: {listeners: [{listen: ':1', orderer: a}]}}", "", []string{`orderer "a"`, "host:port"}},
		"listener's key":            {"", "CORE_WEFT_DELIVER_LISTENERS=[{listens: ':1'}]", []string{"CORE_WEFT_DELIVER_LISTENERS", `"listens"`}},
		"half a listener's pair":    {"weft: {deliver: {listeners: [{listen: ':1', certFile: c}]}}", "", []string{"certFile and keyFile", "both"}},
		"listener's certificate":    {"weft: {deliver: {listeners: [{listen: ':1'}]}}", "", []string{"peer.tls.cert.file", "tls/server.crt", ":1 needs a TLS certificate"}},
		"listener's client CAs":     {"weft: {deliver: {listeners: [{listen: ':1', clientCAsFile: no.pem}]}}", "", []string{"clientCAsFile", "no.pem"}},
		"one listener twice":        {"weft: {deliver: {listeners: [{listen: ':1'}, {listen: ':1'}]}}", "", []string{"weft.deliver.listeners has :1 twice"}},
		"limit of streams":          {"weft: {deliver: {limits: {streams: many}}}", "", []string{"weft.deliver.limits.streams", `"many"`}},
		"pull from itself":          {"peer: {deliveryclient: {addressOverrides: [{from: 'a:1', to: 'localhost:2'}]}}\nweft: {deliver: {listeners: [{listen: '0.0.0.0:2'}]}}", "", []string{"localhost:2", "pull from itself", "CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES"}},
		"pull from itself, by name": {"peer: {deliveryclient: {addressOverrides: [{from: 'a:1', to: 'peer0:2'}]}}\nweft: {deliver: {listeners: [{listen: 'peer0:2'}]}}", "", []string{"peer0:2", "pull from itself"}},

		"no YAML":     {"peer: [", "", []string{"core.yaml", "line 1"}},
		"no mapping":  {"- a", "", []string{"core.yaml", "peer:"}},
		"too large":   {big, "", []string{"larger than 1048576 bytes"}},
		"merge value": {"peer: {<<: 7}", "", []string{"<< needs a mapping"}},
		"own merge":   {"peer: &p {gossip: &g {<<: *g}}", "", []string{"<<", "not supported"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.file, c.env)
			require.ErrorIs(t, err, coreyaml.ErrInvalid)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.Less(t, len(err.Error()), 2000)
		})
	}
}

// All that is wrong is said at once.
func TestAllAtOnce(t *testing.T) {
	_, err := load(t, "peer: {gossip: {aliveTimeInterval: x, msgExpirationFactor: y}}\nq: 1\n")
	require.ErrorIs(t, err, coreyaml.ErrInvalid)
	require.ErrorIs(t, err, coreyaml.ErrUnknown)
	require.Len(t, strings.Split(err.Error(), "\n"), 3)
}

func TestNoClashes(t *testing.T) {
	require.Empty(t, coreyaml.Clashes())
}

func FuzzLoad(f *testing.F) {
	f.Add("peer: {id: a, gossip: {orgLeader: true}}", "CORE_PEER_ID=b")
	f.Add("peer: &p {gossip: &g {<<: [*g, {}]}}", "CORE_WEFT_ANCHOROVERRIDES=[{from: a:1, to: b:1}]")
	f.Add("a: &a [*a]\nweft: {bootstrap: *a}", "CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=&a [*a]")
	dir := folder(f, "")
	f.Fuzz(func(t *testing.T, file, env string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(file), 0o600))
		c, err := coreyaml.Load(coreyaml.Options{Dir: dir, Env: []string{env}})
		if err == nil {
			require.NotEmpty(t, c.MSPID)
			require.NotEmpty(t, c.ListenAddresses)
			require.Positive(t, c.Gossip.AliveExpirationTimeout)
		}
	})
}
