// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

// A stock core.yaml of Fabric 3.1 starts a peer as it is.
func TestStock(t *testing.T) {
	_, values := stock(t)
	dir := folder(t, nested(t, values))
	c, err := coreyaml.Load(coreyaml.Options{Dir: dir})
	require.NoError(t, err)

	require.Equal(t, filepath.Join(dir, "core.yaml"), c.File)
	require.Equal(t, "jdoe", c.ID)
	require.Equal(t, "SampleOrg", c.MSPID)
	require.Equal(t, filepath.Join(dir, "msp"), c.MSPPath)
	require.Equal(t, "/var/hyperledger/production/weft", c.DataDir())
	require.Equal(t, coreyaml.Static, c.LeaderMode())
	require.Equal(t, "disabled", c.MetricsProvider)
	require.Equal(t, "127.0.0.1:9543", c.Operations.ListenAddress, "9443 is the stock peer's")
	require.Equal(t, []string{"/ip4/0.0.0.0/tcp/7061", "/ip4/0.0.0.0/udp/7061/quic-v1"}, c.ListenAddresses)
	require.Empty(t, c.Bootstrap)
	require.Empty(t, c.Endpoint)
	require.Empty(t, c.Deliver.ClientCert)
	require.Equal(t, 25*time.Second, c.Gossip.AliveExpirationTimeout)
	require.Equal(t, time.Hour, c.Deliver.ReconnectBackoffThreshold)

	require.Equal(t, 3, c.Gossip.PropagatePeerNum)

	require.Len(t, c.Warnings, 1, "of the static leader")
	require.Contains(t, c.Warnings[0], "peer.gossip.orgLeader")
	require.Contains(t, c.Warnings[0], "peer.gossip.useLeaderElection")
	notes := strings.Join(c.Notes, "\n")
	for _, key := range []string{"peer.gossip.bootstrap: no effect here; ", "peer.networkId: ", "operations.listenAddress", "chaincode: ", "peer.BCCSP: "} {
		require.Contains(t, notes, key)
	}
	require.NotContains(t, notes, "peer.gossip.endpoint", "it is empty")
	require.NotContains(t, notes, "propagatePeerNum", "it has an effect")
	require.NotContains(t, notes, "weft.dataDir,")
	require.Less(t, len(c.Notes), 30, "they are grouped")
}

// Every key of Fabric is known as a variable too, as are those of older versions and of its code.
func TestEveryKeyOfFabric(t *testing.T) {
	keys, values := stock(t)
	older := []string{"chaincode.car.runtime", "ledger.state.couchDBConfig.warmIndexesAfterNBlocks", "peer.adminService", "peer.gomaxprocs",
		"peer.chaincodeListenAddress", "peer.gossip.state.channelSize", "peer.tls.serverhostoverride", "logging.level", "peer.gossip.skipHandshake"}
	dir := folder(t, "")
	for _, key := range append(keys, older...) {
		env := "CORE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "="
		if v := values[key]; v != nil {
			env += v.Value
		}
		_, err := coreyaml.Load(coreyaml.Options{Dir: dir, Env: []string{env}})
		require.NotErrorIs(t, err, coreyaml.ErrUnknown, key)
	}
}

// The key decides on BFT channels, so it is no note.
func TestDeliveryPolicy(t *testing.T) {
	c := mustLoad(t, "", "CORE_PEER_DELIVERYCLIENT_POLICY=simple")
	require.Equal(t, "simple", c.Deliver.Policy)
	require.Empty(t, c.Notes)
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, "")
	require.Equal(t, coreyaml.Dynamic, c.LeaderMode())
	require.Equal(t, "prometheus", c.MetricsProvider)
	require.Equal(t, 300, c.FullMesh)
	require.Equal(t, 64, c.Members)
	require.Empty(t, c.Notes)
	require.Empty(t, c.Warnings)
	require.Equal(t, coreyaml.Gossip{
		AliveTimeInterval: 5 * time.Second, AliveExpirationTimeout: 25 * time.Second, MsgExpirationFactor: 20,
		Election: coreyaml.Election{StartupGracePeriod: 15 * time.Second, MembershipSampleInterval: time.Second,
			LeaderAliveThreshold: 10 * time.Second, LeaderElectionDuration: 5 * time.Second,
			Turn: 500 * time.Millisecond, LeaderBeat: time.Second, Pullers: 1,
			Settle: 500 * time.Millisecond, MaxLag: 256, MaxLagTime: 10 * time.Second, LookAfter: 30 * time.Second},
	}, c.Gossip)
}

func TestFind(t *testing.T) {
	here, there := folder(t, "peer: {id: here}"), folder(t, "peer: {id: there}")
	t.Chdir(here)
	const mspID = "CORE_PEER_LOCALMSPID=Org1MSP"
	for name, c := range map[string]struct {
		o    coreyaml.Options
		want string
	}{
		"working directory": {coreyaml.Options{Env: []string{mspID}}, "here"},
		"FABRIC_CFG_PATH":   {coreyaml.Options{Env: []string{mspID, "FABRIC_CFG_PATH=" + there}}, "there"},
		"an empty one":      {coreyaml.Options{Env: []string{mspID, "FABRIC_CFG_PATH="}}, "here"},
		"Dir goes before":   {coreyaml.Options{Env: []string{mspID, "FABRIC_CFG_PATH=" + here}, Dir: there}, "there"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := coreyaml.Load(c.o)
			require.NoError(t, err)
			require.Equal(t, c.want, got.ID)
			require.True(t, filepath.IsAbs(got.File))
		})
	}
}

func TestNotFound(t *testing.T) {
	empty := t.TempDir()
	_, err := coreyaml.Load(coreyaml.Options{Env: []string{"FABRIC_CFG_PATH=" + empty}})
	require.ErrorIs(t, err, coreyaml.ErrNotFound)
	require.ErrorContains(t, err, empty)
	require.ErrorContains(t, err, "FABRIC_CFG_PATH")

	t.Chdir(empty)
	_, err = coreyaml.Load(coreyaml.Options{})
	require.ErrorIs(t, err, coreyaml.ErrNotFound)
	require.ErrorContains(t, err, "/etc/hyperledger/fabric")
}

// A command that talks to a peer finds its data directory whatever else is wrong.
func TestFindDataDir(t *testing.T) {
	dir := folder(t, "nonsense: 1\npeer: {mspConfigPath: nowhere, fileSystemPath: data}")
	got, err := coreyaml.FindDataDir(coreyaml.Options{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "data/weft"), got)

	got, err = coreyaml.FindDataDir(coreyaml.Options{Dir: dir, Env: []string{"CORE_WEFT_DATADIR=own"}})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "own"), got)

	_, err = coreyaml.FindDataDir(coreyaml.Options{Dir: folder(t, "weft: {dataDir: [1]}")})
	require.ErrorIs(t, err, coreyaml.ErrInvalid)
	_, err = coreyaml.FindDataDir(coreyaml.Options{Dir: t.TempDir()})
	require.ErrorIs(t, err, coreyaml.ErrNotFound)
}

// docs/configuration.md lists the keys that have an effect, and no others.
func TestDocumentedKeys(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	var documented []string
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			key, _, _ := strings.Cut(rest, "`")
			documented = append(documented, key)
		}
	}
	require.ElementsMatch(t, coreyaml.Keys(), documented)
}

func TestImpatientElectionIsAWarning(t *testing.T) {
	c := mustLoad(t, "peer: {gossip: {aliveTimeInterval: 6s}}")
	require.Len(t, c.Warnings, 1)
	require.Contains(t, c.Warnings[0], "leaderAliveThreshold is 10s, below twice peer.gossip.aliveTimeInterval (6s)")
	c = mustLoad(t, "peer: {gossip: {aliveTimeInterval: 5s}}\nweft: {election: {settle: 1s, maxLag: 9, maxLagTime: 3s, turn: 2s, leaderBeat: 4s, pullers: 2, lookAfter: 1m}}")
	require.Empty(t, c.Warnings)
	e := c.Gossip.Election
	require.Equal(t, []any{time.Second, 9, 3 * time.Second}, []any{e.Settle, e.MaxLag, e.MaxLagTime})
	require.Equal(t, []any{2 * time.Second, 4 * time.Second, 2, time.Minute}, []any{e.Turn, e.LeaderBeat, e.Pullers, e.LookAfter})
}
