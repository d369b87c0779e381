// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

const (
	hostKeys = 300 // with 1,000, which take three times as long, it is the same; the tables alone are tried with 1,000 (host)
	atOnce   = 100 // of them are connected at one time
)

// newTwins makes hosts with new host keys under one certificate, the incarnations counting up. They speak by hand.
func (n *testNet) newTwins(first, count int, local *msp.Local) (all []*stranger) {
	for i := range count {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		require.NoError(n.t, err)
		s := &stranger{net: n, key: key, local: local, heard: map[protocol.ID]*bytes.Buffer{}}
		s.record, err = msp.IssueRecord(key, local.Signer, uint64(first+i+1), time.Now())
		require.NoError(n.t, err)
		s.host, err = libp2p.New(append(n.Options(1000+i), libp2p.Identity(key), libp2p.DisableMetrics(), libp2p.DisableRelay())...)
		require.NoError(n.t, err)
		all = append(all, s)
	}
	return all
}

// TestHostKeysOfOneCertificate: one certificate, hundreds of host keys, a hundred of them connected to one peer at a time.
// Each authenticates, claims blocks that nobody has, and asks for one. The peer keeps as many as the tables say, answers no
// more than it keeps, and all the while blocks reach everybody.
func TestHostKeysOfOneCertificate(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of hosts")
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 3)
		n.startAll()
		n.order(1, 1<<10, 0)
		target := n.peers[1]
		local, err := n.enroll(n.orgs[0], "twin", devnet.Peer).Local()
		require.NoError(t, err)
		request := delimited(&syncpb.Request{Scope: n.topicNames()[0], From: 1, To: 1})
		var worst time.Duration
		for first := 0; first < hostKeys; first += atOnce {
			twins := n.newTwins(first, atOnce, local)
			each(twins, func(s *stranger) {
				s.meet(target)
				s.boast(target, 1)
			})
			var answered atomic.Int32
			each(twins, func(s *stranger) {
				if s.once(target, blocksync.Protocol.ID, request) == nil {
					answered.Add(1)
				}
			})
			require.Positive(t, answered.Load(), "it is a member")
			require.LessOrEqual(t, answered.Load(), int32(weftHost.HostKeys), "host keys that are answered")
			known := 0
			for _, m := range target.channel.Members() {
				if m.Record.Identity().Key() == local.Signer.Identity.Key() {
					known++
				}
			}
			require.LessOrEqual(t, known, membership.DefaultLimits().PerIdentity, "host keys in the view")
			n.order(1, 1<<10, 0)
			worst = max(worst, n.await(5*time.Second, n.peers...))
			each(twins, func(s *stranger) { require.NoError(t, s.host.Close()) })
		}
		time.Sleep(time.Minute) // in which they are asked for what they claimed
		t.Logf("the slowest block took %s", worst)
		require.Less(t, worst, time.Second)
		n.requireAll(time.Second, n.peers...)
		for _, p := range n.peers {
			require.Less(t, p.channel.Status().Highest, uint64(1)<<62, "what nobody has is not shown")
		}
	})
}

// each has all of them do something at the same time.
func each(all []*stranger, do func(*stranger)) {
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() { do(s) })
	}
	wg.Wait()
}
