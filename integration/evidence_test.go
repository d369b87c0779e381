// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// TestOrderersThatSignTwoBlocks: the ordering service shows one block 4 to one organization and another to the other. Every
// peer keeps the proof, which names the orderer and nobody else, and goes on with the chain that it is on; the proof
// outlives a restart.
func TestOrderersThatSignTwoBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		a, b := newBranch(n), newBranch(n)
		n.peers[0].start(weft.AsLeader(), weft.WithSource(a))
		n.peers[3].start(weft.AsLeader(), weft.WithSource(b))
		for _, i := range []int{1, 2, 4, 5} {
			n.peers[i].start()
		}
		time.Sleep(meeting)
		for range 3 {
			next := a.next()
			a.add(next)
			b.add(proto.CloneOf(next))
			time.Sleep(100 * time.Millisecond)
		}
		for range 2 { // number 4 forks; 5 is on either side
			first, second := a.next(), b.next()
			a.add(first)
			b.add(second)
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		for _, p := range n.peers {
			require.EqualValues(t, 6, p.channel.Height(), "peer %d goes on", p.number)
			n.requireFork(p, 4)
		}
		n.peers[1].stop()
		n.peers[1].start()
		n.requireFork(n.peers[1], 4)
	})
}

// requireFork requires that all that a peer has found is that the orderer signed two blocks with one number.
func (n *testNet) requireFork(p *testPeer, number uint64) {
	n.t.Helper()
	found := p.channel.Evidence()
	require.Len(n.t, found, 1, "peer %d", p.number)
	require.Equal(n.t, evidence.Fork, found[0].Kind)
	require.Equal(n.t, number, found[0].Number)
	require.Equal(n.t, []string{n.config.Identity.String()}, found[0].Names())
	n.requireProven(found[0])
}

// requireProven requires that somebody else, who has only the configuration, comes to the same verdict.
func (n *testNet) requireProven(f *weft.Finding) {
	n.t.Helper()
	p, err := evidence.Decode(f.Proof.Bytes())
	require.NoError(n.t, err)
	config, err := channelconfig.FromBlock(n.genesis)
	require.NoError(n.t, err)
	again, err := p.Verify(config, nil)
	require.NoError(n.t, err)
	require.Equal(n.t, f.Names(), again.Names())
}

// branch is a block source of a peer: a chain that the test makes.
type branch struct {
	net *testNet

	mu     sync.Mutex // guards all below
	blocks []*common.Block
	grown  chan struct{} // closed and replaced when there are more
}

func newBranch(n *testNet) *branch {
	return &branch{net: n, blocks: []*common.Block{n.genesis}, grown: make(chan struct{})}
}

// next makes a signed block for the end of the branch.
func (s *branch) next() *common.Block {
	random := rand.NewChaCha8([32]byte{byte(s.net.random.Uint32()), byte(s.net.random.Uint32())})
	tx, err := devnet.Transaction(channelName, s.net.client, 1000, random, time.Now())
	require.NoError(s.net.t, err)
	raw, err := proto.Marshal(tx)
	require.NoError(s.net.t, err)
	last, data := s.blocks[len(s.blocks)-1].Header, &common.BlockData{Data: [][]byte{raw}}
	b := &common.Block{Data: data, Header: &common.BlockHeader{Number: last.Number + 1, PreviousHash: block.HeaderHash(last), DataHash: block.DataHash(data)}}
	blocktest.SignAs(s.net.t, b, 0, s.net.config.Identity)
	return b
}

func (s *branch) add(b *common.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks = append(s.blocks, b)
	close(s.grown)
	s.grown = make(chan struct{})
}

// Pull gives the blocks of the branch as they come.
func (s *branch) Pull(ctx context.Context, from uint64, submit leader.Submit) error {
	for {
		s.mu.Lock()
		blocks, grown := s.blocks, s.grown
		s.mu.Unlock()
		for ; from < uint64(len(blocks)); from++ {
			if err := submit(ctx, proto.CloneOf(blocks[from])); err != nil {
				return err
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestMemberThatAnnouncesFalseRoots: a member announces a block before anybody has it, with a root that is not the block's.
// It knows one peer alone, which passes the announcement on as it should. Every peer gets the block, keeps the proof, which
// names the liar and nobody who passed it on, and hears it no more.
func TestMemberThatAnnouncesFalseRoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		n.startAll()
		n.order(3, 2<<10, 100*time.Millisecond)
		n.requireAll(10*time.Second, n.peers...)
		liar := n.newLiar(100, n.peers[1])
		time.Sleep(meeting)

		leaders := []*testPeer{n.peers[0], n.peers[3]}
		for _, p := range leaders {
			n.cutOff(p.number)
		}
		n.order(1, 40<<10, 0)
		liar.announce(4, func(a *topics.Announcement) { a.Root[7] ^= 1 })
		time.Sleep(time.Second)
		for _, p := range n.peers {
			require.EqualValues(t, 4, p.channel.Height())
			require.Empty(t, p.channel.Evidence(), "nobody can know yet")
		}
		for _, p := range leaders {
			n.mendOff(p.number)
		}
		n.requireAll(30*time.Second, n.peers...)
		time.Sleep(time.Second)
		for _, p := range n.peers {
			found := p.channel.Evidence()
			require.Len(t, found, 1, "peer %d", p.number)
			require.Equal(t, evidence.FalseAnnouncement, found[0].Kind)
			require.EqualValues(t, 4, found[0].Number)
			require.Equal(t, []string{liar.local.Signer.String()}, found[0].Names())
			n.requireProven(found[0])
		}

		n.order(1, 40<<10, time.Second)
		liar.announce(5, func(a *topics.Announcement) { a.BodySize++ })
		n.order(2, 2<<10, time.Second)
		n.requireAll(10*time.Second, n.peers...)
		for _, p := range n.peers {
			require.Len(t, p.channel.Evidence(), 1, "what it says counts for nothing, not even as evidence")
		}
	})
}

// TestMemberThatSendsFalseBodies: a member announces a block before anybody has it, on relay streams, with the root of another
// body, and sends that, each piece to one peer. The peers forward it, as they should, find that it does not fit the header and
// free its place: the true body comes from others, and the announcement is evidence against the liar, and nothing against those
// who have forwarded.
func TestMemberThatSendsFalseBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		registry := prometheus.NewRegistry()
		f := &forger{testNet: n, registries: []*prometheus.Registry{registry}}
		n.peers[5].options = []weft.Option{weft.WithRegisterer(registry)}
		n.startAll()
		n.order(3, 2<<10, 100*time.Millisecond)
		n.requireAll(10*time.Second, n.peers...)
		leaders, hearers := []*testPeer{n.peers[0], n.peers[3]}, []*testPeer{n.peers[1], n.peers[2], n.peers[4], n.peers[5]}
		liar := &hat{stranger: n.newStranger(100, n.orgs[0])}
		for _, p := range hearers {
			liar.meet(p)
		}
		time.Sleep(meeting)
		for _, p := range leaders {
			n.cutOff(p.number)
		}
		n.order(1, 40<<10, 0)
		s := falsely(liar.bare(n.ordered(4)))
		sealed := liar.sealed(liar.announced(s.Announcement))
		before := f.counted("weft_block_bytes_received_total", []topics.Reason{"relay"})
		for i, p := range hearers {
			frames := []*relay.Frame{s.announce(sealed)}
			for first := i; first < s.tree.Count(); first += len(hearers) {
				frames = append(frames, s.piece(relay.Relay, first))
			}
			liar.ask(p, relay.Protocol.ID, onRelay(n.channelTopic(topics.Announcements), frames...))
		}
		time.Sleep(time.Second)
		require.GreaterOrEqual(t, f.counted("weft_block_bytes_received_total", []topics.Reason{"relay"})-before, s.BodySize, "the false body was relayed whole")
		for _, p := range hearers {
			require.EqualValues(t, 4, p.channel.Height())
			require.Empty(t, p.channel.Evidence(), "nobody can know yet")
		}
		for _, p := range leaders {
			n.mendOff(p.number)
		}
		n.requireAll(30*time.Second, n.peers...)
		time.Sleep(time.Second)
		for _, p := range hearers {
			found := p.channel.Evidence()
			require.Len(t, found, 1, "peer %d", p.number)
			require.Equal(t, evidence.FalseAnnouncement, found[0].Kind)
			require.Equal(t, []string{liar.local.Signer.String()}, found[0].Names())
			n.requireProven(found[0])
		}
		n.order(3, 40<<10, 200*time.Millisecond)
		n.requireAll(5*time.Second, n.peers...)
		require.Zero(t, f.counted("weft_peer_faults_total", nil), "who has forwarded is not at fault")
	})
}

// liar is a member of an organization that speaks pubsub by hand.
type liar struct {
	*stranger
	topic *pubsub.Topic
}

// newLiar makes a member of a peer's organization that knows this peer alone.
func (n *testNet) newLiar(number int, p *testPeer) *liar {
	s := n.newStranger(number, p.org)
	s.meet(p)
	ctx, cancel := context.WithCancel(context.Background())
	n.t.Cleanup(cancel)
	ps, err := pubsub.NewGossipSub(ctx, s.host, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor())
	require.NoError(n.t, err)
	l := &liar{stranger: s}
	l.topic, err = ps.Join(topics.Name(topics.Announcements, channelName, block.HeaderHash(n.genesis.Header)), pubsub.WithTopicMessageIdFn(topics.MessageID))
	require.NoError(n.t, err)
	_, err = l.topic.Relay()
	require.NoError(n.t, err)
	return l
}

// announce publishes an announcement of an ordered block, altered.
func (l *liar) announce(number uint64, alter func(*topics.Announcement)) {
	t := l.net.t
	a, err := topics.Announce(l.net.ordered(number))
	require.NoError(t, err)
	alter(a)
	content, err := a.Marshal()
	require.NoError(t, err)
	raw, err := msp.Seal(topics.Purpose, l.topic.String(), l.record, l.local.Signer, content)
	require.NoError(t, err)
	require.NoError(t, l.topic.Publish(context.Background(), raw))
}
