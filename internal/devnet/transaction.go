// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"fmt"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// chaincodeName is what the made-up transactions claim to have called.
const chaincodeName = "basic"

// Transaction returns an endorser transaction with size random bytes as the argument of its chaincode call, signed by
// the client. It is well formed and carries a transaction ID by Fabric's rule, but no endorsement: an ordering service
// takes it, a committing peer would mark it invalid. Payload and nonce come from random.
func Transaction(channel string, client Signer, size int, random io.Reader, now time.Time) (*common.Envelope, error) {
	argument := make([]byte, max(size, 0))
	if _, err := io.ReadFull(random, argument); err != nil {
		return nil, fmt.Errorf("draw a transaction of %d bytes: %w", size, err)
	}
	by, err := signatureHeader(client, random)
	if err != nil {
		return nil, err
	}
	chaincode := &peer.ChaincodeID{Name: chaincodeName}
	extension, err := encode(&peer.ChaincodeHeaderExtension{ChaincodeId: chaincode})
	if err != nil {
		return nil, err
	}
	content, err := invocation(chaincode, by, argument)
	if err != nil {
		return nil, err
	}
	header := &common.ChannelHeader{
		Type:      int32(common.HeaderType_ENDORSER_TRANSACTION),
		ChannelId: channel, TxId: txID(by), Timestamp: timestamppb.New(now), Extension: extension,
	}
	return seal(header, by, content, client)
}

// invocation is a transaction with one action: a call of the chaincode that read and wrote nothing.
func invocation(chaincode *peer.ChaincodeID, by *common.SignatureHeader, argument []byte) (*peer.Transaction, error) {
	var n nested
	input := n.encode(&peer.ChaincodeInvocationSpec{ChaincodeSpec: &peer.ChaincodeSpec{
		ChaincodeId: chaincode,
		Input:       &peer.ChaincodeInput{Args: [][]byte{[]byte("put"), argument}},
	}})
	action := n.encode(&peer.ChaincodeAction{ChaincodeId: chaincode, Response: &peer.Response{Status: 200}})
	payload := n.encode(&peer.ChaincodeActionPayload{
		ChaincodeProposalPayload: n.encode(&peer.ChaincodeProposalPayload{Input: input}),
		Action: &peer.ChaincodeEndorsedAction{
			ProposalResponsePayload: n.encode(&peer.ProposalResponsePayload{Extension: action}),
		},
	})
	header := n.encode(by)
	if n.err != nil {
		return nil, n.err
	}
	return &peer.Transaction{Actions: []*peer.TransactionAction{{Header: header, Payload: payload}}}, nil
}

// nested encodes messages inside messages and keeps the first error.
type nested struct{ err error }

func (n *nested) encode(m proto.Message) []byte {
	raw, err := encode(m)
	if err != nil && n.err == nil {
		n.err = err
	}
	return raw
}
