// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"errors"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// transaction is an envelope that was admitted.
type transaction struct {
	raw    []byte // marshalled envelope
	size   int
	bundle *channelconfig.Bundle // that admitted it
	signed channelconfig.SignedData
}

// Broadcast implements orderer.AtomicBroadcastServer: SUCCESS for each envelope that is queued. After a rejection the stream ends.
func (o *Orderer) Broadcast(stream orderer.AtomicBroadcast_BroadcastServer) error {
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = o.Order(stream.Context(), e)
		answer := &orderer.BroadcastResponse{Status: statusOf(err)}
		switch {
		case errors.Is(err, ErrStopped):
			answer.Status = common.Status_SERVICE_UNAVAILABLE
			answer.Info = err.Error()
		case err != nil:
			answer.Info = err.Error()
			o.cfg.Log.Debug("rejected a transaction", "err", err)
		}
		if sendErr := stream.Send(answer); sendErr != nil || err != nil {
			return sendErr
		}
	}
}

// admit checks an envelope by Fabric's rules for normal messages, in Fabric's order.
func (o *Orderer) admit(e *common.Envelope, now view) (transaction, error) {
	m, err := decode(e)
	if err != nil {
		return transaction{}, err
	}
	if m.header.GetChannelId() != o.channel {
		return transaction{}, refuse(common.Status_NOT_FOUND, "channel %q does not exist here", m.header.GetChannelId())
	}
	if now.down {
		return transaction{}, refuse(common.Status_SERVICE_UNAVAILABLE, "no leader")
	}
	switch common.HeaderType(m.header.GetType()) {
	case common.HeaderType_CONFIG, common.HeaderType_CONFIG_UPDATE:
		return transaction{}, refuse(common.Status_BAD_REQUEST, "the development ordering service takes no configuration from clients")
	}
	if n, limit := size(e), int(o.limits(now.bundle).GetAbsoluteMaxBytes()); n > limit {
		return transaction{}, refuse(common.Status_BAD_REQUEST, "the transaction has %d bytes, the channel allows %d", n, limit)
	}
	if err := o.authorizeWriter(m.signed, now.bundle); err != nil {
		return transaction{}, err
	}
	// Fields that Fabric does not know would make the block malformed.
	raw, err := proto.Marshal(&common.Envelope{Payload: e.GetPayload(), Signature: e.GetSignature()})
	if err != nil {
		return transaction{}, err
	}
	return transaction{raw: raw, size: size(e), bundle: now.bundle, signed: m.signed}, nil
}

// authorizeWriter checks that the creator has not expired and satisfies /Channel/Writers with its signature.
func (o *Orderer) authorizeWriter(signed channelconfig.SignedData, bundle *channelconfig.Bundle) error {
	id, err := creator(signed)
	if err != nil {
		return err
	}
	if time.Now().After(id.ExpiresAt()) {
		return refuse(common.Status_FORBIDDEN, "the creator's certificate has expired")
	}
	if err := bundle.Evaluate("/Channel/Writers", []channelconfig.SignedData{signed}); err != nil {
		return refuse(common.Status_FORBIDDEN, "%v", err)
	}
	return nil
}
