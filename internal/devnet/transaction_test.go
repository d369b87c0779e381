// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
)

func TestTransaction(t *testing.T) {
	client := enroll(t, newOrg(t, "Org1"), "User1@org1.example.com", devnet.Client)
	for name, size := range map[string]int{"empty": 0, "small": 300, "big": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			made, err := devnet.Transaction("mychannel", client, size, rand.Reader, start)
			require.NoError(t, err)
			raw, err := proto.Marshal(made)
			require.NoError(t, err)
			require.NoError(t, block.WellFormed(&common.BlockData{Data: [][]byte{raw}}))
			require.InDelta(t, size, len(raw), 2500)

			envelope, payload, header := open(t, raw)
			require.EqualValues(t, common.HeaderType_ENDORSER_TRANSACTION, header.GetType())
			require.Equal(t, "mychannel", header.GetChannelId())
			require.Equal(t, start, header.GetTimestamp().AsTime())

			by := &common.SignatureHeader{}
			require.NoError(t, proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), by))
			sum := sha256.Sum256(append(by.GetNonce(), by.GetCreator()...))
			require.Equal(t, hex.EncodeToString(sum[:]), header.GetTxId())
			creator, err := msp.ParseIdentity(by.GetCreator())
			require.NoError(t, err)
			require.NoError(t, creator.Verify(envelope.GetPayload(), envelope.GetSignature()))
			require.Len(t, argument(t, payload), size)
		})
	}
}

// argument returns the second argument of the chaincode call in a transaction.
func argument(t *testing.T, payload *common.Payload) []byte {
	t.Helper()
	tx, action := &peer.Transaction{}, &peer.ChaincodeActionPayload{}
	proposal, call := &peer.ChaincodeProposalPayload{}, &peer.ChaincodeInvocationSpec{}
	require.NoError(t, proto.Unmarshal(payload.GetData(), tx))
	require.Len(t, tx.GetActions(), 1)
	require.Equal(t, payload.GetHeader().GetSignatureHeader(), tx.GetActions()[0].GetHeader())
	require.NoError(t, proto.Unmarshal(tx.GetActions()[0].GetPayload(), action))
	require.NoError(t, proto.Unmarshal(action.GetChaincodeProposalPayload(), proposal))
	require.NoError(t, proto.Unmarshal(proposal.GetInput(), call))
	require.Len(t, call.GetChaincodeSpec().GetInput().GetArgs(), 2)
	return call.GetChaincodeSpec().GetInput().GetArgs()[1]
}

func TestTransactionIDsDiffer(t *testing.T) {
	client := enroll(t, newOrg(t, "Org1"), "user1", devnet.Client)
	seen := make(map[string]bool)
	for range 20 {
		made, err := devnet.Transaction("mychannel", client, 10, rand.Reader, start)
		require.NoError(t, err)
		raw, err := proto.Marshal(made)
		require.NoError(t, err)
		id, err := block.TxID(raw)
		require.NoError(t, err)
		require.False(t, seen[string(id)])
		seen[string(id)] = true
	}
}

func TestTransactionNeedsRandomness(t *testing.T) {
	client := enroll(t, newOrg(t, "Org1"), "user1", devnet.Client)
	for name, have := range map[string]int{"for the payload": 5, "for the nonce": 10 + 5} {
		t.Run(name, func(t *testing.T) {
			_, err := devnet.Transaction("mychannel", client, 10, strings.NewReader(strings.Repeat("r", have)), start)
			require.Error(t, err)
		})
	}
}
