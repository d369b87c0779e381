// SPDX-License-Identifier: Apache-2.0

package orderertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/orderer"
)

// Rogue is an orderer that answers Deliver with what a test makes of the true chain. It asks nobody who he is.
type Rogue struct {
	pb.UnimplementedAtomicBroadcastServer
	// Chain is where the blocks come from, Ledger holds them.
	Chain  *orderer.Orderer
	Ledger *orderer.Memory
	// Blocks and Headers make of a copy of a block what a stream of that kind carries in its place; nil is silence from there on. A function
	// that is nil carries what is true.
	Blocks, Headers func(*common.Block) *common.Block

	mu    sync.Mutex // guards asked
	asked int
}

// Withhold returns a function that carries the blocks below a number alone.
func Withhold(from uint64) func(*common.Block) *common.Block {
	return func(b *common.Block) *common.Block {
		if b.GetHeader().GetNumber() >= from {
			return nil
		}
		return b
	}
}

// Serve serves the rogue at an address of a network until the test ends.
func (r *Rogue) Serve(t testing.TB, n *Network, address string) {
	t.Helper()
	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&n.ServerTLS)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute}), // as Fabric's orderers
		grpc.WaitForHandlers(true),
	)
	pb.RegisterAtomicBroadcastServer(server, r)
	l, done := n.Listen(address), make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-done)
	})
}

// Asked is how many streams were opened.
func (r *Rogue) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Deliver answers one request.
func (r *Rogue) Deliver(stream pb.AtomicBroadcast_DeliverServer) error {
	r.mu.Lock()
	r.asked++
	r.mu.Unlock()
	info, err := seekInfo(stream)
	if err != nil {
		return err
	}
	change := r.Blocks
	if info.GetContentType() == pb.SeekInfo_HEADER_WITH_SIG {
		change = r.Headers
	}
	for number := info.GetStart().GetSpecified().GetNumber(); ; number++ {
		b, err := r.block(stream.Context(), number)
		if err != nil {
			return err
		}
		if change != nil {
			b = change(b)
		}
		if b == nil {
			<-stream.Context().Done()
			return stream.Context().Err()
		}
		if err := stream.Send(&pb.DeliverResponse{Type: &pb.DeliverResponse_Block{Block: b}}); err != nil {
			return err
		}
	}
}

// block waits for a block and returns a copy.
func (r *Rogue) block(ctx context.Context, number uint64) (*common.Block, error) {
	if err := r.Chain.WaitHeight(ctx, number+1); err != nil {
		return nil, err
	}
	b, err := r.Ledger.Block(number)
	return proto.CloneOf(b), err
}

func seekInfo(stream pb.AtomicBroadcast_DeliverServer) (*pb.SeekInfo, error) {
	e, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	payload, info := &common.Payload{}, &pb.SeekInfo{}
	if err := proto.Unmarshal(e.GetPayload(), payload); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := proto.Unmarshal(payload.GetData(), info); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return info, nil
}
