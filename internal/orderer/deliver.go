// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"context"
	"errors"
	"io"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"

	"github.com/weft-p2p/weft/internal/block"
)

// Deliver implements orderer.AtomicBroadcastServer: it answers one SeekInfo after another, each with blocks and then a status. After a
// status other than SUCCESS the stream ends.
func (o *Orderer) Deliver(stream orderer.AtomicBroadcast_DeliverServer) error {
	defer o.streams.enter()()
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = o.deliver(stream, e)
		if err != nil && !isRefusal(err) {
			return err
		}
		status := &orderer.DeliverResponse{Type: &orderer.DeliverResponse_Status{Status: statusOf(err)}}
		if sendErr := stream.Send(status); sendErr != nil || err != nil {
			o.cfg.Log.Debug("a Deliver stream ends", "err", errors.Join(err, sendErr))
			return sendErr
		}
	}
}

// deliver answers one request. A *Refusal is what the client is to be told; another error breaks the stream.
func (o *Orderer) deliver(stream orderer.AtomicBroadcast_DeliverServer, e *common.Envelope) error {
	ctx := stream.Context()
	reader, err := o.request(ctx, e)
	if err != nil {
		return err
	}
	if reader.channel != o.channel {
		return refuse(common.Status_NOT_FOUND, "channel %q does not exist here", reader.channel)
	}
	info, err := decodeSeek(reader.data)
	if err != nil {
		return err
	}
	now, _ := o.look()
	if now.down && strict(info) {
		return refuse(common.Status_SERVICE_UNAVAILABLE, "no leader")
	}
	if err := reader.evaluate(now.bundle); err != nil {
		return err
	}
	want, err := resolve(info, now.height)
	if err != nil {
		return err
	}
	for number := want.first; ; number++ {
		if err := o.await(ctx, number, want); err != nil {
			return err
		}
		if err := o.send(stream, reader, number, want.headers); err != nil {
			return err
		}
		if number == want.last {
			return nil
		}
	}
}

// await waits until there is a block of the given number, if the request says so.
func (o *Orderer) await(ctx context.Context, number uint64, want span) error {
	for {
		now, changed := o.look()
		switch {
		case now.down && want.strict:
			return refuse(common.Status_SERVICE_UNAVAILABLE, "no leader")
		case number < now.height:
			return nil
		case !want.wait:
			return refuse(common.Status_NOT_FOUND, "block %d is not there yet", number)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends one block, if the client may still have it.
func (o *Orderer) send(stream orderer.AtomicBroadcast_DeliverServer, reader *reader, number uint64, headers bool) error {
	if err := reader.evaluate(o.Bundle()); err != nil {
		return err
	}
	b, err := o.cfg.Ledger.Block(number)
	if err != nil {
		o.cfg.Log.Error("cannot read the ledger", "number", number, "err", err)
		return refuse(common.Status_SERVICE_UNAVAILABLE, "block %d cannot be read", number)
	}
	if headers && !block.IsConfig(b) {
		b = &common.Block{Header: b.GetHeader(), Metadata: b.GetMetadata()}
	}
	return stream.Send(&orderer.DeliverResponse{Type: &orderer.DeliverResponse_Block{Block: b}})
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}
