// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// samples describes the network whose genesis blocks are in testdata, with the group keys that its configtx.yaml used.
func samples(t *testing.T, consensus string, orderers int) devnet.Channel {
	t.Helper()
	c := devnet.Channel{
		ID: "mychannel", Consensus: consensus,
		Anchors: map[string][]string{"Org1MSP": {"127.0.0.1:7051"}, "Org2MSP": {"127.0.0.1:9051"}},
	}
	for _, name := range []string{"Org1", "Org2", "Org3"} {
		org := newOrg(t, name)
		org.Name = org.MSPID
		c.Orgs = append(c.Orgs, org)
	}
	org := newOrg(t, "Orderer")
	org.Name = "OrdererOrg"
	c.Orderers, _ = orderingNodes(t, org, orderers)
	return c
}

// A genesis block has the very groups, values, policies, modification policies and versions that Fabric's configtxgen
// wrote for the same network.
func TestGenesisHasTheShapeOfFabrics(t *testing.T) {
	for name, c := range map[string]struct {
		consensus string
		orderers  int
		file      string
	}{
		"raft": {devnet.Raft, 1, "testdata/raft/block-000000.pb"},
		"BFT":  {devnet.BFT, 4, "testdata/bft/block-000000.pb"},
	} {
		t.Run(name, func(t *testing.T) {
			real := readBlock(t, c.file)
			made, err := devnet.Genesis(samples(t, c.consensus, c.orderers), start)
			require.NoError(t, err)
			want, got := shape(t, "Channel", configOf(t, real)), shape(t, "Channel", configOf(t, made))
			require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
			for element, description := range want {
				require.Equal(t, description, got[element], element)
			}
			require.Equal(t, real.GetMetadata().GetMetadata(), made.GetMetadata().GetMetadata())
		})
	}
}

func TestGenesisBlock(t *testing.T) {
	b, err := devnet.Genesis(samples(t, devnet.Raft, 2), start)
	require.NoError(t, err)
	require.Zero(t, b.GetHeader().GetNumber())
	require.Empty(t, b.GetHeader().GetPreviousHash())
	require.Equal(t, block.DataHash(b.GetData()), b.GetHeader().GetDataHash())
	require.True(t, block.IsConfig(b))
	require.NoError(t, block.WellFormed(b.GetData()))

	envelope, payload, header := open(t, b.GetData().GetData()[0])
	by := &common.SignatureHeader{}
	require.NoError(t, proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), by))
	sum := sha256.Sum256(append(by.GetNonce(), by.GetCreator()...))
	require.Equal(t, hex.EncodeToString(sum[:]), header.GetTxId())
	require.Equal(t, "mychannel", header.GetChannelId())
	require.Equal(t, start, header.GetTimestamp().AsTime())
	require.EqualValues(t, 1, header.GetVersion())
	require.Empty(t, envelope.GetSignature())
	require.Empty(t, by.GetCreator())
	require.Zero(t, configOf(t, b).GetSequence())
}

func TestGenesisRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*devnet.Channel){
		"channel name":     func(c *devnet.Channel) { c.ID = "My Channel" },
		"no orderer":       func(c *devnet.Channel) { c.Orderers = nil },
		"consensus type":   func(c *devnet.Channel) { c.Consensus = "solo" },
		"capability":       func(c *devnet.Channel) { c.Capability = "V1_1" },
		"batch timeout":    func(c *devnet.Channel) { c.BatchTimeout = -time.Second },
		"anchor":           func(c *devnet.Channel) { c.Anchors["Org1MSP"] = []string{"127.0.0.1:66000"} },
		"address":          func(c *devnet.Channel) { c.Orderers[0].Address = "127.0.0.1" },
		"two MSPs of name": func(c *devnet.Channel) { c.Orgs[1].MSPID = c.Orgs[0].MSPID },
		"group key twice":  func(c *devnet.Channel) { c.Orgs[1].Name = c.Orgs[0].Name },
	} {
		t.Run(name, func(t *testing.T) {
			c := samples(t, devnet.Raft, 1)
			spoil(&c)
			_, err := devnet.Genesis(c, start)
			require.ErrorIs(t, err, devnet.ErrChannel)
		})
	}
}

func TestQuorum(t *testing.T) {
	want := []int{1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11} // inventory 3.5
	for i, q := range want {
		require.Equal(t, q, devnet.Quorum(i+1), "%d consenters", i+1)
	}
}
