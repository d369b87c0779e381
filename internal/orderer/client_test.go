// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// connect opens a connection to the first orderer of the network, with a client certificate or without.
func connect(t *testing.T, n *orderertest.Network, cert *tls.Certificate) pb.AtomicBroadcastClient {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(n.Ordering.TLSRoot()))
	conf := &tls.Config{RootCAs: roots}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	conn, err := grpc.NewClient("passthrough:///"+n.Addresses[0],
		grpc.WithContextDialer(n.Dial), grpc.WithNoProxy(), grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewAtomicBroadcastClient(conn)
}

// deliver opens a Deliver stream.
func deliver(t *testing.T, n *orderertest.Network, cert *tls.Certificate) pb.AtomicBroadcast_DeliverClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := connect(t, n, cert).Deliver(ctx)
	require.NoError(t, err)
	return stream
}

// receive reads up to and including the next status, and returns the numbers of the blocks before it.
func receive(t *testing.T, stream pb.AtomicBroadcast_DeliverClient) (numbers []uint64, status common.Status) {
	t.Helper()
	for {
		answer, err := stream.Recv()
		require.NoError(t, err)
		if b := answer.GetBlock(); b != nil {
			numbers = append(numbers, b.GetHeader().GetNumber())
			continue
		}
		return numbers, answer.GetStatus()
	}
}

// envelope is a Deliver request that tests bend.
type envelope struct {
	channel string
	at      *timestamppb.Timestamp
	hash    []byte
	data    []byte
	signer  *devnet.Node
	foreign []byte // signature to use in place of the signer's
}

func request(n *orderertest.Network, info *pb.SeekInfo, change ...func(*envelope)) *common.Envelope {
	e := envelope{channel: n.Channel, at: timestamppb.Now(), signer: n.Peer, data: encode(info)}
	for _, c := range change {
		c(&e)
	}
	payload := encode(&common.Payload{
		Header: &common.Header{
			ChannelHeader: encode(&common.ChannelHeader{
				Type: int32(common.HeaderType_DELIVER_SEEK_INFO), ChannelId: e.channel, Timestamp: e.at, TlsCertHash: e.hash,
			}),
			SignatureHeader: encode(&common.SignatureHeader{Creator: e.signer.Serialize(), Nonce: []byte(time.Now().String())}),
		},
		Data: e.data,
	})
	signature := e.foreign
	if signature == nil {
		signature, _ = e.signer.Sign(payload)
	}
	return &common.Envelope{Payload: payload, Signature: signature}
}

func encode(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}

// seek builds a SeekInfo; a position is a number, or one of the words.
func seek(start, stop *pb.SeekPosition, change ...func(*pb.SeekInfo)) *pb.SeekInfo {
	info := &pb.SeekInfo{Start: start, Stop: stop}
	for _, c := range change {
		c(info)
	}
	return info
}

func at(number uint64) *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_Specified{Specified: &pb.SeekSpecified{Number: number}}}
}

func forever() *pb.SeekPosition { return at(math.MaxUint64) }

func oldest() *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_Oldest{Oldest: &pb.SeekOldest{}}}
}

func newest() *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_Newest{Newest: &pb.SeekNewest{}}}
}

func nextCommit() *pb.SeekPosition {
	return &pb.SeekPosition{Type: &pb.SeekPosition_NextCommit{NextCommit: &pb.SeekNextCommit{}}}
}

func failIfNotReady(s *pb.SeekInfo) { s.Behavior = pb.SeekInfo_FAIL_IF_NOT_READY }
func bestEffort(s *pb.SeekInfo)     { s.ErrorResponse = pb.SeekInfo_BEST_EFFORT }
func headersOnly(s *pb.SeekInfo)    { s.ContentType = pb.SeekInfo_HEADER_WITH_SIG }

func by(node *devnet.Node) func(*envelope) { return func(e *envelope) { e.signer = node } }
func off(d time.Duration) func(*envelope) {
	return func(e *envelope) { e.at = timestamppb.New(time.Now().Add(d)) }
}
