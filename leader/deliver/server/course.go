// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lookAgain is how often a stream that waits looks at the chain, although nothing has told it to.
const lookAgain = time.Second

// course is a request that is being answered with blocks.
type course struct {
	server *Server
	writer *writer
	form   form
	reader *reader
	chain  Chain
	want   span
	room   int // for the blocks that are read next, in bytes
}

// run sends the blocks, as many at a time as are there and have room.
func (c *course) run(ctx context.Context) error {
	for number := c.want.first; ; {
		height, err := c.await(ctx, number)
		if err != nil {
			return err
		}
		sent, err := c.send(ctx, number, min(c.want.last, height-1))
		if err != nil {
			return err
		}
		if number += sent; number-1 == c.want.last {
			return nil
		}
	}
}

// await waits until there is a block of the given number that the reader may have, if the request says so. It returns the height.
func (c *course) await(ctx context.Context, number uint64) (height uint64, err error) {
	var again *time.Timer
	for {
		now, changed := c.chain.Look()
		if err := c.reader.judge(time.Now(), now.Bundle); err != nil {
			return 0, err
		}
		switch {
		case now.Leaderless && c.want.strict:
			return 0, leaderless()
		case number < now.Height:
			return now.Height, nil
		case !c.want.wait:
			return 0, Refuse(common.Status_NOT_FOUND, "block %d is not there yet", number)
		case now.Stuck != nil:
			return 0, status.Errorf(codes.Unavailable, "weft: %v", now.Stuck)
		}
		pause := min(lookAgain, time.Until(c.reader.id.ExpiresAt())+time.Nanosecond)
		if again == nil {
			again = time.NewTimer(pause)
			defer again.Stop()
		} else {
			again.Reset(pause)
		}
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return 0, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// send sends the first block and some of those behind it, up to last, and returns how many.
func (c *course) send(ctx context.Context, first, last uint64) (sent uint64, err error) {
	buf := c.server.buffers.get(c.room)
	blocks, err := c.chain.Read(first, last, buf.bytes[:0:c.room])
	if err != nil || len(blocks) == 0 {
		buf.free()
		c.unreadable(first, err)
		return 0, Refuse(common.Status_SERVICE_UNAVAILABLE, "block %d cannot be read", first)
	}
	buf.left.Store(int32(len(blocks)))
	messages, size, damaged := c.shape(first, blocks, buf)
	c.room = roomFor(size/max(1, len(messages)), first+uint64(len(messages)) <= last)
	if err := c.writer.send(ctx, size, messages...); err != nil {
		return 0, err
	}
	c.server.cfg.Metrics.sent(c.reader.channel, len(messages))
	return uint64(len(messages)), damaged
}

// shape makes the messages with blocks that were read, up to the first one that is damaged, and returns how big the blocks are.
func (c *course) shape(first uint64, blocks [][]byte, buf *buffer) (messages []any, size int, err error) {
	for i, raw := range blocks {
		number := first + uint64(i)
		message, err := c.form.shape(item{channel: c.reader.channel, number: number, raw: raw, headers: c.want.headers, buffer: buf})
		if err != nil {
			c.server.cfg.Log.Error("the ledger does not hold the block that is due", "channel", c.reader.channel, "number", number, "err", err)
			return messages, size, Refuse(common.Status_SERVICE_UNAVAILABLE, "block %d is damaged", number)
		}
		messages = append(messages, message)
		size += len(raw)
	}
	return messages, size, nil
}

// unreadable tells the operator, unless the channel has ended.
func (c *course) unreadable(number uint64, err error) {
	if now, _ := c.chain.Look(); now.Stuck != nil {
		c.server.cfg.Log.Debug("a block cannot be read", "channel", c.reader.channel, "number", number, "err", err)
		return
	}
	c.server.cfg.Log.Error("a block cannot be read", "channel", c.reader.channel, "number", number, "err", err)
}
