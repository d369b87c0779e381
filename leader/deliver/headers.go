// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

const (
	// consensusBFT is the consensus type of channels whose headers are pulled from others than the block source, as in Fabric.
	consensusBFT = "BFT"
	// headerWindow is how far ahead of the block source headers are read: more are not needed to see that it withholds.
	headerWindow = 16
	// maxHeader is the longest message on a stream of headers, in bytes. Configuration blocks come whole.
	maxHeader = 16 << 20
	// Pauses before a stream of headers is opened again; each failure doubles it.
	minHeaderPause, maxHeaderPause = 100 * time.Millisecond, time.Minute
)

// witnesses is how many endpoints beside the block source headers come from: f, for of n = 3f+1 consenters at most f are faulty. If the
// source is one of them, then one of f others is not. Fabric asks all others; the ones that are not asked here are spare. At least one is
// asked, so that a source is watched where the configuration tolerates no fault at all.
func witnesses(v *channelconfig.Verifier, endpoints int) int {
	if v == nil || v.Bundle().ConsensusType() != consensusBFT {
		return 0
	}
	f := (len(v.Bundle().Consenters()) - 1) / 3
	return min(max(1, f), endpoints-1)
}

// attest follows the headers at one endpoint after another, until ctx ends.
func (c *Client) attest(ctx context.Context, spare *roster, front *frontier) {
	for pause := minHeaderPause; ; pause = min(2*pause, maxHeaderPause) {
		e := spare.take()
		verified, err := c.follow(ctx, e, front)
		spare.put(e)
		if ctx.Err() != nil {
			return
		}
		if verified {
			pause = minHeaderPause
		}
		c.cfg.Log.Debug("a stream of headers broke", "endpoint", e.Address, "pause", pause, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// follow opens one stream of headers and reads it until it breaks, no further ahead of the block source than the window. It reports
// whether a header was good.
func (c *Client) follow(ctx context.Context, e channelconfig.Endpoint, front *frontier) (verified bool, err error) {
	conn, err := c.cfg.connect(e)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	v := c.cfg.Verifier()
	answers, err := c.seek(ctx, conn, v.Next(), orderer.SeekInfo_HEADER_WITH_SIG, grpc.MaxCallRecvMsgSize(maxHeader))
	if err != nil {
		return false, err
	}
	for {
		number := v.Next()
		if err := front.await(ctx, number); err != nil {
			return verified, err
		}
		b, err := c.answer(answers, number)
		if err != nil {
			return verified, err
		}
		missing := number >= front.reached()
		if err := vouch(v, b, missing); err != nil {
			return verified, err
		}
		if verified = true; missing {
			front.learn(number + 1)
		}
	}
}

// vouch judges a header as the next one behind v and moves v behind it. The signatures count where the block is missing: of blocks that
// are here it is enough that the header links to them. A configuration block is always judged as a whole, for the next headers are
// verified under it; one without its data is none that v could go on from.
func vouch(v *channelconfig.Verifier, b *common.Block, missing bool) error {
	if b.GetHeader() == nil {
		return fmt.Errorf("%w: no header", ErrMalformed)
	}
	if block.IsConfig(b) {
		if err := v.Verify(b); err != nil {
			return err
		}
		return v.Advance(b)
	}
	last, err := block.LastConfig(b)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case last != v.Bundle().Number():
		return fmt.Errorf("%w: block %d was made under configuration %d, and %d is in force", ErrMalformed, v.Next(), last, v.Bundle().Number())
	case missing:
		err = v.VerifyAttestation(b)
	case !bytes.Equal(b.Header.PreviousHash, v.PreviousHash()):
		err = channelconfig.ErrPreviousHash
	}
	if err != nil {
		return err
	}
	return v.Advance(&common.Block{Header: b.Header, Metadata: b.Metadata})
}
