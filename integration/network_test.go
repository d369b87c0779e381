// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/simtest"
)

const channelName = "weftchannel"

// testNet is a network of organizations, their peers and an ordering service, in virtual time.
type testNet struct {
	*simtest.Net
	*ordering
	t          *testing.T
	log        *slog.Logger
	orgs       []*devnet.Org
	client     *devnet.Node
	genesis    *common.Block
	random     *rand.Rand
	peers      []*testPeer
	heartbeats sync.Map             // IDs of heartbeats on pubsub
	counts     *prometheus.Registry // of all peers together, where they are given it
	sockets    *sockets             // in place of Net, for what is measured in real time; nil otherwise
}

// newNet makes a network; no peer runs yet. Peers are numbered through all organizations: org o's are o*peers and on.
func newNet(t *testing.T, link simtest.Link, orgs, peers int) *testNet {
	n := &testNet{Net: simtest.New(t, link), t: t, log: testLog(t)}
	n.random = n.Rand(2)
	n.found(orgs, peers)
	return n
}

// found makes the organizations, their peers and the ordering service.
func (n *testNet) found(orgs, peers int) {
	for o := range orgs {
		n.orgs = append(n.orgs, n.newOrg(fmt.Sprintf("Org%d", o+1)))
	}
	n.client = n.enroll(n.orgs[0], "client", devnet.Client)
	n.ordering, n.genesis = n.newOrdering()
	n.serve()
	for _, org := range n.orgs {
		for p := range peers {
			n.add(org, p)
		}
	}
}

func testLog(t *testing.T) *slog.Logger {
	level := slog.LevelWarn
	if text := os.Getenv("WEFT_LOG"); text != "" {
		require.NoError(t, level.UnmarshalText([]byte(text)))
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

func (n *testNet) newOrg(name string) *devnet.Org {
	org, err := devnet.NewOrg(name, time.Now())
	require.NoError(n.t, err)
	return org
}

func (n *testNet) enroll(org *devnet.Org, name string, role devnet.Role) *devnet.Node {
	node, err := org.Enroll(name, role, time.Now())
	require.NoError(n.t, err)
	return node
}

// startAll starts all peers, the first of each organization as its leader, and gives them time to meet.
func (n *testNet) startAll() {
	led := map[*devnet.Org]bool{}
	for _, p := range n.peers {
		if !led[p.org] {
			led[p.org] = true
			p.start(weft.AsLeader())
			continue
		}
		p.start()
	}
	time.Sleep(meeting)
}

// meeting is how long peers take to find and authenticate each other: the keeper's tie break, and some round trips.
const meeting = 5 * time.Second

// requireAll requires that the given peers reach the ordering service's height within a time, and hold its chain. It
// returns how long that took.
func (n *testNet) requireAll(within time.Duration, peers ...*testPeer) time.Duration {
	n.t.Helper()
	took := n.await(within, peers...)
	height := n.orderer.Height()
	for _, p := range peers {
		n.requireChain(p, height)
	}
	return took
}

// await waits until the given peers reach the ordering service's height, or for a time.
func (n *testNet) await(within time.Duration, peers ...*testPeer) time.Duration {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() { _ = p.channel.WaitHeight(ctx, n.orderer.Height()) })
	}
	wg.Wait()
	return time.Since(start)
}

// split cuts the network in two: the named peers on one side, all others and the ordering service on the other.
func (n *testNet) split(peers ...*testPeer) {
	n.Partition(numbers(peers))
	for _, p := range peers {
		n.cutOff(p.number)
	}
}

// unite ends a split.
func (n *testNet) unite() {
	n.Heal()
	for _, p := range n.peers {
		n.mendOff(p.number)
	}
}

func numbers(peers []*testPeer) []int {
	var all []int
	for _, p := range peers {
		all = append(all, p.number)
	}
	return all
}
