// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/internal/stream"
)

// ask sends a request and returns the response, the numbers of the blocks that followed, and their bytes.
func (n *net) ask(t *testing.T, from, to *node, q *pb.Request) (response *pb.Response, numbers []uint64, bytes int) {
	s, err := stream.Open(t.Context(), from, to.ID(), blocksync.Protocol)
	require.NoError(t, err)
	defer s.Reset(network.StreamNoError)
	require.NoError(t, s.Write(q))
	require.NoError(t, s.CloseWrite())
	response = &pb.Response{}
	require.NoError(t, s.Read(response))
	var raw []byte
	for {
		var c pb.Chunk
		if err := s.Read(&c); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return response, numbers, bytes
		}
		raw = append(raw, c.Data...)
		bytes += len(c.Data)
		if uint64(len(raw)) < c.Size {
			require.Len(t, c.Data, blocksync.ChunkBytes)
			continue
		}
		require.EqualValues(t, c.Size, len(raw))
		want, err := proto.Marshal(n.Blocks[c.Number])
		require.NoError(t, err)
		require.Equal(t, want, raw)
		numbers, raw = append(numbers, c.Number), nil
	}
}

func span(from, to uint64) (numbers []uint64) {
	for ; from <= to; from++ {
		numbers = append(numbers, from)
	}
	return numbers
}

func TestServer(t *testing.T) {
	const height = 150
	long := string(make([]byte, blocksync.MaxScope+1))
	for name, c := range map[string]struct {
		q      *pb.Request
		status pb.Status
		height uint64
		want   []uint64
	}{
		"one":                   {&pb.Request{Scope: scope, From: 5, To: 5}, pb.Status_STATUS_OK, height, span(5, 5)},
		"genesis":               {&pb.Request{Scope: scope, From: 0, To: 0}, pb.Status_STATUS_OK, height, span(0, 0)},
		"longest range":         {&pb.Request{Scope: scope, From: 1, To: blocksync.MaxRange}, pb.Status_STATUS_OK, height, span(1, blocksync.MaxRange)},
		"one past it":           {&pb.Request{Scope: scope, From: 1, To: blocksync.MaxRange + 1}, pb.Status_STATUS_BAD_REQUEST, 0, nil},
		"whole number space":    {&pb.Request{Scope: scope, From: 0, To: 1<<64 - 1}, pb.Status_STATUS_BAD_REQUEST, 0, nil},
		"backwards":             {&pb.Request{Scope: scope, From: 5, To: 4}, pb.Status_STATUS_BAD_REQUEST, 0, nil},
		"end beyond the height": {&pb.Request{Scope: scope, From: 148, To: 160}, pb.Status_STATUS_OK, height, span(148, 149)},
		"at the height":         {&pb.Request{Scope: scope, From: height, To: height}, pb.Status_STATUS_NOT_FOUND, height, nil},
		"beyond the height":     {&pb.Request{Scope: scope, From: 1<<64 - 2, To: 1<<64 - 1}, pb.Status_STATUS_NOT_FOUND, height, nil},
		"other channel":         {&pb.Request{Scope: scope + "x", From: 5, To: 5}, pb.Status_STATUS_UNAUTHORIZED, 0, nil},
		"no channel":            {&pb.Request{}, pb.Status_STATUS_UNAUTHORIZED, 0, nil},
		"scope too long":        {&pb.Request{Scope: long, From: 5, To: 5}, pb.Status_STATUS_BAD_REQUEST, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, height-1, 10)
				server, client := n.node(t, height), n.node(t, 1)
				connect(t, client, server)
				r, numbers, _ := n.ask(t, client, server, c.q)
				require.Equal(t, c.status, r.Status)
				require.Equal(t, c.height, r.Height)
				require.Equal(t, c.want, numbers)
			})
		})
	}
}

func TestServerEndsAnswersAtResponseBytes(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 16, 1<<20)
		server, client := n.node(t, 17), n.node(t, 1)
		connect(t, client, server)
		_, numbers, bytes := n.ask(t, client, server, &pb.Request{Scope: scope, From: 1, To: 16})
		require.Equal(t, span(1, 8), numbers, "eight of a little more than 1 MiB pass 8 MiB")
		require.GreaterOrEqual(t, bytes, blocksync.ResponseBytes)
	})
}

func TestReaderWithoutRight(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 5, 10)
		server, client := n.node(t, 6), n.node(t, 1)
		server.reader = func(id peer.ID) bool { return id != client.ID() }
		connect(t, client, server)
		r, numbers, _ := n.ask(t, client, server, &pb.Request{Scope: scope, From: 1, To: 1})
		require.Equal(t, pb.Status_STATUS_UNAUTHORIZED, r.Status)
		require.Zero(t, r.Height)
		require.Empty(t, numbers)
	})
}

func TestUnreadableLedger(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 5, 10)
		server, client := n.node(t, 6), n.node(t, 1)
		server.ledger.set(func() { server.ledger.unread = true })
		connect(t, client, server)
		r, numbers, _ := n.ask(t, client, server, &pb.Request{Scope: scope, From: 1, To: 1})
		require.Equal(t, pb.Status_STATUS_UNAVAILABLE, r.Status)
		require.Empty(t, numbers)
	})
}

// TestServingWhileCommitting: a block that is being committed is waited for, a moment.
func TestServingWhileCommitting(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 2, 10)
		server, client := n.node(t, 1), n.node(t, 1)
		connect(t, client, server)
		gate := make(chan struct{})
		server.ledger.set(func() { server.ledger.gate = gate })
		require.NoError(t, server.Submit(t.Context(), n.clone(1)))

		start := time.Now()
		r, _, _ := n.ask(t, client, server, &pb.Request{Scope: scope, From: 1, To: 1})
		require.Equal(t, pb.Status_STATUS_NOT_FOUND, r.Status)
		require.InDelta(t, blocksync.PendingWait.Seconds(), time.Since(start).Seconds(), 0.1)

		time.AfterFunc(blocksync.PendingWait/2, func() { close(gate) })
		r, numbers, _ := n.ask(t, client, server, &pb.Request{Scope: scope, From: 1, To: 2})
		require.Equal(t, pb.Status_STATUS_OK, r.Status)
		require.Equal(t, span(1, 1), numbers)

		start = time.Now()
		r, _, _ = n.ask(t, client, server, &pb.Request{Scope: scope, From: 3, To: 3})
		require.Equal(t, pb.Status_STATUS_NOT_FOUND, r.Status)
		require.Less(t, time.Since(start), blocksync.PendingWait/2, "what is not pending is not waited for")
	})
}

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	number := strconv.Itoa
	p := blocksync.Protocol
	require.Equal(t, map[string]string{
		"ID": string(p.ID), "Service": p.Service, "Memory": number(p.Memory), "MaxMessage": number(p.MaxMessage),
		"MaxScope": number(blocksync.MaxScope), "MaxRange": number(blocksync.MaxRange), "MaxBlock": number(blocksync.MaxBlock),
		"ChunkBytes": number(blocksync.ChunkBytes), "ResponseBytes": number(blocksync.ResponseBytes),
		"blockSlack": number(blocksync.BlockSlack), "minRate": number(blocksync.MinRate),
		"Deadline": p.Deadline.String(), "pendingWait": blocksync.PendingWait.String(), "Rate": number(int(p.Rate)),
		"Burst": number(p.Burst), "Streams": number(p.Streams), "PeerStreams": number(p.PeerStreams),
		"OrgRate": number(int(p.OrgRate)), "OrgBurst": number(p.OrgBurst),
	}, spectest.Values(t, "sync.md", "Limits"))
	require.Equal(t, map[string]string{
		"fetchBlocks": number(blocksync.FetchBlocks), "fetchParallel": number(blocksync.FetchParallel),
		"fetchPerPeer": number(blocksync.FetchPerPeer), "fetchUrgent": number(blocksync.FetchUrgent),
		"maxHolders": number(blocksync.MaxHolders), "sourceGrace": blocksync.SourceGrace.String(),
		"hedgeMin": blocksync.HedgeMin.String(), "hedgeMax": blocksync.HedgeMax.String(),
		"penaltyMin": blocksync.PenaltyMin.String(), "penaltyMax": blocksync.PenaltyMax.String(),
		"lieFailures": number(blocksync.LieFailures), "giveUp": number(blocksync.GiveUp),
		"stallDecay": blocksync.StallDecay.String(),
	}, spectest.Values(t, "sync.md", "Whom to ask for what"))
	require.Equal(t, map[string]string{
		"Window": number(blocksync.Window), "maxCandidates": number(blocksync.MaxCandidates), "maxBuffered": number(blocksync.MaxBuffered),
		"maxParked": number(blocksync.MaxParked), "parkedEach": number(blocksync.ParkedEach),
	}, spectest.Values(t, "sync.md", "Reorder buffer"))
	require.Equal(t, map[string]string{
		"uploadBytes": number(blocksync.UploadBytes), "uploadLeast": number(blocksync.UploadLeast), "uploadWait": blocksync.UploadWait.String(),
		"uploadTurn": blocksync.UploadTurn.String(), "uploadEach": number(blocksync.UploadEach), "uploadOrg": number(blocksync.UploadOrg),
		"uploadOrgBytes": number(blocksync.UploadOrgBytes),
	}, spectest.Values(t, "sync.md", "Few answers at a time"))
}
