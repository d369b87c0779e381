// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-p2p/weft/internal/devnet"
)

// shape describes everything in a channel group but key material: path of each element -> version, modification policy
// and decoded content.
func shape(t *testing.T, root string, config *common.Config) map[string]string {
	t.Helper()
	return shapeOf(t, root, config.GetChannelGroup())
}

func shapeOf(t *testing.T, path string, group *common.ConfigGroup) map[string]string {
	t.Helper()
	out := map[string]string{path: fmt.Sprintf("v%d mod %s", group.GetVersion(), group.GetModPolicy())}
	for key, v := range group.GetValues() {
		out[path+" V "+key] = fmt.Sprintf("v%d mod %s %s", v.GetVersion(), v.GetModPolicy(), content(t, key, v.GetValue()))
	}
	for key, p := range group.GetPolicies() {
		out[path+" P "+key] = fmt.Sprintf("v%d mod %s %s", p.GetVersion(), p.GetModPolicy(), rule(t, p.GetPolicy()))
	}
	for key, g := range group.GetGroups() {
		maps.Copy(out, shapeOf(t, path+"/"+key, g))
	}
	return out
}

// content decodes a value and blanks what differs from network to network.
func content(t *testing.T, key string, raw []byte) string {
	t.Helper()
	known := map[string]proto.Message{
		"MSP": &mspproto.MSPConfig{}, "Capabilities": &common.Capabilities{}, "HashingAlgorithm": &common.HashingAlgorithm{},
		"BlockDataHashingStructure": &common.BlockDataHashingStructure{}, "Endpoints": &common.OrdererAddresses{},
		"ConsensusType": &orderer.ConsensusType{}, "BatchSize": &orderer.BatchSize{}, "BatchTimeout": &orderer.BatchTimeout{},
		"ChannelRestrictions": &orderer.ChannelRestrictions{}, "Orderers": &common.Orderers{},
		"AnchorPeers": &peer.AnchorPeers{},
	}
	m := known[key]
	require.NotNil(t, m, "value %s", key)
	require.NoError(t, proto.Unmarshal(raw, m))
	switch m := m.(type) {
	case *mspproto.MSPConfig:
		inner := &mspproto.FabricMSPConfig{}
		require.NoError(t, proto.Unmarshal(m.GetConfig(), inner))
		return fmt.Sprint(m.GetType(), " ", blank(inner))
	case *orderer.ConsensusType:
		var inner proto.Message = &etcdraft.ConfigMetadata{}
		if m.GetType() == devnet.BFT {
			inner = &smartbft.Options{}
		}
		require.NoError(t, proto.Unmarshal(m.GetMetadata(), inner))
		return fmt.Sprint(m.GetType(), " ", m.GetState(), " ", blank(inner))
	}
	return blank(m)
}

func rule(t *testing.T, p *common.Policy) string {
	t.Helper()
	if p.GetType() == int32(common.Policy_IMPLICIT_META) {
		m := &common.ImplicitMetaPolicy{}
		require.NoError(t, proto.Unmarshal(p.GetValue(), m))
		return prototext.Format(m)
	}
	m := &common.SignaturePolicyEnvelope{}
	require.NoError(t, proto.Unmarshal(p.GetValue(), m))
	text := prototext.Format(m.GetRule())
	for _, id := range m.GetIdentities() {
		if id.GetPrincipalClassification() == mspproto.MSPPrincipal_IDENTITY {
			identity := &mspproto.SerializedIdentity{}
			require.NoError(t, proto.Unmarshal(id.GetPrincipal(), identity))
			text += "identity " + blank(identity)
			continue
		}
		role := &mspproto.MSPRole{}
		require.NoError(t, proto.Unmarshal(id.GetPrincipal(), role))
		text += prototext.Format(role)
	}
	return text
}

// blank formats m with every bytes field replaced by an X.
func blank(m proto.Message) string {
	m = proto.Clone(m)
	blankFields(m.ProtoReflect())
	return prototext.Format(m)
}

func blankFields(m protoreflect.Message) {
	mark := protoreflect.ValueOfBytes([]byte("X"))
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
		case f.IsList() && f.Kind() == protoreflect.BytesKind:
			for i := range v.List().Len() {
				v.List().Set(i, mark)
			}
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				blankFields(v.List().Get(i).Message())
			}
		case f.Kind() == protoreflect.BytesKind:
			m.Set(f, mark)
		case f.Message() != nil:
			blankFields(v.Message())
		}
		return true
	})
}
