// SPDX-License-Identifier: Apache-2.0

package block

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// ErrEnvelope says that the bytes of a transaction do not lead to a channel header.
var ErrEnvelope = errors.New("block: no channel header in the transaction")

// Field numbers of common.Payload and common.Header.
const (
	payloadHeader       = 1
	headerChannelHeader = 1
)

// IsConfig says whether a block is a configuration block: exactly one transaction, of header type CONFIG.
func IsConfig(b *common.Block) bool {
	return hasConfig(b.GetData().GetData())
}

func hasConfig(txs [][]byte) bool {
	if len(txs) != 1 {
		return false
	}
	h, err := ChannelHeader(txs[0])
	return err == nil && h.GetType() == int32(common.HeaderType_CONFIG)
}

// ChannelHeader returns the channel header of a transaction, a marshalled common.Envelope. Only the header is decoded
// and copied, never the transaction. The error is ErrEnvelope.
func ChannelHeader(envelope []byte) (*common.ChannelHeader, error) {
	payload, err := last(envelope, envelopePayload)
	if err != nil {
		return nil, fmt.Errorf("%w: envelope: %w", ErrEnvelope, err)
	}
	raw, found, err := channelHeaderBytes(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: payload: %w", ErrEnvelope, err)
	}
	if !found {
		return nil, fmt.Errorf("%w: the payload has no header", ErrEnvelope)
	}
	h := &common.ChannelHeader{}
	if err := proto.Unmarshal(raw, h); err != nil {
		return nil, fmt.Errorf("%w: channel header: %w", ErrEnvelope, err)
	}
	return h, nil
}

// channelHeaderBytes finds the channel header in a marshalled common.Payload. Protobuf merges a repeated header, so the
// last channel header in any of them counts.
func channelHeaderBytes(payload []byte) (raw []byte, found bool, err error) {
	err = each(payload, payloadHeader, func(header []byte) error {
		found = true
		return each(header, headerChannelHeader, func(c []byte) error {
			raw = c
			return nil
		})
	})
	return raw, found, err
}

// ChannelID returns the channel that the first transaction of a block names. The orderer's signature covers it only
// through the data hash.
func ChannelID(b *common.Block) (string, error) {
	txs := b.GetData().GetData()
	if len(txs) == 0 {
		return "", fmt.Errorf("%w: the block has no transaction", ErrEnvelope)
	}
	h, err := ChannelHeader(txs[0])
	return h.GetChannelId(), err
}

// TxID returns the transaction ID that an envelope names; a configuration transaction may have none. It is not
// compared with the creator and nonce that it should be made of.
func TxID(envelope []byte) (string, error) {
	h, err := ChannelHeader(envelope)
	return h.GetTxId(), err
}
