// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"

	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// stream opens a connection and a stream, and reads until it breaks. A client certificate that has run out is named with whatever breaks it.
func (c *Client) stream(ctx context.Context, e channelconfig.Endpoint, from uint64, submit leader.Submit) error {
	err := c.read(ctx, e, from, submit)
	if out := expired(c.cfg.ClientCert, time.Now()); out != nil {
		return fmt.Errorf("%w: %w", out, err)
	}
	return err
}

func (c *Client) read(ctx context.Context, e channelconfig.Endpoint, from uint64, submit leader.Submit) error {
	conn, err := c.cfg.connect(e)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	answers, err := c.seek(ctx, conn, from, orderer.SeekInfo_BLOCK)
	if err != nil {
		return err
	}
	c.markAsked()
	c.cfg.Log.Debug("asked for blocks", "endpoint", e.Address, "from", from)
	for next := from; ; next++ {
		b, err := c.receive(answers, next)
		if err != nil {
			return err
		}
		if err := submit(ctx, b); err != nil {
			return fmt.Errorf("submit block %d: %w", next, err)
		}
	}
}

// seek dials, opens the stream and sends the request. It fails at once when the orderer cannot be reached.
func (c *Client) seek(ctx context.Context, conn *grpc.ClientConn, from uint64, content orderer.SeekInfo_SeekContentType, opts ...grpc.CallOption) (orderer.AtomicBroadcast_DeliverClient, error) {
	envelope, err := request(c.cfg.Channel, from, content, c.cfg.Signer(), c.cfg.ClientCert, time.Now())
	if err != nil {
		return nil, err
	}
	answers, err := orderer.NewAtomicBroadcastClient(conn).Deliver(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if err := answers.Send(envelope); err != nil && !errors.Is(err, io.EOF) { // EOF: the first read has the reason
		return nil, fmt.Errorf("ask for block %d: %w", from, err)
	}
	return answers, nil
}

// receive waits for the block with the given number.
func (c *Client) receive(answers orderer.AtomicBroadcast_DeliverClient, number uint64) (*common.Block, error) {
	b, err := c.answer(answers, number)
	if err != nil {
		return nil, err
	}
	return b, check(b, number)
}

// answer waits for the next answer, which should be the block with the given number.
func (c *Client) answer(answers orderer.AtomicBroadcast_DeliverClient, number uint64) (*common.Block, error) {
	answer, err := answers.Recv()
	if err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	switch a := answer.GetType().(type) {
	case *orderer.DeliverResponse_Block:
		return a.Block, nil
	case *orderer.DeliverResponse_Status:
		return nil, &StatusError{Channel: c.cfg.Channel, Status: a.Status}
	default:
		return nil, fmt.Errorf("%w: %w: neither block nor status in place of block %d", leader.ErrRefused, ErrMalformed, number)
	}
}

func check(b *common.Block, number uint64) error {
	if b.GetHeader() == nil || b.GetData() == nil || b.GetMetadata() == nil {
		return fmt.Errorf("%w: %w: block %d lacks header, data or metadata", leader.ErrRefused, ErrMalformed, number)
	}
	if b.Header.Number != number {
		return fmt.Errorf("%w: %w: got block %d in place of %d", leader.ErrRefused, ErrNumber, b.Header.Number, number)
	}
	return nil
}
