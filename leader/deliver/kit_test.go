// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// config is that of a peer of the network that knows its genesis block.
func config(t *testing.T, n *orderertest.Network) deliver.Config {
	t.Helper()
	signer, bundle := orderertest.Signer(t, n.Peer), n.Bundle(t)
	return deliver.Config{
		Channel: n.Channel, Endpoints: bundle.Endpoints, Signer: func() *msp.SigningIdentity { return signer }, Dial: n.Dial,
	}
}

// only returns the endpoints of the genesis block with one of the addresses.
func only(t *testing.T, n *orderertest.Network, address string) func() []channelconfig.Endpoint {
	t.Helper()
	for _, e := range n.Bundle(t).Endpoints() {
		if e.Address == address {
			return func() []channelconfig.Endpoint { return []channelconfig.Endpoint{e} }
		}
	}
	t.Fatalf("no endpoint %s", address)
	return nil
}

func newClient(t *testing.T, cfg deliver.Config) *deliver.Client {
	t.Helper()
	c, err := deliver.New(cfg)
	require.NoError(t, err)
	return c
}

// receiver takes blocks.
type receiver struct {
	mu     sync.Mutex // guards blocks
	blocks []*common.Block
}

func (r *receiver) submit(_ context.Context, b *common.Block) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks = append(r.blocks, b)
	return nil
}

func (r *receiver) Height() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(len(r.blocks))
}

func (r *receiver) numbers() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	numbers := make([]uint64, len(r.blocks))
	for i, b := range r.blocks {
		numbers[i] = b.GetHeader().GetNumber()
	}
	return numbers
}

// pull runs Pull in the background; stop ends it and returns its error.
func pull(t *testing.T, c *deliver.Client, from uint64, submit func(context.Context, *common.Block) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Pull(ctx, from, submit) }()
	return func() error {
		cancel()
		return <-done
	}
}

// fake is an orderer that answers every Deliver request with what the test says.
type fake struct {
	pb.UnimplementedAtomicBroadcastServer
	answer func(stream pb.AtomicBroadcast_DeliverServer, request *common.Envelope) error
}

func (f *fake) Deliver(stream pb.AtomicBroadcast_DeliverServer) error {
	e, err := stream.Recv()
	if err != nil {
		return err
	}
	return f.answer(stream, e)
}

// serveFake serves a fake orderer at an address, over TLS with the network's certificate.
func serveFake(t *testing.T, n *orderertest.Network, l net.Listener, answer func(pb.AtomicBroadcast_DeliverServer, *common.Envelope) error) {
	t.Helper()
	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&n.ServerTLS)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute}), // as Fabric's orderers
		grpc.WaitForHandlers(true),
	)
	pb.RegisterAtomicBroadcastServer(server, &fake{answer: answer})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
}

func blockAnswer(b *common.Block) *pb.DeliverResponse {
	return &pb.DeliverResponse{Type: &pb.DeliverResponse_Block{Block: b}}
}

func statusAnswer(s common.Status) *pb.DeliverResponse {
	return &pb.DeliverResponse{Type: &pb.DeliverResponse_Status{Status: s}}
}

func blockOf(number uint64, size int) *common.Block {
	return &common.Block{
		Header:   &common.BlockHeader{Number: number},
		Data:     &common.BlockData{Data: [][]byte{make([]byte, size)}},
		Metadata: &common.BlockMetadata{},
	}
}

func decode(t *testing.T, raw []byte, m proto.Message) {
	t.Helper()
	require.NoError(t, proto.Unmarshal(raw, m))
}
