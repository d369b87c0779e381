// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// TestConfigurationsChangeWhileEverythingRuns: an organization is added, removed and added again, the orderer's CA and
// certificate are replaced, anchors change, and a peer is revoked, between blocks that come fast. Everybody judges every
// block under the configuration in force at its number: live, after a restart in the midst, and from the genesis block alone.
// A member that passes on blocks of the removed orderer finds nobody who takes them.
func TestConfigurationsChangeWhileEverythingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		for _, p := range n.peers {
			p.start(elected())
		}
		time.Sleep(meeting)
		org3 := n.addsAndRemoves()
		away, revoked := n.peers[2], n.peers[1]
		away.stop()
		removed := n.rotatesOrderer()
		forged := n.forges(removed, n.peers[3])
		n.order(3, 2<<10, 10*time.Millisecond)
		require.NoError(t, revoked.org.Revoke(revoked.node.Certificate, time.Now()))
		n.configure(devnet.SetMSP(revoked.org))
		n.order(3, 2<<10, 10*time.Millisecond)
		stays := []*testPeer{n.peers[0], n.peers[3], n.peers[4], n.peers[5], org3}
		n.requireAll(2*time.Second, stays...)
		for _, p := range stays {
			for _, b := range forged {
				got, err := p.channel.ConfigAt(b.Header.Number)
				require.NoError(t, err)
				require.NotNil(t, got)
				require.NotEqual(t, block.HeaderHash(b.Header), block.HeaderHash(n.committed(p, b.Header.Number).Header), "a forged block at peer %d", p.number)
			}
		}

		away.start(elected()) // it missed a change of orderers
		t.Logf("a peer that was away over the rotation was level after %s", n.requireAll(10*time.Second, away))
		late := n.add(n.orgs[0], 7)
		late.from = []int{org3.number} // added, removed and added again, and the only one that it knows
		late.start()
		t.Logf("a peer that knows the genesis block alone was level after %s", n.requireAll(20*time.Second, late))
		stays = append(stays, away, late)
		n.order(5, 2<<10, 10*time.Millisecond)
		n.requireAll(2*time.Second, stays...)
		time.Sleep(20 * time.Second)
		n.requireMembers(stays...)
		n.requireResumes(late)
	})
}

// addsAndRemoves adds an organization and a peer of it, removes it, and adds it again.
func (n *testNet) addsAndRemoves() *testPeer {
	t, before := n.t, append([]*testPeer(nil), n.peers...)
	org := n.newOrg("Org3")
	n.order(2, 2<<10, 10*time.Millisecond)
	n.configure(devnet.AddOrg(org))
	n.order(2, 2<<10, 10*time.Millisecond)
	added := n.add(org, 0).start()
	n.requireAll(10*time.Second, n.peers...)

	n.configure(devnet.RemoveOrg(org.Name))
	height := n.orderer.Height()
	n.order(5, 2<<10, 10*time.Millisecond)
	n.requireAll(2*time.Second, before...)
	time.Sleep(heartbeat)
	require.LessOrEqual(t, added.channel.Height(), height, "the removed organization got a block behind its removal")
	n.requireMembers(before...)

	n.configure(devnet.AddOrg(org))
	start := time.Now()
	n.order(2, 2<<10, 10*time.Millisecond)
	n.requireAll(time.Minute, n.peers...)
	t.Logf("the organization that was added again was level %s later", time.Since(start))
	time.Sleep(meeting)
	n.requireMembers(n.peers...)
	return added
}

// rotatesOrderer replaces the ordering service's CA and certificate, in two configurations, and returns the old signer.
func (n *testNet) rotatesOrderer() *msp.SigningIdentity {
	old := n.config.Identity
	require.NoError(n.t, n.org.RotateCA(time.Now()))
	n.configure(devnet.SetMSP(n.org), devnet.SetAnchors("Org1", "anchor.example.com:7051"))
	n.order(1, 2<<10, 0)
	local, err := n.enroll(n.org, "orderer1", devnet.Orderer).Local()
	require.NoError(n.t, err)
	n.orderer.SetIdentity(local.Signer)
	n.order(2, 2<<10, 0)
	n.org.RetireCA()
	n.configure(devnet.SetMSP(n.org))
	return old
}

// forges has a member announce, to everybody, next blocks that the removed orderer has signed: naming the configuration in
// force, and naming those before it, under which its signature was good.
func (n *testNet) forges(removed *msp.SigningIdentity, liar *testPeer) (forged []*common.Block) {
	running := n.running()
	n.requireAll(2*time.Second, running...)
	height := n.orderer.Height()
	head := n.ordered(height - 1)
	for _, named := range []uint64{n.orderer.Bundle().Number(), n.orderer.Bundle().Number() - 1, 0} {
		data := &common.BlockData{Data: n.ordered(1).Data.Data}
		b := &common.Block{Data: data, Header: &common.BlockHeader{
			Number: height, PreviousHash: block.HeaderHash(head.Header), DataHash: block.DataHash(data),
		}}
		blocktest.SignAs(n.t, b, named, removed)
		forged = append(forged, b)
		for _, p := range running {
			if p != liar {
				liar.announces(b, p)
			}
		}
	}
	time.Sleep(2 * time.Second)
	for _, p := range running {
		require.Equal(n.t, height, p.channel.Height(), "peer %d took a block of the removed orderer", p.number)
	}
	return forged
}

// announces seals an announcement as an honest node would, and pushes it to a peer.
func (p *testPeer) announces(b *common.Block, to *testPeer) {
	t, name := p.net.t, topics.Name(topics.Announcements, channelName, block.HeaderHash(p.net.genesis.Header))
	a, err := topics.Announce(b)
	require.NoError(t, err)
	content, err := a.Marshal()
	require.NoError(t, err)
	local, err := p.node.Local()
	require.NoError(t, err)
	record, err := msp.IssueRecord(p.key, local.Signer, uint64(time.Now().UnixNano()), time.Now())
	require.NoError(t, err)
	sealed, err := msp.Seal(topics.Purpose, name, record, local.Signer, content)
	require.NoError(t, err)
	s := p.hold(to, topics.PushProtocol.ID, delimited(&topicspb.Push{Topic: name, Data: sealed}))
	require.NoError(t, s.CloseWrite())
}

// committed is a block out of a peer's ledger.
func (n *testNet) committed(p *testPeer, number uint64) *common.Block {
	for b, err := range p.channel.Blocks(context.Background(), number) {
		require.NoError(n.t, err)
		return b
	}
	return nil
}

// requireResumes requires that verification can begin anywhere in a peer's chain: under the configuration that was in force at
// each number, and no other; also by a node that finds a ledger which ends there.
func (n *testNet) requireResumes(p *testPeer) {
	t, height := n.t, p.channel.Height()
	_, err := p.channel.ConfigAt(0)
	require.ErrorIs(t, err, channelconfig.ErrNumber)
	_, err = p.channel.ConfigAt(height + 1)
	require.ErrorIs(t, err, channelconfig.ErrNumber)
	alone := n.add(n.orgs[0], 8)
	n.Cut(alone.number)
	alone.open()
	var inForce, configs uint64
	prefix := &shortLedger{}
	for number := uint64(0); number < height; number++ {
		b := n.committed(p, number)
		if number > 0 {
			bundle, err := p.channel.ConfigAt(number)
			require.NoError(t, err)
			require.Equal(t, inForce, bundle.Number(), "configuration that judges block %d", number)
			require.NoError(t, channelconfig.NewVerifier(bundle, n.committed(p, number-1).Header).Verify(b), "block %d", number)
		}
		if block.IsConfig(b) {
			inForce, configs = number, configs+1
		}
		require.NoError(t, prefix.Append(b))
		c, err := alone.weft.Join(context.Background(), n.genesis, weft.AsFollower(), weft.WithLedger(prefix))
		require.NoError(t, err)
		require.Equal(t, inForce, c.Config().Number(), "configuration that a ledger of %d blocks resumes with", number+1)
		require.NoError(t, c.Close())
	}
	require.EqualValues(t, 7, configs)
	t.Logf("%d blocks, %d configurations", height, configs)
}

// shortLedger is a ledger in memory.
type shortLedger struct{ blocks []*common.Block }

func (l *shortLedger) Height() uint64 { return uint64(len(l.blocks)) }

func (l *shortLedger) Append(blocks ...*common.Block) error {
	l.blocks = append(l.blocks, blocks...)
	return nil
}

func (l *shortLedger) Bytes(number uint64) ([]byte, error) {
	if number >= l.Height() {
		return nil, fmt.Errorf("no block %d", number)
	}
	return proto.Marshal(l.blocks[number])
}

func (l *shortLedger) HeaderHash(number uint64) ([]byte, error) {
	if number >= l.Height() {
		return nil, fmt.Errorf("no block %d", number)
	}
	return block.HeaderHash(l.blocks[number].Header), nil
}
