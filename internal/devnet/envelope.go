// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/internal/block"
)

const nonceSize = 24

// genesisBlock wraps a channel group into block 0.
func genesisBlock(channel string, root *common.ConfigGroup, now time.Time) (*common.Block, error) {
	by, err := signatureHeader(nil, rand.Reader)
	if err != nil {
		return nil, err
	}
	header := &common.ChannelHeader{
		Type: int32(common.HeaderType_CONFIG), Version: 1, ChannelId: channel, TxId: txID(by),
		Timestamp: &timestamppb.Timestamp{Seconds: now.Unix()}, // configtxgen leaves the nanoseconds out
	}
	envelope, err := seal(header, by, &common.ConfigEnvelope{Config: &common.Config{ChannelGroup: root}}, nil)
	if err != nil {
		return nil, err
	}
	raw, err := encode(envelope)
	if err != nil {
		return nil, err
	}
	return blockZero(raw)
}

// blockZero is a block with number 0, no previous hash and the five metadata entries that leave an orderer (inventory 3.2).
func blockZero(envelope []byte) (*common.Block, error) {
	value, err := encode(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{}})
	if err != nil {
		return nil, err
	}
	entry, err := encode(&common.Metadata{Value: value})
	if err != nil {
		return nil, err
	}
	data := &common.BlockData{Data: [][]byte{envelope}}
	return &common.Block{
		Header:   &common.BlockHeader{DataHash: block.DataHash(data)},
		Data:     data,
		Metadata: &common.BlockMetadata{Metadata: [][]byte{entry, {}, {}, {}, {}}},
	}, nil
}

// signatureHeader names the signer (nobody when nil, as in a genesis block) and draws a nonce.
func signatureHeader(signer Signer, random io.Reader) (*common.SignatureHeader, error) {
	header := &common.SignatureHeader{Nonce: make([]byte, nonceSize)}
	if _, err := io.ReadFull(random, header.Nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	if signer != nil {
		header.Creator = signer.Serialize()
	}
	return header, nil
}

// seal builds an envelope around content and signs its payload; a nil signer leaves the signature empty.
func seal(channel *common.ChannelHeader, by *common.SignatureHeader, content proto.Message, signer Signer) (*common.Envelope, error) {
	var parts [3][]byte
	for i, m := range []proto.Message{channel, by, content} {
		var err error
		if parts[i], err = encode(m); err != nil {
			return nil, err
		}
	}
	payload, err := encode(&common.Payload{
		Header: &common.Header{ChannelHeader: parts[0], SignatureHeader: parts[1]}, Data: parts[2],
	})
	if err != nil || signer == nil {
		return &common.Envelope{Payload: payload}, err
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign an envelope: %w", err)
	}
	return &common.Envelope{Payload: payload, Signature: signature}, nil
}

// txID is Fabric's transaction ID: hex SHA-256(nonce ‖ creator).
func txID(h *common.SignatureHeader) string {
	sum := sha256.New()
	sum.Write(h.GetNonce())
	sum.Write(h.GetCreator())
	return hex.EncodeToString(sum.Sum(nil))
}
