// SPDX-License-Identifier: Apache-2.0

package server

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
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Status, r.Reason) }

// Refuse returns a Refusal whose reason is formatted.
func Refuse(status common.Status, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// StatusOf returns the status of an error: SUCCESS for none, that of a Refusal, else INTERNAL_SERVER_ERROR.
func StatusOf(err error) common.Status {
	if err == nil {
		return common.Status_SUCCESS
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Status
	}
	return common.Status_INTERNAL_SERVER_ERROR
}

// Message is a decoded envelope. Nothing in it is proven.
type Message struct {
	Header *common.ChannelHeader
	Data   []byte
	Signed channelconfig.SignedData
}

// Decode takes an envelope apart. Whatever is missing or malformed is a *Refusal with BAD_REQUEST.
func Decode(e *common.Envelope) (*Message, error) {
	payload := &common.Payload{}
	if err := proto.Unmarshal(e.GetPayload(), payload); err != nil {
		return nil, Refuse(common.Status_BAD_REQUEST, "malformed payload: %v", err)
	}
	if payload.GetHeader() == nil {
		return nil, Refuse(common.Status_BAD_REQUEST, "payload without header")
	}
	header := &common.ChannelHeader{}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), header); err != nil {
		return nil, Refuse(common.Status_BAD_REQUEST, "malformed channel header: %v", err)
	}
	signature := &common.SignatureHeader{}
	if err := proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), signature); err != nil {
		return nil, Refuse(common.Status_BAD_REQUEST, "malformed signature header: %v", err)
	}
	return &Message{
		Header: header,
		Data:   payload.GetData(),
		Signed: channelconfig.SignedData{Data: e.GetPayload(), Identity: signature.GetCreator(), Signature: e.GetSignature()},
	}, nil
}

// Creator returns the identity that the message claims to come from, or a *Refusal with FORBIDDEN.
func (m *Message) Creator() (*msp.Identity, error) {
	id, err := msp.ParseCreator(m.Signed.Identity)
	if err != nil {
		return nil, Refuse(common.Status_FORBIDDEN, "malformed creator: %v", err)
	}
	return id, nil
}
