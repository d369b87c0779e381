// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/block"
)

func TestEveryVerb(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // behind everything else
	b := newBench(t)
	b.Fill(t, b.service, 4)
	startNodeCommand(t)
	t.Chdir(t.TempDir())

	require.Equal(t, "Channels peers has joined: \n", succeed(t, "channel", "list"))
	require.JSONEq(t, `{"channels": []}`, succeed(t, "channel", "list", "--output", "json"))
	require.Equal(t, "Joined channel orders, height 4.\n", succeed(t, "channel", "join", "-b", b.genesis, "--wait"))
	require.Equal(t, "Channels peers has joined: \norders\n", succeed(t, "channel", "list"))
	require.JSONEq(t, `{"channels": [{"name": "orders", "height": 4, "state": "running"}]}`, succeed(t, "channel", "list", "--output", "json"))

	b.Fill(t, b.service, 6)
	info := succeed(t, "channel", "getinfo", "-c", "orders", "--wait-height", "6")
	succeed(t, "channel", "fetch", "newest", "-c", "orders")
	newest := readFetched(t, "orders_newest.block")
	hashes := fmt.Sprintf(`{"height":6,"currentBlockHash":%q,"previousBlockHash":%q}`,
		base64.StdEncoding.EncodeToString(block.HeaderHash(newest.Header)), base64.StdEncoding.EncodeToString(newest.Header.PreviousHash))
	require.Equal(t, "Blockchain info: "+hashes+"\n", info)
	require.Equal(t, hashes+"\n", succeed(t, "channel", "getinfo", "-c", "orders", "--output", "json"))

	for which, number := range map[string]uint64{"oldest": 0, "config": 0, "5": 5, "3": 3} {
		succeed(t, "channel", "fetch", which, "-c", "orders")
		require.Equal(t, number, readFetched(t, "orders_"+which+".block").Header.Number)
	}
	size := len(marshal(t, newest))
	require.Equal(t, fmt.Sprintf("Wrote block 5 of channel orders, %d bytes, to b5.\n", size), succeed(t, "channel", "fetch", "5", "-c", "orders", "b5"))
	require.True(t, proto.Equal(newest, readFetched(t, "b5")))

	status := succeed(t, "channel", "status", "-c", "orders")
	for _, line := range []string{"Height        6\n", "Lag           0\n", ", this node (static)\n", "Source        streaming from 127.0.0.1:",
		"Blocks from   orderer; of the last 5: orderer 5, own organization 0, other organizations 0\n", "Delivery      last 5 in ", "; 1.00 copies\n", "Pulls         yes: static leader\n", "Peers         0\n"} {
		require.Contains(t, status, line)
	}
	var s admin.Status
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "channel", "status", "-c", "orders", "--output", "json")), &s))
	require.Equal(t, block.HeaderHash(newest.Header), s.CurrentBlockHash)
	require.Regexp(t, `^PEER +MSP +CERTIFICATE +STATE +SEEN +IN +OUT +CHANNELS +ADDRESSES\n12D3\w+ +Org1MSP +\d{4}-\d\d-\d\d +this node +- +- +- +orders:6\* +-\n$`, succeed(t, "peers"))
	require.Regexp(t, `^{"peers":\[{"id":"12D3\w+","mspid":"Org1MSP","certificateExpires":"\d{4}-.*Z","self":true,`, succeed(t, "peers", "--output", "json"))
	require.Contains(t, succeed(t, "version", "--node"), "MSP ID: Org1MSP\n")

	require.Equal(t, "Left channel orders.\n", succeed(t, "channel", "leave", "-c", "orders"))
	require.Equal(t, "Channels peers has joined: \n", succeed(t, "channel", "list"))
}

func marshal(t *testing.T, b *common.Block) []byte {
	t.Helper()
	raw, err := proto.Marshal(b)
	require.NoError(t, err)
	return raw
}

func readFetched(t *testing.T, path string) *common.Block {
	t.Helper()
	b, err := readBlock(path)
	require.NoError(t, err)
	return b
}

func TestNodeJoinsAtStartAndAgain(t *testing.T) {
	b := newBench(t)
	b.Fill(t, b.service, 3)
	_, stop := startNodeCommand(t, "--join", b.genesis)
	first := succeed(t, "channel", "getinfo", "-c", "orders", "--wait-height", "3")
	stop()
	log, _ := startNodeCommand(t)
	require.Equal(t, first, succeed(t, "channel", "getinfo", "-c", "orders", "--wait-height", "3"))
	log.await(t, "static leader: nobody takes over") // the warning of the configuration
}

// A leader flag that changes while the node runs takes effect when it is started again.
func TestLeaderFlagsAreReadAtStart(t *testing.T) {
	b := newBench(t)
	_, stop := startNodeCommand(t, "--join", b.genesis)
	require.Contains(t, succeed(t, "channel", "status", "-c", "orders"), "this node (static)\n")
	path := filepath.Join(b.dir, "core.yaml")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := strings.Replace(string(text), "orgLeader: true", "orgLeader: false", 1)
	require.NotEqual(t, string(text), changed)
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
	require.Contains(t, succeed(t, "channel", "status", "-c", "orders"), "this node (static)\n")
	stop()
	startNodeCommand(t)
	status := succeed(t, "channel", "status", "-c", "orders")
	require.Contains(t, status, "(standby)\n")
	require.Contains(t, status, "Pulls         no: this peer stands by and never pulls\n")
}

func TestStockCoreYAMLStartsANode(t *testing.T) {
	b := newBench(t)
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "core.yaml"), stockSettings(t), 0o600))
	for name, value := range map[string]string{
		"CORE_PEER_LOCALMSPID": b.Org1.MSPID, "CORE_PEER_MSPCONFIGPATH": filepath.Join(b.dir, "msp"),
		"CORE_PEER_FILESYSTEMPATH":  filepath.Join(b.dir, "production"),
		"CORE_WEFT_LISTENADDRESSES": "127.0.0.1:0", "CORE_WEFT_OPERATIONS_LISTENADDRESS": "127.0.0.1:0", // the defaults may be in use
	} {
		t.Setenv(name, value)
	}
	log, _ := startNodeCommand(t)
	log.await(t, "peer.listenAddress") // a note: it is of no use here
	require.Equal(t, "Joined channel orders, height 1.\n", succeed(t, "channel", "join", "-b", b.genesis))
	require.FileExists(t, filepath.Join(b.dir, "production", "weft", "channels", "orders.block"))
}

// stockSettings is the core.yaml of Fabric 3.1, of which there is a list of keys.
func stockSettings(t *testing.T) []byte {
	t.Helper()
	flat, err := os.ReadFile("../../internal/coreyaml/testdata/fabric-3.1.yaml")
	require.NoError(t, err)
	values, root := map[string]any{}, map[string]any{}
	require.NoError(t, yaml.Unmarshal(flat, &values))
	for key, value := range values {
		at, path := root, strings.Split(key, ".")
		for _, name := range path[:len(path)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	text, err := yaml.Marshal(root)
	require.NoError(t, err)
	return text
}

func TestCommandsThatANodeRefuses(t *testing.T) {
	b := newBench(t)
	b.Fill(t, b.service, 2)
	startNodeCommand(t, "--join", b.genesis)
	succeed(t, "channel", "getinfo", "-c", "orders", "--wait-height", "2")
	bad := filepath.Join(t.TempDir(), "bad.block")
	require.NoError(t, os.WriteFile(bad, []byte("no block"), 0o600))
	one := filepath.Join(t.TempDir(), "one.block")
	succeed(t, "channel", "fetch", "1", "-c", "orders", one)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"join twice":               {[]string{"channel", "join", "-b", b.genesis}, "channel orders is joined already"},
		"join by no block":         {[]string{"channel", "join", "-b", bad}, "it is no block"},
		"join by block 1":          {[]string{"channel", "join", "-b", one}, "not a genesis block"},
		"join by no file":          {[]string{"channel", "join", "-b", bad + "x"}, "no such file"},
		"getinfo of no channel":    {[]string{"channel", "getinfo", "-c", "other"}, `channel "other" is not joined`},
		"status of no channel":     {[]string{"channel", "status", "-c", "other"}, `channel "other" is not joined`},
		"fetch of no channel":      {[]string{"channel", "fetch", "0", "-c", "other"}, `channel "other" is not joined`},
		"fetch of a later block":   {[]string{"channel", "fetch", "2", "-c", "orders"}, "the newest is 1"},
		"fetch to nowhere":         {[]string{"channel", "fetch", "1", "-c", "orders", filepath.Join(bad, "x")}, "write block"},
		"leave no channel":         {[]string{"channel", "leave", "-c", "other"}, `channel "other" is not joined`},
		"the same node once more":  {[]string{"node", "start"}, "in use by another process"},
		"a join file is no block":  {[]string{"node", "start", "--join", bad}, "read genesis block " + bad},
		"a join file that is gone": {[]string{"node", "start", "--join", bad + "x"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(c.args...)
			require.Equal(t, exitError, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.says)
			require.True(t, strings.HasPrefix(stderr, "weft: ") || c.args[0] == "node", stderr)
		})
	}
}

func TestConfigurationThatANodeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"both leader flags":   {map[string]string{"CORE_PEER_GOSSIP_USELEADERELECTION": "true"}, "both true"},
		"unknown variable":    {map[string]string{"CORE_WEFT_LISTENADRESSES": "0.0.0.0:1"}, "CORE_WEFT_LISTENADRESSES"},
		"no MSP":              {map[string]string{"CORE_PEER_MSPCONFIGPATH": "none"}, "peer.mspConfigPath"},
		"another MSP ID":      {map[string]string{"CORE_PEER_LOCALMSPID": ""}, "peer.localMspId"},
		"a bad logging spec":  {map[string]string{"FABRIC_LOGGING_SPEC": "loud"}, `FABRIC_LOGGING_SPEC: logspec: bad logging specification: "loud"`},
		"no core.yaml":        {map[string]string{"FABRIC_CFG_PATH": "none"}, "FABRIC_CFG_PATH"},
		"a foreign interface": {map[string]string{"CORE_WEFT_OPERATIONS_LISTENADDRESS": "192.0.2.1:1"}, "weft.operations.listenAddress"},
	} {
		t.Run(name, func(t *testing.T) {
			newBench(t)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			code, stdout, stderr := execute("node", "start")
			require.Equal(t, exitError, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.says)
		})
	}
}

func TestNodeThatDoesNotRun(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{
		{"channel", "list"}, {"channel", "getinfo", "-c", "orders"}, {"channel", "status", "-c", "orders"}, {"channel", "leave", "-c", "orders"},
		{"channel", "fetch", "0", "-c", "orders"}, {"channel", "join", "-b", b.genesis}, {"peers"}, {"version", "--node"},
	} {
		code, stdout, stderr := execute(args...)
		require.Equal(t, exitError, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "no node answers at "+filepath.Join(b.dir, "data", "admin.sock")+"; start one with")
		_, _, stderr = execute(append(args, "--socket", "/no/such.sock")...)
		require.Contains(t, stderr, "no node answers at /no/such.sock")
	}
	t.Setenv("FABRIC_CFG_PATH", t.TempDir())
	_, _, stderr := execute("peers")
	require.Contains(t, stderr, "or name the socket of the node with --socket")
}

func TestUsageOfNodeCommands(t *testing.T) {
	for name, args := range map[string][]string{
		"no channel":        {"channel", "getinfo"},
		"no genesis block":  {"channel", "join"},
		"no block":          {"channel", "fetch", "-c", "orders"},
		"no number":         {"channel", "fetch", "last", "-c", "orders"},
		"too many":          {"channel", "fetch", "1", "a", "b", "-c", "orders"},
		"an output":         {"peers", "--output", "xml"},
		"a height":          {"channel", "getinfo", "-c", "orders", "--wait-height", "-1"},
		"an argument":       {"channel", "list", "orders"},
		"another argument":  {"node", "start", "now"},
		"version of what":   {"version", "node"},
		"nothing of a node": {"node"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(args...)
			require.Equal(t, exitUsage, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "--help")
		})
	}
}

func TestVersion(t *testing.T) {
	require.Regexp(t, "^weft:\n Version: .+\n Commit SHA: .+\n Go version: go1.+\n OS/Arch: .+/.+\n$", succeed(t, "version"))
	var v admin.Version
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "version", "--output", "json")), &v))
	require.Equal(t, runtime.Version(), v.Go)
}
