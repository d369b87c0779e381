// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

var smallBatch = devnet.SetBatchSize(&orderer.BatchSize{MaxMessageCount: 7, AbsoluteMaxBytes: 1000, PreferredMaxBytes: 1000})

// A configuration block needs the signatures that the configuration in force asks of whoever changes it: the orderers alone
// cannot change a channel.
func TestConfigBlockNeedsItsAdministrators(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	newcomer := n.org("Newcomer")
	admin := func(org *devnet.Org) devnet.Signer { return n.enroll(org, "admin", devnet.Admin) }
	org1, org2, ordering := admin(n.org1), admin(n.org2), admin(n.ordering)
	peer := devnet.Signer(n.enroll(n.org1, "peer0", devnet.Peer))
	tests := map[string]struct {
		change devnet.Change
		by     []devnet.Signer
		want   string // empty: accepted
	}{
		"an organization by all":             {devnet.AddOrg(newcomer), []devnet.Signer{org1, org2}, ""},
		"an organization by half":            {devnet.AddOrg(newcomer), []devnet.Signer{org1}, "/Channel/Application/Admins"},
		"an organization by one, repeated":   {devnet.AddOrg(newcomer), []devnet.Signer{org1, org1, org1}, "/Channel/Application/Admins"},
		"an organization by the orderers":    {devnet.AddOrg(newcomer), []devnet.Signer{ordering}, "/Channel/Application/Admins"},
		"an organization by itself":          {devnet.AddOrg(newcomer), []devnet.Signer{admin(newcomer), org1}, "/Channel/Application/Admins"},
		"an organization by nobody":          {devnet.AddOrg(newcomer), nil, "/Channel/Application/Admins"},
		"the batch size by its own":          {smallBatch, []devnet.Signer{ordering}, ""},
		"the batch size by the others":       {smallBatch, []devnet.Signer{org1, org2}, "/Channel/Orderer/Admins"},
		"anchors by a peer":                  {devnet.SetAnchors("Org1", "a:1"), []devnet.Signer{peer}, "/Channel/Application/Org1/Admins"},
		"anchors by another":                 {devnet.SetAnchors("Org1", "a:1"), []devnet.Signer{org2}, "/Channel/Application/Org1/Admins"},
		"anchors by its own":                 {devnet.SetAnchors("Org1", "a:1"), []devnet.Signer{org1}, ""},
		"nothing":                            {func(*common.ConfigGroup) error { return nil }, []devnet.Signer{org1, org2, ordering}, "changes nothing"},
		"an organization leaves, by all":     {devnet.RemoveOrg("Org2"), []devnet.Signer{org1, org2}, ""},
		"an organization is thrown out, one": {devnet.RemoveOrg("Org2"), []devnet.Signer{org1}, "/Channel/Application/Admins"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := n.verifier()
			err := v.Verify(n.configBy(v, channelID, n.update(n.bundle(), tt.change), tt.by...))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, channelconfig.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// The update in a configuration block leads from the configuration in force to the one in the block, and nowhere else.
func TestLastUpdate(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	next := n.update(n.bundle(), smallBatch)
	size := func(g *common.ConfigGroup) *common.ConfigValue { return g.Groups["Orderer"].Values["BatchSize"] }
	tests := map[string]struct {
		alter func(*common.ConfigUpdate)
		want  string // empty: accepted
	}{
		"as it is":           {func(*common.ConfigUpdate) {}, ""},
		"for another":        {func(u *common.ConfigUpdate) { u.ChannelId = "another" }, `for channel "another"`},
		"read too old":       {func(u *common.ConfigUpdate) { u.ReadSet.Version++ }, "has read version 1 of /Channel"},
		"read a value wrong": {func(u *common.ConfigUpdate) { size(u.ReadSet).Version = 3 }, "has read version 3 of value /Channel/Orderer/BatchSize"},
		"read a policy wrong": {func(u *common.ConfigUpdate) {
			u.ReadSet.Policies["Readers"].Version = 3
		}, "has read version 3 of policy /Channel/Readers"},
		"read a group that is not there": {func(u *common.ConfigUpdate) {
			u.ReadSet.Groups["Orderer"].Groups["X"] = &common.ConfigGroup{}
		}, "has read /Channel/Orderer/X"},
		"read a value that is not there":  {func(u *common.ConfigUpdate) { set(u.ReadSet, "X", nil) }, "has read value /Channel/X"},
		"read nothing, written all again": {func(u *common.ConfigUpdate) { u.ReadSet = nil }, "changed to version 0, the next is 1"},
		"read less than is written": {func(u *common.ConfigUpdate) {
			delete(u.ReadSet.Groups["Orderer"].Values, "BatchSize")
		}, ""},
		"least of all": {func(u *common.ConfigUpdate) {
			order := &common.ConfigGroup{Values: map[string]*common.ConfigValue{"BatchSize": size(u.WriteSet)}}
			u.WriteSet = &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": order}}
			u.ReadSet = &common.ConfigGroup{Groups: map[string]*common.ConfigGroup{"Orderer": {}}}
		}, ""},
		"written nothing":        {func(u *common.ConfigUpdate) { u.WriteSet = nil }, "changes nothing"},
		"version left out":       {func(u *common.ConfigUpdate) { size(u.WriteSet).Version = 2 }, "version 2, the next is 1"},
		"no modification policy": {func(u *common.ConfigUpdate) { size(u.WriteSet).ModPolicy = "" }, "no modification policy"},
		"bad modification policy": {func(u *common.ConfigUpdate) {
			size(u.WriteSet).ModPolicy = "/Channel//Admins"
		}, "a modification policy"},
		"other modification policy": {func(u *common.ConfigUpdate) { size(u.WriteSet).ModPolicy = "/Channel/Admins" }, "another configuration"},
		"other value":               {func(u *common.ConfigUpdate) { size(u.WriteSet).Value = nil }, "another configuration"},
		"new element not at 0": {func(u *common.ConfigUpdate) {
			u.WriteSet.Groups["X"] = &common.ConfigGroup{Version: 1, ModPolicy: "Admins"}
		}, "version 1, it must be 0"},
		"new element out of reach": {func(u *common.ConfigUpdate) {
			u.WriteSet.Groups["X"] = &common.ConfigGroup{ModPolicy: "Admins"}
		}, ""},
		"bad name": {func(u *common.ConfigUpdate) { u.WriteSet.Groups["a b"] = &common.ConfigGroup{} }, `name "a b"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := n.verifier()
			u := &common.ConfigUpdate{
				ChannelId: channelID,
				ReadSet:   proto.Clone(v.Bundle().Config().GetChannelGroup()).(*common.ConfigGroup),
				WriteSet:  proto.Clone(next.GetChannelGroup()).(*common.ConfigGroup),
			}
			tt.alter(u)
			envelope, err := devnet.SignUpdate(u, time.Now(), nil, n.admins()...)
			require.NoError(t, err)
			err = v.Verify(n.configFor(v, channelID, next, envelope))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, channelconfig.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLastUpdateIsNoUpdate(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	v := n.verifier()
	next := n.update(n.bundle(), smallBatch)
	header := marshal(&common.ChannelHeader{Type: int32(common.HeaderType_CONFIG_UPDATE)})
	payload := func(header, data []byte) *common.Envelope {
		return &common.Envelope{Payload: marshal(&common.Payload{Header: &common.Header{ChannelHeader: header}, Data: data})}
	}
	badSignature := marshal(&common.ConfigUpdateEnvelope{
		ConfigUpdate: marshal(&common.ConfigUpdate{ChannelId: channelID}),
		Signatures:   []*common.ConfigSignature{{SignatureHeader: []byte{0xff}}},
	})
	for name, e := range map[string]*common.Envelope{
		"none":                          nil,
		"empty":                         {},
		"payload not protobuf":          {Payload: []byte{0xff}},
		"header not protobuf":           payload([]byte{0xff}, nil),
		"another type":                  payload(nil, nil),
		"envelope not protobuf":         payload(header, []byte{0xff}),
		"update not protobuf":           payload(header, marshal(&common.ConfigUpdateEnvelope{ConfigUpdate: []byte{0xff}})),
		"signature header not protobuf": payload(header, badSignature),
	} {
		require.ErrorIs(t, v.Verify(n.configFor(v, channelID, next, e)), channelconfig.ErrConfig, name)
	}
}

// What no update may change, whoever signs it.
func TestForbiddenTransitions(t *testing.T) {
	tests := map[string]struct {
		first, change func(*common.ConfigGroup)
		want          string // empty: allowed
	}{
		"consensus type": {nil, func(g *common.ConfigGroup) {
			set(g.Groups["Orderer"], "ConsensusType", &orderer.ConsensusType{Type: "BFT"})
		}, ""},
		"consensus type before V1_4_2": {func(g *common.ConfigGroup) {
			delete(g.Values, "Capabilities")
			set(g, "OrdererAddresses", addresses("a:1"))
			org := withoutEndpoints(g.Groups["Orderer"].Groups["Orderer"])
			org.Policies["Admins"] = org.Policies["Writers"] // version 1.0 knows administrators by their certificates only
		}, func(g *common.ConfigGroup) {
			set(g.Groups["Orderer"], "ConsensusType", &orderer.ConsensusType{Type: "BFT"})
		}, "the consensus type changes"},
		"MSP ID": {nil, func(g *common.ConfigGroup) {
			orgs := g.Groups["Application"].Groups
			set(orgs["Org1"], "MSP", nil)
			orgs["Org1"].Values["MSP"] = proto.Clone(orgs["Org2"].Values["MSP"]).(*common.ConfigValue)
		}, "the MSP ID of /Channel/Application/Org1 changes"},
		"MSP ID of the orderers": {nil, func(g *common.ConfigGroup) {
			g.Groups["Orderer"].Groups["Orderer"].Values["MSP"] =
				proto.Clone(g.Groups["Application"].Groups["Org2"].Values["MSP"]).(*common.ConfigValue)
		}, "the MSP ID of /Channel/Orderer/Orderer changes"},
		"MSP ID by way of Idemix": {nil, func(g *common.ConfigGroup) {
			set(g.Groups["Application"].Groups["Org1"], "MSP", &mspproto.MSPConfig{Type: 1, Config: marshal(&mspproto.IdemixMSPConfig{Name: "X"})})
		}, "changes from \"Org1MSP\" to \"X\""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, devnet.Raft)
			bundle := n.bundle()
			if tt.first != nil {
				first, err := channelconfig.New(channelID, 0, n.altered(tt.first))
				require.NoError(t, err)
				bundle = first
			}
			v := channelconfig.NewVerifier(bundle, n.genesis.GetHeader())
			admins := n.admins()
			next := n.update(bundle, func(g *common.ConfigGroup) error { tt.change(g); return nil })
			restoreModPolicies(next.GetChannelGroup())
			err := v.Verify(n.configBy(v, channelID, next, admins...))
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, channelconfig.ErrConfig)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// restoreModPolicies gives values that a test has set their modification policy.
func restoreModPolicies(g *common.ConfigGroup) {
	for _, v := range g.GetValues() {
		v.ModPolicy = "Admins"
	}
	for _, child := range g.GetGroups() {
		restoreModPolicies(child)
	}
}

// Configurations of Fabric 1.0 lack modification policies. Fabric fills them in with the first update under capabilities of
// the orderer, so that a block comes with policies that nobody has written.
func TestMissingModPoliciesAreFilledIn(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	first, err := channelconfig.New(channelID, 0, n.altered(func(g *common.ConfigGroup) {
		g.ModPolicy = ""
		g.Values["Capabilities"].ModPolicy = ""
		g.Policies["Readers"].ModPolicy = ""
	}))
	require.NoError(t, err)
	v := channelconfig.NewVerifier(first, n.genesis.GetHeader())
	unfilled := n.update(first, smallBatch)
	filled := proto.Clone(unfilled).(*common.Config)
	filled.ChannelGroup.ModPolicy = "Admins"
	filled.ChannelGroup.Values["Capabilities"].ModPolicy = "Admins"
	filled.ChannelGroup.Policies["Readers"].ModPolicy = "Admins"
	update, err := devnet.UpdateEnvelope(channelID, first.Config(), unfilled, time.Now(), nil, n.admins()...)
	require.NoError(t, err)

	require.NoError(t, v.Verify(n.configFor(v, channelID, filled, update)))
	err = v.Verify(n.configFor(v, channelID, unfilled, update))
	require.ErrorContains(t, err, "another configuration")
}
