// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

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
	"github.com/weft-p2p/weft/msp"
)

// start is the moment at which the tests' organizations come into being.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// readBlock reads a recorded block.
func readBlock(t *testing.T, path string) *common.Block {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	b := &common.Block{}
	require.NoError(t, proto.Unmarshal(raw, b))
	return b
}

// configOf returns the configuration in a config block.
func configOf(t *testing.T, b *common.Block) *common.Config {
	t.Helper()
	require.Len(t, b.GetData().GetData(), 1)
	content := &common.ConfigEnvelope{}
	_, payload, _ := open(t, b.GetData().GetData()[0])
	require.NoError(t, proto.Unmarshal(payload.GetData(), content))
	return content.GetConfig()
}

// open decodes a transaction down to its channel header.
func open(t *testing.T, raw []byte) (*common.Envelope, *common.Payload, *common.ChannelHeader) {
	t.Helper()
	envelope, payload, header := &common.Envelope{}, &common.Payload{}, &common.ChannelHeader{}
	require.NoError(t, proto.Unmarshal(raw, envelope))
	require.NoError(t, proto.Unmarshal(envelope.GetPayload(), payload))
	require.NoError(t, proto.Unmarshal(payload.GetHeader().GetChannelHeader(), header))
	return envelope, payload, header
}

// newOrg makes an organization.
func newOrg(t *testing.T, name string) *devnet.Org {
	t.Helper()
	org, err := devnet.NewOrg(name, start)
	require.NoError(t, err)
	return org
}

// enroll makes a node of an organization.
func enroll(t *testing.T, org *devnet.Org, cn string, role devnet.Role) *devnet.Node {
	t.Helper()
	node, err := org.Enroll(cn, role, start)
	require.NoError(t, err)
	return node
}

// orderingNodes makes n ordering nodes of an organization, on consecutive ports, and returns their identities too.
func orderingNodes(t *testing.T, org *devnet.Org, n int) ([]devnet.OrderingNode, []*devnet.Node) {
	t.Helper()
	var nodes []devnet.OrderingNode
	var identities []*devnet.Node
	for i := range n {
		name := fmt.Sprintf("orderer%d.%s", i, org.Domain)
		identity := enroll(t, org, name, devnet.Orderer)
		cert, _, err := org.TLS(name, []string{"127.0.0.1"}, start)
		require.NoError(t, err)
		nodes = append(nodes, devnet.OrderingNode{
			Org: org, Address: fmt.Sprintf("127.0.0.1:%d", 7050+10*i), TLSCert: cert, Identity: identity.CertPEM(),
		})
		identities = append(identities, identity)
	}
	return nodes, identities
}

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

// unmarshalData decodes the data of an envelope's payload.
func unmarshalData(t *testing.T, envelope *common.Envelope, m proto.Message) {
	t.Helper()
	payload := &common.Payload{}
	require.NoError(t, proto.Unmarshal(envelope.GetPayload(), payload))
	require.NoError(t, proto.Unmarshal(payload.GetData(), m))
}

// requireSigned checks who signed an envelope and what it says it is.
func requireSigned(t *testing.T, envelope *common.Envelope, by *devnet.Node, kind common.HeaderType) {
	t.Helper()
	raw, err := proto.Marshal(envelope)
	require.NoError(t, err)
	_, payload, header := open(t, raw)
	signer := &common.SignatureHeader{}
	require.NoError(t, proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), signer))
	require.Equal(t, by.Serialize(), signer.GetCreator())
	require.EqualValues(t, kind, header.GetType())
	require.Empty(t, header.GetTxId(), "configuration has no transaction ID after the genesis block")
	requireVerifies(t, by, envelope.GetPayload(), envelope.GetSignature())
}

func requireVerifies(t *testing.T, by *devnet.Node, msg, signature []byte) {
	t.Helper()
	id, err := msp.ParseIdentity(by.Serialize())
	require.NoError(t, err)
	require.NoError(t, id.Verify(msg, signature))
}
