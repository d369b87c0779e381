// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

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

// transaction makes a small transaction.
func transaction(t *testing.T, channel string, client *devnet.Node) *common.Envelope {
	t.Helper()
	tx, err := devnet.Transaction(channel, client, 100, rand.Reader, start)
	require.NoError(t, err)
	return tx
}
