// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"context"
	"errors"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// transaction is an envelope that was admitted.
type transaction struct {
	raw     []byte // marshalled envelope
	size    int
	bundle  *channelconfig.Bundle // that admitted it
	message *server.Message
}

// broadcast answers one envelope of a client: SUCCESS when it is queued.
func (o *Orderer) broadcast(ctx context.Context, e *common.Envelope) *orderer.BroadcastResponse {
	err := o.Order(ctx, e)
	if errors.Is(err, ErrStopped) {
		err = server.Refuse(common.Status_SERVICE_UNAVAILABLE, "%v", err)
	}
	return server.Response(err)
}

// admit checks an envelope by Fabric's rules for normal messages, in Fabric's order.
func (o *Orderer) admit(e *common.Envelope, now server.State) (transaction, error) {
	m, err := server.Decode(e)
	if err != nil {
		return transaction{}, err
	}
	if m.Header.GetChannelId() != o.channel {
		return transaction{}, server.Refuse(common.Status_NOT_FOUND, "channel %q does not exist here", m.Header.GetChannelId())
	}
	if now.Leaderless {
		return transaction{}, server.Refuse(common.Status_SERVICE_UNAVAILABLE, "no leader")
	}
	switch common.HeaderType(m.Header.GetType()) {
	case common.HeaderType_CONFIG, common.HeaderType_CONFIG_UPDATE:
		return transaction{}, server.Refuse(common.Status_BAD_REQUEST, "the development ordering service takes no configuration from clients")
	}
	if n, limit := size(e), int(o.limits(now.Bundle).GetAbsoluteMaxBytes()); n > limit {
		return transaction{}, server.Refuse(common.Status_BAD_REQUEST, "the transaction has %d bytes, the channel allows %d", n, limit)
	}
	if err := o.authorizeWriter(m, now.Bundle); err != nil {
		return transaction{}, err
	}
	// Fields that Fabric does not know would make the block malformed.
	raw, err := proto.Marshal(&common.Envelope{Payload: e.GetPayload(), Signature: e.GetSignature()})
	if err != nil {
		return transaction{}, err
	}
	return transaction{raw: raw, size: size(e), bundle: now.Bundle, message: m}, nil
}

// authorizeWriter checks that the creator has not expired and satisfies /Channel/Writers with its signature.
func (o *Orderer) authorizeWriter(m *server.Message, bundle *channelconfig.Bundle) error {
	id, err := m.Creator()
	if err != nil {
		return err
	}
	if time.Now().After(id.ExpiresAt()) {
		return server.Refuse(common.Status_FORBIDDEN, "the creator's certificate has expired")
	}
	if err := bundle.Evaluate("/Channel/Writers", []channelconfig.SignedData{m.Signed}); err != nil {
		return server.Refuse(common.Status_FORBIDDEN, "%v", err)
	}
	return nil
}
