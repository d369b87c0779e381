// SPDX-License-Identifier: Apache-2.0

package block

import (
	"errors"
	"fmt"
	"unicode/utf8"

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

// Field numbers of common.ChannelHeader.
const (
	channelTimestamp = 3
	channelID        = 4
	channelTxID      = 5
)

// IsConfig says whether a block is a configuration block: exactly one transaction, of header type CONFIG.
func IsConfig(b *common.Block) bool {
	return HasConfig(b.GetData().GetData())
}

// HasConfig says the same of the transactions of a block.
func HasConfig(txs [][]byte) bool {
	if len(txs) != 1 {
		return false
	}
	h, err := ChannelHeader(txs[0])
	return err == nil && h.GetType() == int32(common.HeaderType_CONFIG)
}

// ChannelHeader returns the channel header of a transaction, a marshalled common.Envelope. Only the header is decoded
// and copied, never the transaction. The error is ErrEnvelope.
func ChannelHeader(envelope []byte) (*common.ChannelHeader, error) {
	raw, err := findChannelHeader(envelope)
	if err != nil {
		return nil, err
	}
	h := &common.ChannelHeader{}
	if err := proto.Unmarshal(raw, h); err != nil {
		return nil, fmt.Errorf("%w: channel header: %w", ErrEnvelope, err)
	}
	return h, nil
}

func findChannelHeader(envelope []byte) ([]byte, error) {
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
	return raw, nil
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

// TxID returns the transaction ID that an envelope names; a configuration transaction may have none. It points into
// the envelope. It is not compared with the creator and nonce that it should be made of. The error is ErrEnvelope,
// whenever ChannelHeader returns one.
func TxID(envelope []byte) (id []byte, err error) {
	raw, err := findChannelHeader(envelope)
	if err != nil {
		return nil, err
	}
	for len(raw) > 0 {
		f, err := next(raw)
		if err == nil {
			err = checkChannelHeader(f)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: channel header: %w", ErrEnvelope, err)
		}
		if f.is(channelTxID) {
			id = f.content
		}
		raw = raw[f.size:]
	}
	return id, nil
}

// checkChannelHeader finds what protobuf would find wrong with a field of a channel header: text that is not UTF-8, and
// a timestamp that does not decode.
func checkChannelHeader(f field) error {
	switch {
	case (f.is(channelID) || f.is(channelTxID)) && !utf8.Valid(f.content):
		return fmt.Errorf("field %d is not UTF-8", f.number)
	case f.is(channelTimestamp):
		_, err := last(f.content, 0)
		return err
	}
	return nil
}
