// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

const ok = common.Status_SUCCESS

// The answers are those measured with real orderers of Fabric 3.1.
func TestDeliverStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 4)
		stranger := orderertest.Enroll(t, orderertest.Org(t, "Org9"), "peer0", devnet.Peer)
		impostor := orderertest.Enroll(t, orderertest.Org(t, "Org1"), "peer0", devnet.Peer) // our MSP ID, another CA
		all := seek(oldest(), newest())
		for name, tc := range map[string]struct {
			info   *pb.SeekInfo
			change func(*envelope)
			blocks []uint64
			status common.Status
		}{
			"peer":                         {all, by(n.Peer), []uint64{0, 1, 2, 3}, ok},
			"client":                       {all, by(n.Client), []uint64{0, 1, 2, 3}, ok},
			"admin":                        {all, by(orderertest.Enroll(t, n.Org2, "Admin", devnet.Admin)), []uint64{0, 1, 2, 3}, ok},
			"orderer":                      {all, by(orderertest.Enroll(t, n.Ordering, "orderer7", devnet.Orderer)), []uint64{0, 1, 2, 3}, ok},
			"org outside the channel":      {all, by(stranger), nil, common.Status_FORBIDDEN},
			"other CA under our MSP ID":    {all, by(impostor), nil, common.Status_FORBIDDEN},
			"bad signature":                {all, func(e *envelope) { e.foreign = []byte("nonsense") }, nil, common.Status_FORBIDDEN},
			"clock 14 min ahead":           {all, off(14 * time.Minute), []uint64{0, 1, 2, 3}, ok},
			"clock 14 min behind":          {all, off(-14 * time.Minute), []uint64{0, 1, 2, 3}, ok},
			"clock 15 min behind":          {all, off(-15 * time.Minute), []uint64{0, 1, 2, 3}, ok},
			"clock 20 min ahead":           {all, off(20 * time.Minute), nil, common.Status_BAD_REQUEST},
			"clock 20 min behind":          {all, off(-20 * time.Minute), nil, common.Status_BAD_REQUEST},
			"no timestamp":                 {all, func(e *envelope) { e.at = nil }, nil, common.Status_BAD_REQUEST},
			"unknown channel":              {all, func(e *envelope) { e.channel = "elsewhere" }, nil, common.Status_NOT_FOUND},
			"wrong hash, no mutual TLS":    {all, func(e *envelope) { e.hash = []byte("wrong") }, []uint64{0, 1, 2, 3}, ok},
			"garbage in place of SeekInfo": {all, func(e *envelope) { e.data = []byte{0xff} }, nil, common.Status_BAD_REQUEST},

			"no start":                    {seek(nil, newest()), nil, nil, common.Status_BAD_REQUEST},
			"no stop":                     {seek(oldest(), nil), nil, nil, common.Status_BAD_REQUEST},
			"empty position":              {seek(&pb.SeekPosition{}, newest()), nil, nil, common.Status_BAD_REQUEST},
			"start behind stop":           {seek(at(3), at(2)), nil, nil, common.Status_BAD_REQUEST},
			"one block":                   {seek(at(2), at(2)), nil, []uint64{2}, ok},
			"oldest to oldest":            {seek(oldest(), oldest()), nil, []uint64{0}, ok},
			"newest to newest":            {seek(newest(), newest()), nil, []uint64{3}, ok},
			"past the end, not ready":     {seek(at(2), forever(), failIfNotReady), nil, []uint64{2, 3}, common.Status_NOT_FOUND},
			"at the end, not ready":       {seek(at(4), forever(), failIfNotReady), nil, nil, common.Status_NOT_FOUND},
			"far beyond the end":          {seek(at(5), forever()), nil, nil, common.Status_NOT_FOUND},
			"next commit as a stop":       {seek(oldest(), nextCommit()), nil, nil, common.Status_BAD_REQUEST},
			"next commit, not ready":      {seek(nextCommit(), forever(), failIfNotReady), nil, nil, common.Status_NOT_FOUND},
			"headers only":                {seek(oldest(), newest(), headersOnly), nil, []uint64{0, 1, 2, 3}, ok},
			"best effort with the leader": {seek(oldest(), newest(), bestEffort), nil, []uint64{0, 1, 2, 3}, ok},
		} {
			t.Log(name)
			stream := deliver(t, n, nil)
			var change []func(*envelope)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			require.NoError(t, stream.Send(request(n, tc.info, change...)), name)
			blocks, got := receive(t, stream)
			require.Equal(t, tc.status, got, name)
			require.Equal(t, tc.blocks, blocks, name)
			if got != ok {
				_, err := stream.Recv()
				require.ErrorIs(t, err, io.EOF, "%s: the stream ends after a rejection", name)
			}
		}
	})
}

func TestMalformedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Orderer(t, n.Config())
		for name, e := range map[string]*common.Envelope{
			"empty":                {},
			"garbage payload":      {Payload: []byte{0xff}},
			"no header":            {Payload: encode(&common.Payload{Data: []byte("x")})},
			"bad channel header":   {Payload: encode(&common.Payload{Header: &common.Header{ChannelHeader: []byte{0xff}}})},
			"bad signature header": {Payload: encode(&common.Payload{Header: &common.Header{SignatureHeader: []byte{0xff}}})},
		} {
			stream := deliver(t, n, nil)
			require.NoError(t, stream.Send(e), name)
			_, got := receive(t, stream)
			require.Equal(t, common.Status_BAD_REQUEST, got, name)
		}
	})
}

func TestDeliverFollowsTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 2)
		fromNext, fromOne := deliver(t, n, nil), deliver(t, n, nil)
		require.NoError(t, fromNext.Send(request(n, seek(nextCommit(), at(4)))))
		require.NoError(t, fromOne.Send(request(n, seek(at(1), at(4)))))
		synctest.Wait()
		open, most := o.Streams()
		require.Equal(t, 2, open)
		require.Equal(t, 2, most)
		n.Fill(t, o, 6)
		blocks, got := receive(t, fromNext)
		require.Equal(t, []uint64{2, 3, 4}, blocks)
		require.Equal(t, ok, got)
		blocks, _ = receive(t, fromOne)
		require.Equal(t, []uint64{1, 2, 3, 4}, blocks)

		require.NoError(t, fromOne.Send(request(n, seek(newest(), newest()))), "the stream takes another request")
		blocks, got = receive(t, fromOne)
		require.Equal(t, []uint64{5}, blocks)
		require.Equal(t, ok, got)
		require.NoError(t, fromOne.CloseSend())
		_, err := fromOne.Recv()
		require.ErrorIs(t, err, io.EOF)
		synctest.Wait()
		open, most = o.Streams()
		require.Equal(t, 1, open)
		require.Equal(t, 2, most)
	})
}

func TestHeadersWithSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 2)
		n.Configure(t, o, devnet.SetAnchors("Org1", "peer0.org1.example.com:7051"))
		n.Fill(t, o, 4)
		stream := deliver(t, n, nil)
		require.NoError(t, stream.Send(request(n, seek(oldest(), newest(), headersOnly))))
		for number := range uint64(4) {
			answer, err := stream.Recv()
			require.NoError(t, err)
			b := answer.GetBlock()
			require.Equal(t, number, b.GetHeader().GetNumber())
			require.Len(t, b.GetMetadata().GetMetadata(), block.MetadataEntries)
			config := number == 0 || number == 2
			require.Equal(t, config, b.GetData() != nil)
			require.Equal(t, config, block.IsConfig(b))
		}
	})
}

// A stream that runs gets the blocks before the config block that revokes its certificate, and FORBIDDEN in place of that block.
func TestAccessIsJudgedAgainAfterConfigBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 3)
		user := orderertest.Enroll(t, n.Org1, "User2", devnet.Client)
		revoked, other, newcomer := deliver(t, n, nil), deliver(t, n, nil), orderertest.Org(t, "Org3")
		require.NoError(t, revoked.Send(request(n, seek(oldest(), forever()), by(user))))
		require.NoError(t, other.Send(request(n, seek(oldest(), at(4)))))
		synctest.Wait()

		require.NoError(t, n.Org1.Revoke(user.Certificate, time.Now()))
		require.EqualValues(t, 3, n.Configure(t, o, devnet.SetMSP(n.Org1)))
		blocks, got := receive(t, revoked)
		require.Equal(t, []uint64{0, 1, 2}, blocks)
		require.Equal(t, common.Status_FORBIDDEN, got)

		peer := orderertest.Enroll(t, newcomer, "peer0", devnet.Peer)
		early := deliver(t, n, nil)
		require.NoError(t, early.Send(request(n, seek(oldest(), newest()), by(peer))))
		_, got = receive(t, early)
		require.Equal(t, common.Status_FORBIDDEN, got)
		require.EqualValues(t, 4, n.Configure(t, o, devnet.AddOrg(newcomer)))
		late := deliver(t, n, nil)
		require.NoError(t, late.Send(request(n, seek(oldest(), newest()), by(peer))))
		blocks, got = receive(t, late)
		require.Equal(t, []uint64{0, 1, 2, 3, 4}, blocks)
		require.Equal(t, ok, got)
		_, got = receive(t, other)
		require.Equal(t, ok, got)
	})
}

func TestExpiredIdentitiesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		issued := time.Now().Add(2*time.Hour - 10*365*24*time.Hour) // two hours before the end of what it issues
		old, err := devnet.NewOrg("Org3", issued)
		require.NoError(t, err)
		peer, err := old.Enroll("peer0", devnet.Peer, issued)
		require.NoError(t, err)
		client, err := old.Enroll("User1", devnet.Client, issued)
		require.NoError(t, err)
		n.Configure(t, o, devnet.AddOrg(old))
		running := deliver(t, n, nil)
		require.NoError(t, running.Send(request(n, seek(oldest(), forever()), by(peer))))
		time.Sleep(3 * time.Hour)
		n.Fill(t, o, 3)
		blocks, got := receive(t, running)
		require.Equal(t, []uint64{0, 1}, blocks)
		require.Equal(t, common.Status_FORBIDDEN, got)
		late := deliver(t, n, nil)
		require.NoError(t, late.Send(request(n, seek(oldest(), newest()), by(peer))))
		_, got = receive(t, late)
		require.Equal(t, common.Status_FORBIDDEN, got)

		e, err := devnet.Transaction(n.Channel, client, 10, rand.Reader, time.Now())
		require.NoError(t, err)
		refused := &server.Refusal{}
		require.ErrorAs(t, o.Order(t.Context(), e), &refused)
		require.Equal(t, common.Status_FORBIDDEN, refused.Status)
	})
}

func TestWithoutLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 2)
		running, tolerant := deliver(t, n, nil), deliver(t, n, nil)
		require.NoError(t, running.Send(request(n, seek(oldest(), forever()))))
		synctest.Wait()
		o.Suspend(true)
		blocks, got := receive(t, running)
		require.Equal(t, []uint64{0, 1}, blocks)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, got)
		require.NoError(t, tolerant.Send(request(n, seek(oldest(), newest(), bestEffort))))
		blocks, got = receive(t, tolerant)
		require.Equal(t, []uint64{0, 1}, blocks)
		require.Equal(t, ok, got)

		strict := deliver(t, n, nil)
		require.NoError(t, strict.Send(request(n, seek(oldest(), newest()))))
		_, got = receive(t, strict)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, got)
		o.Suspend(false)
		again := deliver(t, n, nil)
		require.NoError(t, again.Send(request(n, seek(oldest(), newest()))))
		_, got = receive(t, again)
		require.Equal(t, ok, got)
	})
}

func TestMutualTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		cfg := n.Config()
		cfg.ClientAuth = true
		o := n.Orderer(t, cfg)
		ours, newcomer := orderertest.ClientTLS(t, n.Org1), orderertest.Org(t, "Org3")
		theirs := orderertest.ClientTLS(t, newcomer)
		leaf := func(c *tls.Certificate) func(*envelope) {
			hash := sha256.Sum256(c.Certificate[0])
			return func(e *envelope) { e.hash = hash[:] }
		}
		ask := func(cert *tls.Certificate, change ...func(*envelope)) (common.Status, error) {
			stream := tryDeliver(t, n, cert)
			if stream == nil {
				return 0, errHandshake
			}
			require.NoError(t, stream.Send(request(n, seek(oldest(), newest()), change...)))
			_, got := receive(t, stream)
			return got, nil
		}
		got, err := ask(ours, leaf(ours))
		require.NoError(t, err)
		require.Equal(t, ok, got)
		got, err = ask(ours)
		require.NoError(t, err)
		require.Equal(t, common.Status_BAD_REQUEST, got, "hash missing")
		got, err = ask(ours, leaf(theirs))
		require.NoError(t, err)
		require.Equal(t, common.Status_BAD_REQUEST, got, "hash of another certificate")
		_, err = ask(nil)
		require.ErrorIs(t, err, errHandshake, "no certificate")
		_, err = ask(theirs, leaf(theirs))
		require.ErrorIs(t, err, errHandshake, "TLS CA of no organization in the channel")
		n.Configure(t, o, devnet.AddOrg(newcomer))
		got, err = ask(theirs, leaf(theirs))
		require.NoError(t, err)
		require.Equal(t, ok, got, "the TLS CAs of the channel's organizations are trusted")
	})
}

var errHandshake = errors.New("the TLS handshake fails")

// tryDeliver opens a Deliver stream and returns nil when the server ends the connection in the handshake.
func tryDeliver(t *testing.T, n *orderertest.Network, cert *tls.Certificate) pb.AtomicBroadcast_DeliverClient {
	t.Helper()
	stream, err := connect(t, n, cert).Deliver(t.Context())
	if err != nil {
		require.Equal(t, codes.Unavailable, status.Code(err))
		return nil
	}
	return stream
}
