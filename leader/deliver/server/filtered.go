// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

// filter makes the filtered block, as Fabric does: for each transaction its ID, type, validation code, and the chaincode events without
// their payloads. An envelope that names no channel is left out; a transaction that cannot be decoded has no events.
func filter(channel string, b block.Parts) (*peer.FilteredBlock, error) {
	txs, err := b.Transactions()
	if err != nil {
		return nil, err
	}
	metadata := &common.BlockMetadata{}
	if err := proto.Unmarshal(b.Metadata, metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	filtered := &peer.FilteredBlock{ChannelId: channel, Number: b.Header.GetNumber()}
	for i, code := range validationCodes(metadata, txs) {
		if tx := filterTransaction(txs[i], peer.TxValidationCode(code)); tx != nil {
			filtered.FilteredTransactions = append(filtered.FilteredTransactions, tx)
		}
	}
	return filtered, nil
}

func filterTransaction(envelope []byte, code peer.TxValidationCode) *peer.FilteredTransaction {
	header, err := block.ChannelHeader(envelope)
	if err != nil {
		return nil
	}
	tx := &peer.FilteredTransaction{Txid: header.GetTxId(), Type: common.HeaderType(header.GetType()), TxValidationCode: code}
	if tx.Type == common.HeaderType_ENDORSER_TRANSACTION {
		tx.Data = &peer.FilteredTransaction_TransactionActions{
			TransactionActions: &peer.FilteredTransactionActions{ChaincodeActions: chaincodeEvents(envelope)},
		}
	}
	return tx
}

// chaincodeEvents returns the chaincode events of a transaction, as far as it can be decoded.
func chaincodeEvents(envelope []byte) (found []*peer.FilteredChaincodeAction) {
	e, payload, tx := &common.Envelope{}, &common.Payload{}, &peer.Transaction{}
	if proto.Unmarshal(envelope, e) != nil || proto.Unmarshal(e.GetPayload(), payload) != nil || proto.Unmarshal(payload.GetData(), tx) != nil {
		return nil
	}
	for _, action := range tx.GetActions() {
		if event := chaincodeEvent(action.GetPayload()); event.GetChaincodeId() != "" {
			found = append(found, &peer.FilteredChaincodeAction{ChaincodeEvent: &peer.ChaincodeEvent{
				ChaincodeId: event.GetChaincodeId(), TxId: event.GetTxId(), EventName: event.GetEventName(),
			}})
		}
	}
	return found
}

// chaincodeEvent returns the event in an action, nil if there is none.
func chaincodeEvent(raw []byte) *peer.ChaincodeEvent {
	payload, response := &peer.ChaincodeActionPayload{}, &peer.ProposalResponsePayload{}
	result, event := &peer.ChaincodeAction{}, &peer.ChaincodeEvent{}
	if proto.Unmarshal(raw, payload) != nil ||
		proto.Unmarshal(payload.GetAction().GetProposalResponsePayload(), response) != nil ||
		proto.Unmarshal(response.GetExtension(), result) != nil ||
		proto.Unmarshal(result.GetEvents(), event) != nil {
		return nil
	}
	return event
}
