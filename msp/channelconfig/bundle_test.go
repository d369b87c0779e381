// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func TestRecordedRaftConfiguration(t *testing.T) {
	b, err := channelconfig.FromBlock(recorded(t, "mychannel/block-000048.pb"))
	require.NoError(t, err)
	require.Equal(t, "mychannel", b.ChannelID())
	require.EqualValues(t, 48, b.Number())
	require.EqualValues(t, 4, b.Sequence())
	require.Equal(t, "etcdraft", b.ConsensusType())
	require.Empty(t, b.Consenters())
	require.Equal(t, time.Second, b.BatchTimeout())
	require.EqualValues(t, 5, b.BatchSize().GetMaxMessageCount())
	require.True(t, b.Capability(channelconfig.LevelChannel, "V2_0"))
	require.True(t, b.Capability(channelconfig.LevelApplication, "V2_5"))
	require.False(t, b.Capability(channelconfig.LevelChannel, "V3_0"))
	require.False(t, b.Capability("nowhere", "V2_0"))

	require.Len(t, b.Orgs(), 4)
	for i, want := range []struct {
		mspID string
		port  int
	}{{"Org1MSP", 7051}, {"Org2MSP", 9051}, {"Org3MSP", 11051}, {"Org4MSP", 13051}} {
		org := b.Orgs()[i]
		require.Equal(t, want.mspID, org.MSPID)
		require.Equal(t, want.mspID, org.MSP.ID())
		require.Equal(t, msp.V1_4_3, org.MSP.Version())
		require.Equal(t, []channelconfig.Anchor{{Host: "127.0.0.1", Port: want.port}}, org.Anchors)
		require.Same(t, org.MSP, b.MSP(want.mspID))
	}
	require.Len(t, b.OrdererOrgs(), 1)
	require.Equal(t, "OrdererMSP", b.OrdererOrgs()[0].MSPID)
	require.Nil(t, b.MSP("Org5MSP"))
	require.Equal(t, b.OrdererOrgs()[0].Endpoints[0], b.Endpoints()[0].Address)
	require.Equal(t, "OrdererMSP", b.Endpoints()[0].MSPID)
	require.NotEmpty(t, b.Endpoints()[0].TLSRoots)
}

func TestRecordedBFTConfiguration(t *testing.T) {
	b, err := channelconfig.FromBlock(recorded(t, "bftchannel/block-000000.pb"))
	require.NoError(t, err)
	require.Equal(t, "bftchannel", b.ChannelID())
	require.Equal(t, "BFT", b.ConsensusType())
	require.True(t, b.Capability(channelconfig.LevelChannel, "V3_0"))
	require.Equal(t, msp.V3_0, b.MSP("OrdererMSP").Version())
	require.Len(t, b.Consenters(), 4)
	require.Len(t, b.Endpoints(), 4)
}

func TestFromBlockRefusesOtherBlocks(t *testing.T) {
	genesis := recorded(t, "mychannel/block-000000.pb")
	tx := genesis.GetData().GetData()[0]
	for name, b := range map[string]*common.Block{
		"nil":              nil,
		"no header":        {Data: genesis.GetData()},
		"no data":          {Header: genesis.GetHeader()},
		"two transactions": {Header: genesis.GetHeader(), Data: &common.BlockData{Data: [][]byte{tx, tx}}},
		"transactions":     recorded(t, "mychannel/block-000001.pb"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := channelconfig.FromBlock(b)
			require.ErrorIs(t, err, channelconfig.ErrNotConfig)
		})
	}
}

func TestFromBlockRefusesOversize(t *testing.T) {
	b := recorded(t, "mychannel/block-000000.pb")
	tx := &common.Envelope{}
	require.NoError(t, proto.Unmarshal(b.GetData().GetData()[0], tx))
	tx.Signature = make([]byte, channelconfig.MaxConfigSize)
	b.Data.Data[0] = marshal(tx)
	_, err := channelconfig.FromBlock(b)
	require.ErrorIs(t, err, channelconfig.ErrConfig)
	require.ErrorContains(t, err, "the limit is")
}

func TestInvalidConfigurations(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	orderer := func(root *common.ConfigGroup) *common.ConfigGroup { return root.Groups["Orderer"] }
	application := func(root *common.ConfigGroup) *common.ConfigGroup { return root.Groups["Application"] }
	tests := map[string]struct {
		alter func(root *common.ConfigGroup)
		want  string // empty: valid
	}{
		"unaltered":                      {func(*common.ConfigGroup) {}, ""},
		"unknown value":                  {func(g *common.ConfigGroup) { set(g, "Novelty", nil) }, "unknown value /Channel/Novelty"},
		"unknown in orderer":             {func(g *common.ConfigGroup) { set(orderer(g), "ACLs", nil) }, "unknown value /Channel/Orderer/ACLs"},
		"unknown in org":                 {func(g *common.ConfigGroup) { set(application(g).Groups["Org1"], "Endpoints", nil) }, "unknown value /Channel/Application/Org1/Endpoints"},
		"value not protobuf":             {func(g *common.ConfigGroup) { g.Values["Capabilities"].Value = []byte{0xff} }, "value /Channel/Capabilities"},
		"old values":                     {func(g *common.ConfigGroup) { set(g, "Consortium", nil); set(orderer(g), "KafkaBrokers", nil) }, ""},
		"hashing algorithm":              {func(g *common.ConfigGroup) { set(g, "HashingAlgorithm", &common.HashingAlgorithm{Name: "MD5"}) }, `"MD5"`},
		"other hashing":                  {func(g *common.ConfigGroup) { set(g, "HashingAlgorithm", &common.HashingAlgorithm{Name: "SHA3_256"}) }, ""},
		"orderers of the channel":        {func(g *common.ConfigGroup) { set(g, "Orderers", &common.Orderers{}) }, ""},
		"no capabilities of the orderer": {func(g *common.ConfigGroup) { delete(orderer(g).Values, "Capabilities") }, "none in /Channel/Orderer"},
		"capabilities of the application only": {func(g *common.ConfigGroup) {
			delete(g.Values, "Capabilities")
			delete(orderer(g).Values, "Capabilities")
		}, "none in /Channel/Orderer"},
		"ACLs": {func(g *common.ConfigGroup) { set(application(g), "ACLs", &peer.ACLs{}) }, ""},
		"ACLs without the capability": {func(g *common.ConfigGroup) {
			set(application(g), "ACLs", &peer.ACLs{})
			set(application(g), "Capabilities", capabilities("V1_1"))
		}, "ACLs, which need"},
		"no hashing": {func(g *common.ConfigGroup) { delete(g.Values, "HashingAlgorithm") }, "hashing algorithm"},
		"hashing width": {func(g *common.ConfigGroup) {
			set(g, "BlockDataHashingStructure", &common.BlockDataHashingStructure{Width: 2})
		}, "width 2"},
		"no width":             {func(g *common.ConfigGroup) { delete(g.Values, "BlockDataHashingStructure") }, "width 0"},
		"unknown capability":   {func(g *common.ConfigGroup) { set(g, "Capabilities", capabilities("V9_0")) }, `"V9_0" is not known`},
		"no orderer group":     {func(g *common.ConfigGroup) { delete(g.Groups, "Orderer") }, "no group /Channel/Orderer"},
		"no application":       {func(g *common.ConfigGroup) { delete(g.Groups, "Application") }, "no group /Channel/Application"},
		"system channel":       {func(g *common.ConfigGroup) { g.Groups["Consortiums"] = &common.ConfigGroup{} }, "group /Channel/Consortiums"},
		"no policy for blocks": {func(g *common.ConfigGroup) { delete(orderer(g).Policies, "BlockValidation") }, "no policy /Channel/Orderer/BlockValidation"},
		"no batch size":        {func(g *common.ConfigGroup) { delete(orderer(g).Values, "BatchSize") }, "batch size"},
		"no batch timeout":     {func(g *common.ConfigGroup) { delete(orderer(g).Values, "BatchTimeout") }, "batch timeout"},
		"no MSP":               {func(g *common.ConfigGroup) { delete(application(g).Groups["Org1"].Values, "MSP") }, "/Channel/Application/Org1"},
		"MSP type":             {func(g *common.ConfigGroup) { set(application(g).Groups["Org1"], "MSP", &mspproto.MSPConfig{Type: 2}) }, "MSP type 2"},
		"MSP not protobuf": {func(g *common.ConfigGroup) {
			set(application(g).Groups["Org1"], "MSP", &mspproto.MSPConfig{Config: []byte{0xff}})
		}, "Org1: MSP"},
		"Idemix organization": {func(g *common.ConfigGroup) { set(application(g).Groups["Org1"], "MSP", &mspproto.MSPConfig{Type: 1}) }, ""},
		"org with groups": {func(g *common.ConfigGroup) {
			application(g).Groups["Org1"].Groups = map[string]*common.ConfigGroup{"X": {}}
		}, "Org1 has groups"},
		"MSP defined twice": {func(g *common.ConfigGroup) {
			other := n.org("Org1").MSPConfig()
			set(application(g).Groups["Org2"], "MSP", &mspproto.MSPConfig{Config: marshal(other)})
		}, `MSP ID "Org1MSP" is defined a second time`},
		"MSP used twice": {func(g *common.ConfigGroup) {
			application(g).Groups["Orderer"] = proto.Clone(withoutEndpoints(orderer(g).Groups["Orderer"])).(*common.ConfigGroup)
		}, ""},
		"invalid policy": {func(g *common.ConfigGroup) {
			g.Policies["Readers"] = &common.ConfigPolicy{}
		}, "/Channel/Readers: the policy is empty"},
		"name of a group": {func(g *common.ConfigGroup) { application(g).Groups["a/b"] = &common.ConfigGroup{} }, `name "a/b" in /Channel/Application`},
		"name of a policy": {func(g *common.ConfigGroup) {
			g.Policies["a b"] = &common.ConfigPolicy{}
		}, `name "a b"`},
		"name of a value":              {func(g *common.ConfigGroup) { set(g, "", nil) }, `name ""`},
		"many elements":                {func(g *common.ConfigGroup) { fill(application(g), 30_000) }, ""},
		"global addresses before V3_0": {func(g *common.ConfigGroup) { set(g, "OrdererAddresses", addresses("a:1")) }, ""},
		"V3_0 with global addresses": {func(g *common.ConfigGroup) {
			set(g, "Capabilities", capabilities("V3_0"))
			set(g, "OrdererAddresses", addresses("a:1"))
		}, "which capability V3_0 forbids"},
		"V3_0 without endpoints": {func(g *common.ConfigGroup) {
			set(g, "Capabilities", capabilities("V3_0"))
			withoutEndpoints(orderer(g).Groups["Orderer"])
		}, "names no endpoints"},
		"endpoints before V1_4_2": {func(g *common.ConfigGroup) {
			set(g, "Capabilities", capabilities("V1_3"))
			set(g, "OrdererAddresses", addresses("a:1"))
		}, "needs channel capability V1_4_2"},
		"no addresses before V1_4_2": {func(g *common.ConfigGroup) {
			set(g, "Capabilities", capabilities("V1_3"))
			withoutEndpoints(orderer(g).Groups["Orderer"])
		}, "no orderer addresses"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := channelconfig.New(channelID, 0, n.altered(tt.alter))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, channelconfig.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestInvalidChannelIDs(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	for _, id := range []string{"", "Channel", "1channel", "a channel", "a/b", string(make([]byte, 250))} {
		_, err := channelconfig.New(id, 0, n.bundle().Config())
		require.ErrorIs(t, err, channelconfig.ErrConfig, "%q", id)
	}
	_, err := channelconfig.New("x", 0, nil)
	require.ErrorIs(t, err, channelconfig.ErrConfig)
}

// The MSP version follows from the highest channel capability.
func TestMSPVersions(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	for capability, want := range map[string]msp.Version{
		"V1_1": msp.V1_1, "V1_3": msp.V1_3, "V1_4_2": msp.V1_3, "V1_4_3": msp.V1_4_3, "V2_0": msp.V1_4_3, "V3_0": msp.V3_0, "": msp.V1_0,
	} {
		t.Run(capability, func(t *testing.T) {
			c := n.altered(func(g *common.ConfigGroup) {
				set(g, "Capabilities", capabilities("V1_1", capability))
				if capability == "" {
					delete(g.Values, "Capabilities")
				}
				if want < msp.V1_4_3 && capability != "V1_4_2" {
					withoutEndpoints(g.Groups["Orderer"].Groups["Orderer"])
					set(g, "OrdererAddresses", addresses("a:1"))
				}
			})
			b, err := channelconfig.New(channelID, 0, c)
			require.NoError(t, err)
			require.Equal(t, want, b.MSP("Org1MSP").Version())
		})
	}
}

func TestEndpoints(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	second := n.org("Second")
	group, err := devnet.OrdererOrgGroup(second, "second:1", "second:2")
	require.NoError(t, err)
	twoOrgs := func(g *common.ConfigGroup) {
		g.Groups["Orderer"].Groups["Second"] = proto.Clone(group).(*common.ConfigGroup)
		set(g, "OrdererAddresses", addresses("global:1", "global:2"))
	}
	roots := [][]byte{n.ordering.TLSRoot(), second.TLSRoot()}
	tests := map[string]struct {
		alter func(*common.ConfigGroup)
		want  []channelconfig.Endpoint
	}{
		"one organization's are enough": {func(g *common.ConfigGroup) {
			twoOrgs(g)
			withoutEndpoints(g.Groups["Orderer"].Groups["Orderer"])
		}, []channelconfig.Endpoint{
			{Address: "second:1", MSPID: "SecondMSP", TLSRoots: roots[1:]},
			{Address: "second:2", MSPID: "SecondMSP", TLSRoots: roots[1:]},
		}},
		"global": {func(g *common.ConfigGroup) {
			twoOrgs(g)
			withoutEndpoints(g.Groups["Orderer"].Groups["Orderer"])
			withoutEndpoints(g.Groups["Orderer"].Groups["Second"])
		}, []channelconfig.Endpoint{{Address: "global:1", TLSRoots: roots}, {Address: "global:2", TLSRoots: roots}}},
		"none": {func(g *common.ConfigGroup) {
			withoutEndpoints(g.Groups["Orderer"].Groups["Orderer"])
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := channelconfig.New(channelID, 0, n.altered(tt.alter))
			require.NoError(t, err)
			require.Equal(t, tt.want, b.Endpoints())
		})
	}
}

func set(g *common.ConfigGroup, name string, value proto.Message) {
	v := &common.ConfigValue{}
	if value != nil {
		v.Value = marshal(value)
	}
	g.Values[name] = v
}

func capabilities(names ...string) *common.Capabilities {
	c := &common.Capabilities{Capabilities: map[string]*common.Capability{}}
	for _, name := range names {
		if name != "" {
			c.Capabilities[name] = &common.Capability{}
		}
	}
	return c
}

func addresses(a ...string) *common.OrdererAddresses { return &common.OrdererAddresses{Addresses: a} }

func withoutEndpoints(org *common.ConfigGroup) *common.ConfigGroup {
	delete(org.Values, "Endpoints")
	return org
}

// fill adds copies of a group's policy.
func fill(g *common.ConfigGroup, policies int) {
	for i := range policies {
		g.Policies[fmt.Sprint("Copy", i)] = g.Policies["Readers"]
	}
}
