// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"maps"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

// Versions of a real configuration update come out again when its result is stripped of them.
func TestUpdateRaisesVersionsAsFabricDid(t *testing.T) {
	before := configOf(t, readBlock(t, "testdata/raft/block-000000.pb"))
	after := configOf(t, readBlock(t, "testdata/raft/block-000017.pb"))
	requireSameVersions(t, before, after)
}

// requireSameVersions makes after from before with Update and compares.
func requireSameVersions(t *testing.T, before, after *common.Config) {
	t.Helper()
	untouched := proto.Clone(before)
	made, err := devnet.Update(before, func(channel *common.ConfigGroup) error {
		proto.Reset(channel)
		proto.Merge(channel, after.GetChannelGroup())
		strip(channel)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, before.GetSequence()+1, made.GetSequence())
	require.True(t, proto.Equal(after, made), "versions differ")
	require.True(t, proto.Equal(untouched, before), "the current configuration was altered")
}

func strip(group *common.ConfigGroup) {
	const wrong = 99
	group.Version = wrong
	for _, v := range group.GetValues() {
		v.Version = wrong
	}
	for _, p := range group.GetPolicies() {
		p.Version = wrong
	}
	for _, g := range group.GetGroups() {
		strip(g)
	}
}

func TestChanges(t *testing.T) {
	org1, org4 := newOrg(t, "Org1"), newOrg(t, "Org4")
	nodes, _ := orderingNodes(t, newOrg(t, "Orderer"), 1)
	genesis, err := devnet.Genesis(devnet.Channel{ID: "mychannel", Orgs: []*devnet.Org{org1}, Orderers: nodes}, start)
	require.NoError(t, err)
	config := configOf(t, genesis)
	require.NoError(t, org1.RotateCA(start))

	// What Fabric changes the version of: element -> version afterwards. Everything else stays at 0.
	for name, c := range map[string]struct {
		change devnet.Change
		raised map[string]uint64
		absent string
	}{
		"add an organization":    {devnet.AddOrg(org4, "127.0.0.1:13051"), map[string]uint64{"Channel/Application": 1}, ""},
		"remove an organization": {devnet.RemoveOrg("Org1"), map[string]uint64{"Channel/Application": 1}, "Channel/Application/Org1"},
		"first anchor":           {devnet.SetAnchors("Org1", "127.0.0.1:7051"), map[string]uint64{"Channel/Application/Org1": 1}, ""},
		"new root":               {devnet.SetMSP(org1), map[string]uint64{"Channel/Application/Org1 V MSP": 1}, ""},
		"new orderer root": {devnet.SetMSP(rotated(t, nodes[0].Org)),
			map[string]uint64{"Channel/Orderer/Orderer V MSP": 1}, ""},
		"batch size": {devnet.SetBatchSize(&orderer.BatchSize{MaxMessageCount: 5}),
			map[string]uint64{"Channel/Orderer V BatchSize": 1}, ""},
		"nothing": {func(*common.ConfigGroup) error { return nil }, map[string]uint64{}, "Channel/Application/Org4"},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := devnet.Update(config, c.change)
			require.NoError(t, err)
			elements := make(map[string]uint64)
			versions("Channel", next.GetChannelGroup(), elements)
			require.NotContains(t, elements, c.absent)
			maps.DeleteFunc(elements, func(_ string, version uint64) bool { return version == 0 })
			require.Equal(t, c.raised, elements)
		})
	}
}

func rotated(t *testing.T, org *devnet.Org) *devnet.Org {
	t.Helper()
	require.NoError(t, org.RotateCA(start))
	return org
}

// versions collects the version of every element.
func versions(path string, group *common.ConfigGroup, out map[string]uint64) {
	out[path] = group.GetVersion()
	for key, v := range group.GetValues() {
		out[path+" V "+key] = v.GetVersion()
	}
	for key, p := range group.GetPolicies() {
		out[path+" P "+key] = p.GetVersion()
	}
	for key, g := range group.GetGroups() {
		versions(path+"/"+key, g, out)
	}
}

func TestChangesOfWhatIsNotThere(t *testing.T) {
	config := configOf(t, readBlock(t, "testdata/raft/block-000000.pb"))
	stranger := newOrg(t, "Org9")
	for name, c := range map[string]struct {
		change devnet.Change
		want   error
	}{
		"remove":  {devnet.RemoveOrg("Org9"), devnet.ErrNoGroup},
		"anchors": {devnet.SetAnchors("Org9", "127.0.0.1:1"), devnet.ErrNoGroup},
		"msp":     {devnet.SetMSP(stranger), devnet.ErrNoGroup},
		"address": {devnet.SetAnchors("Org1MSP", "nowhere"), devnet.ErrChannel},
		"taken":   {devnet.AddOrg(named(stranger, "Org1MSP")), devnet.ErrChannel},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := devnet.Update(config, c.change)
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := devnet.Update(&common.Config{}, devnet.AddOrg(stranger))
	require.ErrorIs(t, err, devnet.ErrNoGroup)
}

func named(org *devnet.Org, name string) *devnet.Org {
	renamed := *org
	renamed.Name = name
	return &renamed
}

func TestConfigEnvelopes(t *testing.T) {
	org := newOrg(t, "Org1")
	nodes, identities := orderingNodes(t, newOrg(t, "Orderer"), 1)
	genesis, err := devnet.Genesis(devnet.Channel{ID: "mychannel", Orgs: []*devnet.Org{org}, Orderers: nodes}, start)
	require.NoError(t, err)
	config := configOf(t, genesis)
	next, err := devnet.Update(config, devnet.SetAnchors("Org1", "127.0.0.1:7051"))
	require.NoError(t, err)

	admin := enroll(t, org, "Admin@org1.example.com", devnet.Admin)
	update, err := devnet.UpdateEnvelope("mychannel", config, next, start, admin, admin)
	require.NoError(t, err)
	requireSigned(t, update, admin, common.HeaderType_CONFIG_UPDATE)
	signed, content := &common.ConfigUpdateEnvelope{}, &common.ConfigUpdate{}
	unmarshalData(t, update, signed)
	require.Len(t, signed.GetSignatures(), 1)
	signature := signed.GetSignatures()[0]
	message := append(signature.GetSignatureHeader(), signed.GetConfigUpdate()...)
	requireVerifies(t, admin, message, signature.GetSignature())
	require.NoError(t, proto.Unmarshal(signed.GetConfigUpdate(), content))
	require.True(t, proto.Equal(config.GetChannelGroup(), content.GetReadSet()))
	require.True(t, proto.Equal(next.GetChannelGroup(), content.GetWriteSet()))

	envelope, err := devnet.ConfigEnvelope("mychannel", next, update, identities[0], start)
	require.NoError(t, err)
	requireSigned(t, envelope, identities[0], common.HeaderType_CONFIG)
	whole := &common.ConfigEnvelope{}
	unmarshalData(t, envelope, whole)
	require.True(t, proto.Equal(next, whole.GetConfig()))
	require.True(t, proto.Equal(update, whole.GetLastUpdate()))

	bare, err := devnet.ConfigEnvelope("mychannel", next, nil, nil, start)
	require.NoError(t, err)
	require.Empty(t, bare.GetSignature())
}
