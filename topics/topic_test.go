// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/pb"
)

const topicName = "/weft/1/test"

// node is a host with a topic, and what it has judged.
type node struct {
	host.Host
	pubsub *pubsub.PubSub
	tracer *tracer
	topic  *topics.Topic
	stop   func() error

	mu      sync.Mutex // guards all below
	heard   []string
	joined  []peer.ID
	verdict topics.Verdict
	block   chan struct{} // if set, judging waits for it
	members []peer.ID
	then    func(from peer.ID, data []byte) // if set, called with what is judged
}

func (n *node) judge(from peer.ID, data []byte) topics.Verdict {
	n.mu.Lock()
	block, then := n.block, n.then
	n.heard = append(n.heard, string(data))
	verdict := n.verdict
	n.mu.Unlock()
	if block != nil {
		<-block
	}
	if then != nil {
		then(from, data)
	}
	return verdict
}

func (n *node) messages() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.heard)
}

func (n *node) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// newNodes makes connected nodes; those for which withPubSub says so have a PubSub. Topics and push servers run.
func newNodes(t *testing.T, count int, withPubSub func(int) bool) []*node {
	net := simtest.New(t, simtest.Link{Latency: 5 * time.Millisecond})
	nodes := make([]*node, count)
	for i := range nodes {
		h, err := libp2p.New(net.Options(i)...)
		require.NoError(t, err)
		nodes[i] = &node{Host: h, tracer: newTracer(), verdict: topics.Accept}
		t.Cleanup(func() { require.NoError(t, h.Close()) })
	}
	for i, n := range nodes {
		if withPubSub(i) {
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			var err error
			n.pubsub, err = pubsub.NewGossipSub(ctx, n, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithRawTracer(n.tracer))
			require.NoError(t, err)
		}
		for _, other := range nodes[:i] {
			require.NoError(t, n.Connect(t.Context(), peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}))
		}
		for _, other := range nodes {
			n.members = append(n.members, other.ID())
		}
		n.start(t)
	}
	time.Sleep(3 * time.Second) // gossipsub's first heartbeats
	return nodes
}

// start runs the node's topic and push server.
func (n *node) start(t *testing.T) {
	n.topic = topics.New(topics.Config{
		Host: n, PubSub: n.pubsub, Name: topicName, Judge: n.judge,
		Members:   func() []peer.ID { n.mu.Lock(); defer n.mu.Unlock(); return n.members },
		Neighbour: func(id peer.ID) { n.set(func() { n.joined = append(n.joined, id) }) },
	})
	server := &topics.PushServer{
		Host: n, Allow: func(_ peer.ID, topic string) bool { return topic == topicName }, Speaks: func(peer.ID) bool { return true },
		Judge: func(_ string, from peer.ID, data []byte) topics.Verdict { return n.judge(from, data) },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- n.topic.Run(ctx) }()
	go func() { done <- server.Run(ctx) }()
	synctest.Wait()
	n.stop = sync.OnceValue(func() error {
		cancel()
		if err := <-done; err != nil {
			return err
		}
		return <-done
	})
	t.Cleanup(func() { require.NoError(t, n.stop()) })
}

func all(int) bool { return true }

func none(int) bool { return false }

func TestPublishReachesNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 3, all)
		on := nodes[0].pubsub.ListPeers(topicName)
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("one")))
		time.Sleep(time.Second)
		require.Empty(t, nodes[0].messages(), "one's own message is not judged")
		for _, n := range nodes[1:] {
			require.Contains(t, n.messages(), "one")
			if slices.Contains(on, n.ID()) { // pubsub may not have noticed, then it is pushed besides
				require.Len(t, n.messages(), 1, "once, on the topic and not pushed besides")
			}
		}
		nodes[0].set(func() { require.Subset(t, nodes[0].joined, on) })
	})
}

// TestVerdictsDecideWhatIsPassedOn uses a line of three: the one in the middle passes on what it accepts.
func TestVerdictsDecideWhatIsPassedOn(t *testing.T) {
	for verdict, passed := range map[topics.Verdict]bool{topics.Accept: true, topics.Ignore: false, topics.Reject: false} {
		t.Run(fmt.Sprint(verdict), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 3, all)
				require.NoError(t, nodes[0].Network().ClosePeer(nodes[2].ID()))
				time.Sleep(3 * time.Second)
				nodes[0].set(func() { nodes[0].members = nil })
				nodes[1].set(func() { nodes[1].verdict = verdict })
				require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("one")))
				time.Sleep(3 * time.Second)
				require.Equal(t, []string{"one"}, nodes[1].messages())
				require.Equal(t, passed, len(nodes[2].messages()) == 1)
			})
		})
	}
}

func TestPushReachesThoseThatAreNotOnTheTopic(t *testing.T) {
	for name, withPubSub := range map[string]func(int) bool{
		"nobody has a pubsub":      none,
		"one has no pubsub":        func(i int) bool { return i != 2 },
		"the sender has no pubsub": func(i int) bool { return i != 0 },
		"only the sender has one":  func(i int) bool { return i == 0 },
		"everybody has one":        all,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 3, withPubSub)
				for i := range 20 {
					require.NoError(t, nodes[0].topic.Publish(t.Context(), fmt.Appendf(nil, "message %2d", i)))
				}
				time.Sleep(time.Second)
				require.Empty(t, nodes[0].messages())
				for _, n := range nodes[1:] {
					heard := n.messages()
					if n.pubsub == nil || nodes[0].pubsub == nil {
						require.Len(t, heard, 20, "each once")
					}
					slices.Sort(heard)
					require.Len(t, slices.Compact(heard), 20)
				}
			})
		})
	}
}

func TestMessageLimit(t *testing.T) {
	for name, withPubSub := range map[string]func(int) bool{"gossiped": all, "pushed": none} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 2, withPubSub)
				require.ErrorIs(t, nodes[0].topic.Publish(t.Context(), make([]byte, topics.MaxMessage+1)), topics.ErrTooLong)
				require.NoError(t, nodes[0].topic.Publish(t.Context(), make([]byte, topics.MaxMessage)))
				time.Sleep(5 * time.Second)
				heard := nodes[1].messages()
				require.NotEmpty(t, heard, "the longest that is allowed arrives")
				require.True(t, len(heard[0]) == topics.MaxMessage)
			})
		})
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, all)
		require.NoError(t, nodes[0].stop())
		require.NoError(t, nodes[0].stop())
		require.Empty(t, nodes[0].pubsub.GetTopics())
		time.Sleep(time.Second)
		require.Empty(t, nodes[1].pubsub.ListPeers(topicName))
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("after the end")))

		topic, err := nodes[0].pubsub.Join(topicName)
		require.NoError(t, err)
		require.NoError(t, topic.Close())
		nodes[0].start(t)
		time.Sleep(3 * time.Second)
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("again")))
		time.Sleep(time.Second)
		require.Contains(t, nodes[1].messages(), "again")
	})
}

func TestTopicOfSomebodyElseIsAnError(t *testing.T) {
	for name, occupy := range map[string]func(*pubsub.PubSub) (free func() error, err error){
		"joined": func(p *pubsub.PubSub) (func() error, error) {
			topic, err := p.Join(topicName)
			return topic.Close, err
		},
		"validated": func(p *pubsub.PubSub) (func() error, error) {
			return func() error { return p.UnregisterTopicValidator(topicName) },
				p.RegisterTopicValidator(topicName, func(context.Context, peer.ID, *pubsub.Message) bool { return true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 1, all)
				require.NoError(t, nodes[0].stop())
				free, err := occupy(nodes[0].pubsub)
				require.NoError(t, err)
				topic := topics.New(topics.Config{Host: nodes[0], PubSub: nodes[0].pubsub, Name: topicName, Judge: nodes[0].judge})
				err = topic.Run(t.Context())
				require.ErrorIs(t, err, topics.ErrJoin)
				require.ErrorContains(t, err, topicName)
				require.NoError(t, free(), "what was there before is still there")
				nodes[0].start(t)
			})
		})
	}
}

// TestSlowPeerHoldsUpNobody: one peer takes streams and does not answer, another one is gone.
func TestSlowPeerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 4, none)
		slow, gone, good := nodes[1], nodes[2], nodes[3]
		require.NoError(t, slow.stop())
		slow.SetStreamHandler(topics.PushProtocol.ID, func(network.Stream) {}) // never reads
		require.NoError(t, gone.Network().ClosePeer(nodes[0].ID()))
		start := time.Now()
		big := bytes.Repeat([]byte("x"), 700<<10) // a few fill any receive window
		for i := range topics.PushWaiting + 16 {
			require.NoError(t, nodes[0].topic.Publish(t.Context(), append(fmt.Appendf(nil, "%4d", i), big...)))
			require.LessOrEqual(t, nodes[0].topic.Waiting(slow.ID()), topics.PushWaiting)
			time.Sleep(20 * time.Millisecond)
		}
		require.Less(t, time.Since(start), 5*time.Second, "publishing never waits")
		time.Sleep(time.Second)
		require.Len(t, good.messages(), topics.PushWaiting+16)
		require.Empty(t, gone.messages())
		require.Equal(t, network.NotConnected, nodes[0].Network().Connectedness(gone.ID()), "a push dials nobody")
	})
}

// TestFlush: what was published just before the end is sent first, unless somebody hangs.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 3, none)
		for i := range topics.PushWaiting {
			require.NoError(t, nodes[0].topic.Publish(t.Context(), fmt.Append(nil, i)))
		}
		require.NoError(t, nodes[0].topic.Flush(t.Context()))
		require.NoError(t, nodes[0].topic.Flush(t.Context()), "there is nothing")
		require.NoError(t, nodes[0].stop())
		synctest.Wait()
		time.Sleep(time.Second)
		require.Len(t, nodes[1].messages(), topics.PushWaiting)
		require.Len(t, nodes[2].messages(), topics.PushWaiting)
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("late")))
		require.NoError(t, nodes[0].topic.Flush(t.Context()), "nobody sends any more")

		require.NoError(t, nodes[2].stop())
		nodes[2].SetStreamHandler(topics.PushProtocol.ID, func(network.Stream) {}) // never reads
		big := bytes.Repeat([]byte("x"), 1000<<10)
		for range topics.PushWaiting {
			require.NoError(t, nodes[1].topic.Publish(t.Context(), big))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, nodes[1].topic.Flush(ctx), context.DeadlineExceeded)
		time.AfterFunc(time.Second, func() { _ = nodes[1].stop() })
		require.NoError(t, nodes[1].topic.Flush(t.Context()), "Run has ended")
	})
}

func TestFullQueueDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, none)
		topic := topics.New(topics.Config{Host: nodes[0], Name: topicName, Members: func() []peer.ID { return []peer.ID{nodes[1].ID()} }})
		for i := range topics.PushWaiting + 5 {
			require.NoError(t, topic.Publish(t.Context(), fmt.Append(nil, i)))
		}
		require.Equal(t, topics.PushWaiting, topic.Waiting(nodes[1].ID()))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.NoError(t, topic.Run(ctx))
		heard := nodes[1].messages()
		require.Len(t, heard, topics.PushWaiting)
		require.NotContains(t, heard, "4")
		require.Contains(t, heard, "5")
		require.Contains(t, heard, fmt.Sprint(topics.PushWaiting+4))
	})
}

// pushRaw sends a push as a stranger would and says how the stream ended.
func pushRaw(t *testing.T, from, to *node, m *pb.Push) error {
	s, err := stream.Open(t.Context(), from, to.ID(), topics.PushProtocol)
	require.NoError(t, err)
	defer s.Reset(network.StreamNoError)
	if err := s.Write(m); err != nil {
		return err
	}
	require.NoError(t, s.CloseWrite())
	return s.Read(&pb.Push{})
}

func TestPushServer(t *testing.T) {
	for name, c := range map[string]struct {
		push    *pb.Push
		verdict topics.Verdict
		heard   int
		end     string
	}{
		"accepted":             {&pb.Push{Topic: topicName, Data: []byte("a")}, topics.Accept, 1, "EOF"},
		"ignored":              {&pb.Push{Topic: topicName, Data: []byte("a")}, topics.Ignore, 1, "EOF"},
		"rejected":             {&pb.Push{Topic: topicName, Data: []byte("a")}, topics.Reject, 1, "reset"},
		"longest data":         {&pb.Push{Topic: topicName, Data: make([]byte, topics.MaxMessage)}, topics.Accept, 1, "EOF"},
		"data one past it":     {&pb.Push{Topic: topicName, Data: make([]byte, topics.MaxMessage+1)}, topics.Accept, 0, "reset"},
		"topic not allowed":    {&pb.Push{Topic: "/weft/1/other", Data: []byte("a")}, topics.Reject, 0, "code: 0x1008"},
		"topic one past limit": {&pb.Push{Topic: string(make([]byte, topics.MaxTopic+1))}, topics.Accept, 0, "reset"},
		"empty":                {&pb.Push{}, topics.Reject, 0, "code: 0x1008"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNodes(t, 2, none)
				nodes[1].set(func() { nodes[1].verdict = c.verdict })
				require.ErrorContains(t, pushRaw(t, nodes[0], nodes[1], c.push), c.end)
				require.Len(t, nodes[1].messages(), c.heard)
			})
		})
	}
}
