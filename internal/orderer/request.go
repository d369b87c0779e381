// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Refusal is why a request was not accepted, with the status that Fabric answers.
type Refusal struct {
	Status common.Status
	Reason string
}

// Error names the status and the reason.
func (r *Refusal) Error() string { return fmt.Sprintf("orderer: %s: %s", r.Status, r.Reason) }

func refuse(status common.Status, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// statusOf returns the status of an error: SUCCESS for none, that of a Refusal, else an internal error.
func statusOf(err error) common.Status {
	if err == nil {
		return common.Status_SUCCESS
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Status
	}
	return common.Status_INTERNAL_SERVER_ERROR
}

// message is a decoded envelope; nothing in it is proven yet.
type message struct {
	header *common.ChannelHeader
	data   []byte
	signed channelconfig.SignedData
}

// decode takes an envelope apart. Whatever is missing or malformed is a BAD_REQUEST.
func decode(e *common.Envelope) (*message, error) {
	payload := &common.Payload{}
	if err := proto.Unmarshal(e.GetPayload(), payload); err != nil {
		return nil, refuse(common.Status_BAD_REQUEST, "malformed payload: %v", err)
	}
	if payload.GetHeader() == nil {
		return nil, refuse(common.Status_BAD_REQUEST, "payload without header")
	}
	header := &common.ChannelHeader{}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), header); err != nil {
		return nil, refuse(common.Status_BAD_REQUEST, "malformed channel header: %v", err)
	}
	signature := &common.SignatureHeader{}
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), signature); err != nil {
		return nil, refuse(common.Status_BAD_REQUEST, "malformed signature header: %v", err)
	}
	return &message{
		header: header,
		data:   payload.GetData(),
		signed: channelconfig.SignedData{Data: e.GetPayload(), Identity: signature.GetCreator(), Signature: e.GetSignature()},
	}, nil
}

// creator returns the identity that a message claims to come from.
func creator(signed channelconfig.SignedData) (*msp.Identity, error) {
	id, err := msp.ParseCreator(signed.Identity)
	if err != nil {
		return nil, refuse(common.Status_FORBIDDEN, "malformed creator: %v", err)
	}
	return id, nil
}
