// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/leader"
)

// censored is a network whose ordering service has several endpoints, one of which withholds blocks: the first that a victim asks for blocks.
type censored struct {
	*testNet
	service *orderertest.Network

	mu      sync.Mutex // guards culprit
	culprit string
}

// newCensored makes a network of two organizations with peers of each; all blocks from a number on are withheld by one endpoint.
func newCensored(t *testing.T, service *orderertest.Network, from uint64, peers ...int) *censored {
	ledger := orderer.NewMemory()
	cfg := service.Config()
	cfg.Ledger = ledger
	o, err := orderer.New(cfg)
	require.NoError(t, err)
	n := &censored{service: service, testNet: &testNet{Net: simtest.New(t, lan), t: t, log: testLog(t), client: service.Client, genesis: service.Genesis}}
	n.random = n.Rand(2)
	n.ordering = &ordering{config: cfg, orderer: o, blocks: ledger}
	t.Cleanup(service.Serve(t, o))
	for _, address := range service.Addresses {
		r := &orderertest.Rogue{Chain: o, Ledger: ledger, Blocks: func(b *common.Block) *common.Block {
			if n.withholds(address) && b.Header.Number >= from {
				return nil
			}
			return b
		}}
		r.Serve(t, service, address)
	}
	for i, org := range []*devnet.Org{service.Org1, service.Org2} {
		for p := range peers[i] {
			n.add(org, p)
		}
	}
	return n
}

// withholds says whether an endpoint is the one that does: the first that is asked.
func (n *censored) withholds(address string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.culprit == "" {
		n.culprit = address
	}
	return n.culprit == address
}

// from lets a peer lead and ask the endpoints that it may.
func (n *censored) from(may func(address string) bool) []weft.JoinOption {
	return []weft.JoinOption{weft.AsLeader(), weft.WithOrdererDialer(func(ctx context.Context, address string) (net.Conn, error) {
		if !may(address) {
			return nil, errCut
		}
		return n.service.Dial(ctx, address)
	})}
}

// anywhere lets a peer ask every endpoint.
func anywhere(string) bool { return true }

// TestBFTOrdererWithholds: a BFT channel, one organization, no other source than the orderers. The headers of another orderer betray the one
// that withholds, and all blocks arrive.
func TestBFTOrdererWithholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newCensored(t, orderertest.NewBFT(t, 4), 5, 2, 0)
		n.orderOn(2)
		n.peers[0].start(n.from(anywhere)...)
		n.peers[1].start()
		time.Sleep(meeting)
		n.orderOn(12)
		time.Sleep(leader.DefaultCensorship - 2*time.Second)
		require.EqualValues(t, 5, n.peers[0].channel.Height(), "nothing else is known")
		require.Equal(t, n.culprit, n.peers[0].channel.Status().Source.Endpoint)
		n.requireAll(10*time.Second, n.peers...)
		require.NotEqual(t, n.culprit, n.peers[0].channel.Status().Source.Endpoint)
	})
}

// TestSourceThatWithholdsFromOneOrganization: a raft channel, where no headers are asked for. The other organization's leader announces what
// the orderer withholds: no block is late, and the orderer is left.
func TestSourceThatWithholdsFromOneOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newCensored(t, orderertest.New(t), 3, 1, 1)
		victim, other := n.peers[0], n.peers[1]
		n.orderOn(2)
		victim.start(n.from(anywhere)...)
		time.Sleep(time.Second)
		other.start(n.from(func(address string) bool { return !n.withholds(address) })...)
		time.Sleep(meeting)
		n.orderOn(12)
		n.requireAll(3*time.Second, victim, other)
		require.Equal(t, n.culprit, victim.channel.Status().Source.Endpoint)
		time.Sleep(leader.DefaultCensorship + time.Second)
		require.NotEqual(t, n.culprit, victim.channel.Status().Source.Endpoint)
		require.ErrorIs(t, victim.channel.Status().Source.LastErr, leader.ErrWithheld)
	})
}

// TestRestartsOfTheOrdererFetchNothingTwice: the ordering service dies twenty times while it orders, and the ledger takes longer for a
// block than the next stream takes to open. Every block reaches the ledger, and comes over a stream once.
func TestRestartsOfTheOrdererFetchNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 1)
		disk, err := ledger.Open(t.TempDir(), ledger.Options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, disk.Close()) }()
		p := n.peers[0].start(weft.AsLeader(), weft.WithLedger(slowDisk{disk}))
		defer p.stop()
		for range 20 {
			n.order(1+n.random.IntN(10), 1000, time.Duration(n.random.IntN(20))*time.Millisecond)
			n.kill()
			time.Sleep(time.Duration(n.random.IntN(500)) * time.Millisecond)
			n.serve()
		}
		n.requireAll(time.Minute, p)
		require.Equal(t, p.channel.Height()-1, p.channel.Status().Source.Blocks)
	})
}

// slowDisk is a ledger whose appends take a second.
type slowDisk struct{ weft.Ledger }

func (s slowDisk) Append(blocks ...*common.Block) error {
	time.Sleep(time.Second)
	return s.Ledger.Append(blocks...)
}

// orderOn orders blocks until the chain has a height.
func (n *censored) orderOn(height uint64) { n.service.Fill(n.t, n.orderer, height) }
