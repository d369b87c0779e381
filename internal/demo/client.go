// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/weft-p2p/weft/internal/devnet"
)

// maxMessage is Fabric's limit of a gRPC message.
const maxMessage = 100 << 20

// client sends transactions to the ordering service's Broadcast.
type client struct {
	conn    *grpc.ClientConn
	stream  orderer.AtomicBroadcast_BroadcastClient
	sent    int
	refused map[common.Status]int
}

func newClient(address string, m *material) (*client, error) {
	trust := credentials.NewTLS(&tls.Config{RootCAs: m.trust(), MinVersion: tls.VersionTLS12})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(trust), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, refused: map[common.Status]int{}}, nil
}

// send sends one transaction and waits for the answer. A transaction that is refused is counted; the ordering service
// closes the stream after it, and the next one opens another.
func (c *client) send(ctx context.Context, tx *common.Envelope) error {
	if c.stream == nil {
		var err error
		if c.stream, err = orderer.NewAtomicBroadcastClient(c.conn).Broadcast(ctx); err != nil {
			return fmt.Errorf("open Broadcast: %w", err)
		}
	}
	if err := c.stream.Send(tx); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("broadcast: %w", err)
	}
	answer, err := c.stream.Recv()
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if answer.Status != common.Status_SUCCESS {
		c.refused[answer.Status]++
		c.stream = nil
		return nil
	}
	c.sent++
	return nil
}

func (c *client) close() error { return c.conn.Close() }

// load yields the transactions to order, a block's worth at a time.
type load struct {
	next  func() ([]*common.Envelope, error) // nil when there are no more
	total int                                // blocks that they make, about
}

// randomLoad makes transactions of random bytes, signed by a client of the first organization.
func randomLoad(o Options, m *material) (*load, error) {
	identity, err := m.enroll(m.orgs[0], "client", devnet.Client)
	if err != nil {
		return nil, err
	}
	const overhead = 1100 // of an envelope: identity, signatures, header
	size := max(o.BlockSize/perBlock-overhead, 1)
	random := rand.NewChaCha8([32]byte{})
	made := 0
	return &load{total: o.Blocks, next: func() ([]*common.Envelope, error) {
		if made == o.Blocks {
			return nil, nil
		}
		made++
		txs := make([]*common.Envelope, perBlock)
		for i := range txs {
			if txs[i], err = devnet.Transaction(channelID, identity.Signer, size, random, time.Now()); err != nil {
				return nil, err
			}
		}
		return txs, nil
	}}, nil
}

// recordedLoad orders what was recorded, batch transactions at a time.
func recordedLoad(r *devnet.Recording, batch int) *load {
	left := r.Transactions
	return &load{total: (len(left) + batch - 1) / batch, next: func() ([]*common.Envelope, error) {
		txs := left[:min(batch, len(left))]
		left = left[len(txs):]
		return txs, nil
	}}
}
