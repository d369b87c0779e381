// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// recorded is where the chains of a real network lie on the machines that have them.
const recorded = "/work/shared/fabric"

func TestAdopt(t *testing.T) {
	for name, c := range map[string]struct {
		dir, consensus string // asked for
		orderers       int
		want           string
		capability     string
	}{
		"raft stays raft":         {"testdata/raft", "", 1, devnet.Raft, devnet.V2_0},
		"raft to BFT":             {"testdata/raft", devnet.BFT, 4, devnet.BFT, devnet.V3_0},
		"BFT with one consenter":  {"testdata/bft", "", 1, devnet.BFT, devnet.V3_0},
		"BFT to raft, still V3_0": {"testdata/bft", devnet.Raft, 2, devnet.Raft, devnet.V3_0},
	} {
		t.Run(name, func(t *testing.T) {
			recording, err := devnet.ReadTransactions(c.dir)
			require.NoError(t, err)
			before := proto.Clone(recording.Config)
			nodes, identities := orderingNodes(t, newOrg(t, "Orderer"), c.orderers)
			demo := newOrg(t, "Demo")
			genesis, err := devnet.Adopt(recording.Config, devnet.Channel{
				ID: recording.ChannelID, Orgs: []*devnet.Org{demo}, Orderers: nodes, Consensus: c.consensus,
				Anchors: map[string][]string{"DemoMSP": {"127.0.0.1:7061"}}, BatchTimeout: 250 * time.Millisecond,
			}, start)
			require.NoError(t, err)
			require.True(t, proto.Equal(before, recording.Config), "the recorded configuration was altered")

			b, err := channelconfig.FromBlock(genesis)
			require.NoError(t, err)
			require.Equal(t, recording.ChannelID, b.ChannelID())
			require.Equal(t, c.want, b.ConsensusType())
			require.True(t, b.Capability(channelconfig.LevelChannel, c.capability))
			require.EqualValues(t, 10, b.BatchSize().GetMaxMessageCount(), "kept")
			require.Equal(t, 250*time.Millisecond, b.BatchTimeout(), "overridden")
			require.Len(t, b.Orgs(), 4)
			require.Len(t, b.OrdererOrgs(), 1)
			require.Len(t, b.Endpoints(), c.orderers)
			require.NoError(t, b.Member(identity(t, enroll(t, demo, "peer0", devnet.Peer))))
			requireVersionsZero(t, configOf(t, genesis))
			requireKept(t, recording.Config, configOf(t, genesis))

			tx := nextBlock(t, genesis, 0, recordedOrOwn(t, recording, demo))
			signBlock(t, tx, 0, false, identities)
			require.NoError(t, channelconfig.NewVerifier(b, genesis.GetHeader()).Verify(tx))
		})
	}
}

// recordedOrOwn is the first recorded transaction, or a new one where the recording has none.
func recordedOrOwn(t *testing.T, recording *devnet.Recording, org *devnet.Org) *common.Envelope {
	t.Helper()
	if len(recording.Transactions) > 0 {
		return recording.Transactions[0]
	}
	return transaction(t, recording.ChannelID, enroll(t, org, "user1", devnet.Client))
}

func requireVersionsZero(t *testing.T, config *common.Config) {
	t.Helper()
	elements := make(map[string]uint64)
	versions("Channel", config.GetChannelGroup(), elements)
	for element, version := range elements {
		require.Zero(t, version, element)
	}
}

// requireKept checks that every recorded organization has the values and policies that it had.
func requireKept(t *testing.T, recorded, adopted *common.Config) {
	t.Helper()
	orgs := adopted.GetChannelGroup().GetGroups()["Application"].GetGroups()
	for name, before := range recorded.GetChannelGroup().GetGroups()["Application"].GetGroups() {
		for key, value := range before.GetValues() {
			require.Equal(t, value.GetValue(), orgs[name].GetValues()[key].GetValue(), "%s %s", name, key)
		}
		for key, policy := range before.GetPolicies() {
			require.True(t, proto.Equal(policy.GetPolicy(), orgs[name].GetPolicies()[key].GetPolicy()), "%s %s", name, key)
		}
	}
}

func TestAdoptRefuses(t *testing.T) {
	recording, err := devnet.ReadTransactions("testdata/raft")
	require.NoError(t, err)
	nodes, _ := orderingNodes(t, newOrg(t, "Orderer"), 1)
	for name, c := range map[string]struct {
		config *common.Config
		org    *devnet.Org
	}{
		"an MSP ID that is there":    {recording.Config, newOrg(t, "Org1")},
		"a group key that is there":  {recording.Config, named(newOrg(t, "Demo"), "Org1MSP")},
		"the MSP ID of the orderers": {recording.Config, newOrg(t, "Orderer")},
		"an empty configuration":     {&common.Config{}, newOrg(t, "Demo")},
		"a broken value":             {broken(recording.Config), newOrg(t, "Demo")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := devnet.Adopt(c.config, devnet.Channel{ID: "mychannel", Orgs: []*devnet.Org{c.org}, Orderers: nodes}, start)
			require.ErrorIs(t, err, devnet.ErrChannel)
		})
	}
}

func broken(config *common.Config) *common.Config {
	config = proto.Clone(config).(*common.Config)
	config.ChannelGroup.Groups["Orderer"].Values["BatchSize"].Value = []byte{0xff}
	return config
}

// The complete chains of a real network: their newest configuration can be taken over, every version in them follows
// the rule of Update, and their clients are writers unless the configuration revoked them.
func TestAdoptRecordedChains(t *testing.T) {
	for channel, want := range map[string]struct{ transactions, refused int }{
		"mychannel":  {488, 37}, // User2@org1, whom config block 41 revoked
		"bftchannel": {130, 0},
	} {
		t.Run(channel, func(t *testing.T) {
			dir := filepath.Join(recorded, channel)
			if _, err := os.Stat(dir); err != nil {
				t.Skip("no recorded chain at", dir)
			}
			recording, err := devnet.ReadTransactions(dir)
			require.NoError(t, err)
			require.Len(t, recording.Transactions, want.transactions)
			nodes, _ := orderingNodes(t, newOrg(t, "Dev"), 1)
			genesis, err := devnet.Adopt(recording.Config, devnet.Channel{
				ID: recording.ChannelID, Orgs: []*devnet.Org{newOrg(t, "Demo")}, Orderers: nodes,
			}, start)
			require.NoError(t, err)
			b, err := channelconfig.FromBlock(genesis)
			require.NoError(t, err)
			require.Len(t, b.Orgs(), 5)
			require.Equal(t, want.refused, refused(t, b, recording.Transactions))
			requireRecordedVersions(t, dir)
		})
	}
}

// refused counts the transactions that do not satisfy Writers.
func refused(t *testing.T, b *channelconfig.Bundle, txs []*common.Envelope) int {
	t.Helper()
	count := 0
	for _, tx := range txs {
		payload, by := &common.Payload{}, &common.SignatureHeader{}
		require.NoError(t, proto.Unmarshal(tx.GetPayload(), payload))
		require.NoError(t, proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), by))
		signed := []channelconfig.SignedData{{Data: tx.GetPayload(), Identity: by.GetCreator(), Signature: tx.GetSignature()}}
		if b.Evaluate("/Channel/Writers", signed) != nil {
			count++
		}
	}
	return count
}

func requireRecordedVersions(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "block-*.pb"))
	require.NoError(t, err)
	var last *common.Config
	for _, file := range files {
		b := readBlock(t, file)
		if !block.IsConfig(b) {
			continue
		}
		config := configOf(t, b)
		if last != nil {
			requireSameVersions(t, last, config)
		}
		last = config
	}
}
