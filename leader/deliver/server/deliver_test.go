// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

const success = common.Status_SUCCESS

// What a stock peer sees is what an orderer would send it: internal/orderer has the table of statuses, on this same server.
func TestOrdererBlocksAreThoseOfTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 3)
		c.configure(t, devnet.AddOrg(orderertest.Org(t, "Org3")))
		c.fill(t, 5)
		stream := serve(t, c, c.config()).deliver(t)
		require.NoError(t, stream.Send(c.request(seek(oldest(), newest()))))
		for number := range uint64(5) {
			answer, err := stream.Recv()
			require.NoError(t, err)
			want, err := c.made.Bytes(number)
			require.NoError(t, err)
			require.Equal(t, want, encode(answer.GetBlock()), "block %d", number)
		}
		require.NoError(t, stream.Send(c.request(seek(oldest(), newest(), headersOnly))))
		_, err := stream.Recv() // the status of the first request
		require.NoError(t, err)
		for number := range uint64(5) {
			answer, err := stream.Recv()
			require.NoError(t, err)
			want, err := c.made.Block(number)
			require.NoError(t, err)
			if !block.IsConfig(want) {
				want = &common.Block{Header: want.Header, Metadata: want.Metadata}
			}
			require.Equal(t, encode(want), encode(answer.GetBlock()), "block %d", number)
			require.Equal(t, number == 0 || number == 3, answer.GetBlock().GetData() != nil)
		}
	})
}

// A peer asks for newest and then, on the same stream, for the last configuration (peer channel fetch config).
func TestSeveralRequestsOnAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 4)
		stream := serve(t, c, c.config()).deliver(t)
		for _, tc := range []struct {
			info   *orderer.SeekInfo
			blocks []uint64
		}{
			{seek(newest(), newest()), []uint64{3}},
			{seek(at(0), at(0)), []uint64{0}},
			{seek(at(2), at(3)), []uint64{2, 3}},
			{seek(oldest(), oldest()), []uint64{0}},
		} {
			require.NoError(t, stream.Send(c.request(tc.info)))
			blocks, got, err := receive(stream)
			require.NoError(t, err)
			require.Equal(t, success, got)
			require.Equal(t, tc.blocks, blocks)
		}
		require.NoError(t, stream.Send(c.request(seek(nextCommit(), at(4)))))
		synctest.Wait()
		c.fill(t, 6)
		blocks, got, err := receive(stream)
		require.NoError(t, err)
		require.Equal(t, success, got)
		require.Equal(t, []uint64{4}, blocks)

		require.NoError(t, stream.Send(c.request(seek(at(5), at(9), failIfNotReady))))
		blocks, got, err = receive(stream)
		require.NoError(t, err)
		require.Equal(t, common.Status_NOT_FOUND, got)
		require.Equal(t, []uint64{5}, blocks)
	})
}

// The statuses that a real peer answered (research on Fabric 3.1): its policy is that of the application, not of the channel.
func TestPeerServiceStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 3)
		s := serve(t, c, c.config())
		all := seek(oldest(), newest())
		stranger := orderertest.Enroll(t, orderertest.Org(t, "Org9"), "peer0", devnet.Peer)
		for name, tc := range map[string]struct {
			info   *orderer.SeekInfo
			change []func(*ask)
			blocks int
			status common.Status
		}{
			"peer":                        {all, nil, 3, success},
			"client":                      {all, []func(*ask){by(c.net.Client)}, 3, success},
			"orderer":                     {all, []func(*ask){by(orderertest.Enroll(t, c.net.Ordering, "orderer7", devnet.Orderer))}, 0, common.Status_FORBIDDEN},
			"stranger":                    {all, []func(*ask){by(stranger)}, 0, common.Status_FORBIDDEN},
			"clock 20 min behind":         {all, []func(*ask){off(-20 * time.Minute)}, 0, common.Status_BAD_REQUEST},
			"start behind stop":           {seek(at(2), at(1)), nil, 0, common.Status_BAD_REQUEST},
			"unknown channel":             {all, []func(*ask){on("elsewhere")}, 0, common.Status_NOT_FOUND},
			"past the end, not ready":     {seek(at(1), at(7), failIfNotReady), nil, 2, common.Status_NOT_FOUND},
			"beyond the end":              {seek(at(9), at(9)), nil, 0, common.Status_NOT_FOUND},
			"newest":                      {seek(newest(), newest()), nil, 1, success},
			"headers with signatures":     {seek(oldest(), newest(), headersOnly), nil, 3, success},
			"best effort changes nothing": {seek(oldest(), newest(), bestEffort), nil, 3, success},
		} {
			for _, filtered := range []bool{false, true} {
				blocks, got := deliverFromPeer(t, s, filtered, c.request(tc.info, tc.change...))
				require.Equal(t, tc.status, got, "%s, filtered: %t", name, filtered)
				require.Len(t, blocks, tc.blocks, "%s, filtered: %t", name, filtered)
			}
		}
	})
}

// A channel may set other policies for the events of peers; orderers do not know these.
func TestPeerServiceFollowsTheACLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		c.configure(t, func(channel *common.ConfigGroup) error {
			channel.Groups["Application"].Values["ACLs"] = &common.ConfigValue{ModPolicy: "Admins", Value: encode(&peer.ACLs{Acls: map[string]*peer.APIResource{
				"event/Block": {PolicyRef: "Org1/Admins"}, "event/FilteredBlock": {PolicyRef: "/Channel/Orderer/Readers"},
			}})}
			return nil
		})
		s := serve(t, c, c.config())
		admin := orderertest.Enroll(t, c.net.Org1, "Admin", devnet.Admin)
		other := orderertest.Enroll(t, c.net.Org2, "Admin", devnet.Admin)
		service := orderertest.Enroll(t, c.net.Ordering, "orderer7", devnet.Orderer)
		for name, tc := range map[string]struct {
			signer   *devnet.Node
			filtered bool
			status   common.Status
		}{
			"a peer":                             {c.net.Peer, false, common.Status_FORBIDDEN},
			"an admin":                           {admin, false, success},
			"an admin of the other organization": {other, false, common.Status_FORBIDDEN},
			"a peer, filtered":                   {c.net.Peer, true, common.Status_FORBIDDEN},
			"an orderer, filtered":               {service, true, success},
			"an orderer, whole":                  {service, false, common.Status_FORBIDDEN},
		} {
			_, got := deliverFromPeer(t, s, tc.filtered, c.request(seek(newest(), newest()), by(tc.signer)))
			require.Equal(t, tc.status, got, name)
		}
		stream := s.deliver(t)
		require.NoError(t, stream.Send(c.request(seek(newest(), newest()))))
		_, got, err := receive(stream)
		require.NoError(t, err)
		require.Equal(t, success, got)
	})
}

// TestMaintenance: while the ordering service is in maintenance, its organizations alone may read as from an orderer; a stream that others
// have open ends. What serves events goes on.
func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s := serve(t, c, c.config())
		follower := s.deliver(t)
		require.NoError(t, follower.Send(c.request(forever(0))))
		synctest.Wait()
		c.configure(t, devnet.SetConsensusState(orderer.ConsensusType_STATE_MAINTENANCE))
		numbers, got, err := receive(follower)
		require.NoError(t, err)
		require.Equal(t, common.Status_FORBIDDEN, got)
		require.Equal(t, []uint64{0, 1}, numbers, "not even the block that says so")
		service := orderertest.Enroll(t, c.net.Ordering, "orderer7", devnet.Orderer)
		ask := func(signer *devnet.Node) common.Status {
			stream := s.deliver(t)
			require.NoError(t, stream.Send(c.request(seek(newest(), newest()), by(signer))))
			_, got, err := receive(stream)
			require.NoError(t, err)
			return got
		}
		require.Equal(t, common.Status_FORBIDDEN, ask(c.net.Peer))
		require.Equal(t, success, ask(service))
		_, got = deliverFromPeer(t, s, false, c.request(seek(newest(), newest()), by(c.net.Peer)))
		require.Equal(t, success, got, "the peer's service")
		c.configure(t, devnet.SetConsensusState(orderer.ConsensusType_STATE_NORMAL))
		require.Equal(t, success, ask(c.net.Peer))
	})
}

// deliverFromPeer asks the peer's service once.
func deliverFromPeer(t *testing.T, s served, filtered bool, e *common.Envelope) (answers []*peer.DeliverResponse, status common.Status) {
	t.Helper()
	client := s.connect(t, nil)
	var stream peer.Deliver_DeliverClient
	var err error
	if filtered {
		stream, err = client.events.DeliverFiltered(t.Context())
	} else {
		stream, err = client.events.Deliver(t.Context())
	}
	require.NoError(t, err)
	require.NoError(t, stream.Send(e))
	for {
		answer, err := stream.Recv()
		require.NoError(t, err)
		if _, ok := answer.GetType().(*peer.DeliverResponse_Status); ok {
			return answers, answer.GetStatus()
		}
		answers = append(answers, answer)
	}
}

// weft executes nothing: it says NOT_VALIDATED, Fabric's own code for that, and VALID of configurations alone.
func TestPeerBlocksSayThatNothingIsValidated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		c.configure(t, devnet.AddOrg(orderertest.Org(t, "Org3")))
		c.fill(t, 4)
		s := serve(t, c, c.config())
		codes := []peer.TxValidationCode{peer.TxValidationCode_VALID, peer.TxValidationCode_NOT_VALIDATED, peer.TxValidationCode_VALID, peer.TxValidationCode_NOT_VALIDATED}
		blocks, _ := deliverFromPeer(t, s, false, c.request(seek(oldest(), newest())))
		for number, answer := range blocks {
			want, err := c.made.Block(uint64(number))
			require.NoError(t, err)
			got := answer.GetBlock()
			require.True(t, proto.Equal(want.Header, got.Header))
			require.True(t, proto.Equal(want.Data, got.Data))
			filter := got.GetMetadata().GetMetadata()[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
			require.Equal(t, []byte{byte(codes[number])}, filter, "block %d", number)
			require.Equal(t, want.GetMetadata().GetMetadata()[0], got.GetMetadata().GetMetadata()[0], "signatures")
			require.Len(t, got.GetMetadata().GetMetadata(), block.MetadataEntries)
		}
		headers, _ := deliverFromPeer(t, s, false, c.request(seek(at(1), at(2), headersOnly)))
		require.Nil(t, headers[0].GetBlock().GetData())
		require.True(t, block.IsConfig(headers[1].GetBlock()), "config blocks whole")

		filtered, _ := deliverFromPeer(t, s, true, c.request(seek(oldest(), newest())))
		for number, answer := range filtered {
			b := answer.GetFilteredBlock()
			require.Equal(t, c.net.Channel, b.GetChannelId())
			require.EqualValues(t, number, b.GetNumber())
			require.Len(t, b.GetFilteredTransactions(), 1)
			require.Equal(t, codes[number], b.GetFilteredTransactions()[0].GetTxValidationCode())
		}
		first, err := c.made.Block(1)
		require.NoError(t, err)
		id, err := block.TxID(first.GetData().GetData()[0])
		require.NoError(t, err)
		tx := filtered[1].GetFilteredBlock().GetFilteredTransactions()[0]
		require.EqualValues(t, id, tx.GetTxid())
		require.Equal(t, common.HeaderType_ENDORSER_TRANSACTION, tx.GetType())
		require.Equal(t, common.HeaderType_CONFIG, filtered[2].GetFilteredBlock().GetFilteredTransactions()[0].GetType())
	})
}

// An embedder's ledger may know validation codes; then they are passed on.
func TestValidationCodesOfTheLedgerArePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		c.replace(func(number uint64) ([]byte, error) {
			b, err := c.made.Block(number)
			if err != nil {
				return nil, err
			}
			b = proto.CloneOf(b)
			b.Metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{byte(peer.TxValidationCode_MVCC_READ_CONFLICT)}
			return proto.Marshal(b)
		})
		filtered, _ := deliverFromPeer(t, serve(t, c, c.config()), true, c.request(seek(at(1), at(1))))
		tx := filtered[0].GetFilteredBlock().GetFilteredTransactions()[0]
		require.Equal(t, peer.TxValidationCode_MVCC_READ_CONFLICT, tx.GetTxValidationCode())
	})
}

func TestPrivateDataIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 1)
		stream, err := serve(t, c, c.config()).connect(t, nil).events.DeliverWithPrivateData(t.Context())
		require.NoError(t, err)
		_, err = stream.Recv()
		require.Equal(t, codes.Unimplemented, status.Code(err))
		require.ErrorContains(t, err, "no private data; ask a peer")
	})
}

// A stock peer dies of a block without a header, and a gap or a foreign block stops it: nothing of the sort leaves, whatever the ledger
// returns.
func TestNeverABlockThatIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 4)
		whole, err := c.made.Block(2)
		require.NoError(t, err)
		raw := encode(whole)
		for name, bytes := range map[string]func(uint64) ([]byte, error){
			"no header": func(uint64) ([]byte, error) {
				return encode(&common.Block{Data: whole.Data, Metadata: whole.Metadata}), nil
			},
			"no data": func(uint64) ([]byte, error) {
				return encode(&common.Block{Header: whole.Header, Metadata: whole.Metadata}), nil
			},
			"no metadata": func(uint64) ([]byte, error) {
				return encode(&common.Block{Header: whole.Header, Data: whole.Data}), nil
			},
			"next block": func(n uint64) ([]byte, error) { return c.made.Bytes(n + 1) },
			"cut off":    func(uint64) ([]byte, error) { return raw[:len(raw)-1], nil },
			"two blocks": func(uint64) ([]byte, error) { return append(append([]byte{}, raw...), raw...), nil },
			"empty":      func(uint64) ([]byte, error) { return nil, nil },
			"garbage":    func(uint64) ([]byte, error) { return []byte{0xff, 0xff, 0xff}, nil },
			"an error":   func(uint64) ([]byte, error) { return nil, errGone },
		} {
			c.replace(func(number uint64) ([]byte, error) {
				if number == 2 {
					return bytes(number)
				}
				return c.made.Bytes(number)
			})
			stream := serve(t, c, c.config()).deliver(t)
			require.NoError(t, stream.Send(c.request(seek(oldest(), newest()))))
			blocks, got, err := receive(stream)
			require.NoError(t, err, name)
			require.Equal(t, []uint64{0, 1}, blocks, name)
			require.Equal(t, common.Status_SERVICE_UNAVAILABLE, got, name)
		}
	})
}

// A stream that waits ends with FORBIDDEN as soon as a configuration revokes its certificate, and at the certificate's end.
func TestAccessEndsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		issued := time.Now().Add(2*time.Hour - 10*365*24*time.Hour)
		old, err := devnet.NewOrg("Org3", issued)
		require.NoError(t, err)
		ending, err := old.Enroll("peer0", devnet.Peer, issued)
		require.NoError(t, err)
		c.configure(t, devnet.AddOrg(old))
		s := serve(t, c, c.config())
		user := orderertest.Enroll(t, c.net.Org1, "User2", devnet.Client)
		revoked, expires := s.deliver(t), s.deliver(t)
		require.NoError(t, revoked.Send(c.request(forever(0), by(user))))
		require.NoError(t, expires.Send(c.request(forever(0), by(ending))))
		synctest.Wait()

		require.NoError(t, c.net.Org1.Revoke(user.Certificate, time.Now()))
		c.configure(t, devnet.SetMSP(c.net.Org1))
		blocks, got, err := receive(revoked)
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1, 2}, blocks, "FORBIDDEN in place of the block that revokes")
		require.Equal(t, common.Status_FORBIDDEN, got)

		began := time.Now()
		blocks, got, err = receive(expires)
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1, 2, 3}, blocks)
		require.Equal(t, common.Status_FORBIDDEN, got)
		require.WithinDuration(t, ending.Certificate.NotAfter, time.Now(), time.Second, "no block was needed to notice; began %s", began)
	})
}

// A node that knows of blocks that it cannot serve sends what it has, and then the client elsewhere, with a reason for its log.
func TestStuckChainEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 3)
		s := serve(t, c, c.config())
		stream := s.deliver(t)
		require.NoError(t, stream.Send(c.request(forever(1))))
		synctest.Wait()
		var lag server.Lag
		began := time.Now()
		for lag.Observe(time.Now(), 3, 8) == nil {
			time.Sleep(time.Second)
		}
		c.set(func(s *server.State) { s.Stuck = lag.Observe(time.Now(), 3, 8) })
		blocks, _, err := receive(stream)
		require.Equal(t, []uint64{1, 2}, blocks)
		require.Equal(t, codes.Unavailable, status.Code(err))
		require.ErrorContains(t, err, "block 7 was made 5s ago and is not here")
		require.Equal(t, 5*time.Second, time.Since(began))

		again := s.deliver(t)
		require.NoError(t, again.Send(c.request(forever(0))))
		blocks, _, err = receive(again)
		require.Equal(t, []uint64{0, 1, 2}, blocks, "what there is can be had")
		require.Equal(t, codes.Unavailable, status.Code(err))
		bounded := s.deliver(t)
		require.NoError(t, bounded.Send(c.request(seek(oldest(), at(2)))))
		_, got, err := receive(bounded)
		require.NoError(t, err)
		require.Equal(t, success, got)
	})
}
