// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// replays is how often each message is said again.
const replays = 1000

// recording is what honest peers have said to each other, byte for byte.
type recording struct {
	announcement, heartbeat   []byte // messages of topics
	pushed, requested, showed []byte // all that was said on a stream: of push, of sync, of authentication
}

// record takes down a message of each kind while two peers live and a third one joins and catches up.
func (n *testNet) record() (r recording) {
	for _, p := range n.peers {
		p.wire, p.tap = &wire{}, &tap{}
	}
	n.peers[0].start(weft.AsLeader())
	n.peers[1].start()
	time.Sleep(meeting)
	n.order(40, 1<<10, 20*time.Millisecond)
	n.peers[2].start()
	time.Sleep(time.Minute) // heartbeats are pushed at first
	names := n.topicNames()
	for _, p := range n.peers[:2] { // the third has only what others made again for it
		keep(&r.announcement, append(p.tap.messages(names[0]), announcements(p.wire.said(relay.Protocol.ID))...))
		keep(&r.heartbeat, p.tap.messages(names[2]))
		keep(&r.pushed, p.wire.said(topics.PushProtocol.ID))
		keep(&r.requested, p.wire.said(blocksync.Protocol.ID))
		keep(&r.showed, p.wire.said(weftHost.AuthProtocol.ID))
	}
	for what, said := range map[string][]byte{"announcement": r.announcement, "heartbeat": r.heartbeat, "push": r.pushed, "request": r.requested, "record": r.showed} {
		require.NotEmpty(n.t, said, "nobody has said any: %s", what)
	}
	return r
}

// keep takes the first of what was said, unless it has something.
func keep(one *[]byte, said [][]byte) {
	if len(*one) == 0 && len(said) > 0 {
		*one = said[0]
	}
}

// announcements are those in what was said on relay streams.
func announcements(streams [][]byte) (sealed [][]byte) {
	for _, said := range streams {
		for rest := said[1:]; len(rest) > 0; {
			size, n := binary.Uvarint(rest)
			if n <= 0 || uint64(len(rest)-n) < size {
				break
			}
			frame := rest[n : n+int(size)]
			rest = rest[n+int(size):]
			if f, err := relay.Decode(frame[min(2, len(frame)):]); err == nil && frame[0] == 1 && f.Kind == relay.Announce { // of the first channel
				sealed = append(sealed, f.Data)
			}
		}
	}
	return sealed
}

// said is what was said on each stream that a peer opened for a protocol, behind its negotiation.
func (w *wire) said(id protocol.ID) (frames [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	whole := map[network.MuxedStream][]byte{}
	for _, p := range w.heard {
		whole[p.stream] = append(whole[p.stream], p.data...)
	}
	hello := fmt.Sprintf("\x13/multistream/1.0.0\n%c%s\n", len(id)+1, id)
	for _, p := range w.heard {
		if frame, ok := bytes.CutPrefix(whole[p.stream], []byte(hello)); ok && len(frame) > 0 {
			frames = append(frames, frame)
		}
	}
	return frames
}

// fate is what became of replays.
type fate struct{ answered, refused, thrownOut int }

// replay says the same to a peer again and again, on streams of their own, 40 at a time. Who is thrown out comes back.
func (s *stranger) replay(p *testPeer, id protocol.ID, frames [][]byte) (f fate) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards f
	for range 40 {
		wg.Go(func() {
			for i := range replays / 40 * len(frames) {
				err := s.once(p, id, frames[i%len(frames)])
				mu.Lock()
				switch {
				case err == nil:
					f.answered++
				case s.host.Network().Connectedness(p.host.ID()) != network.Connected:
					f.thrownOut++
				default:
					f.refused++
				}
				back := f.thrownOut < 64
				mu.Unlock()
				if back {
					s.connect(p)
				}
			}
		})
	}
	wg.Wait()
	return f
}

// once says something on a stream and reads what comes. The error is how the stream was refused.
func (s *stranger) once(p *testPeer, id protocol.ID, frame []byte) error {
	ctx, cancel := context.WithTimeout(network.WithNoDial(context.Background(), "replay"), 3*time.Second)
	defer cancel()
	raw, err := s.host.NewStream(ctx, p.host.ID(), id)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Reset() }()
	_ = raw.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := raw.Write(frame); err != nil {
		return err
	}
	_ = raw.CloseWrite()
	_, err = io.Copy(io.Discard, raw)
	return err
}

// counted is the sum of a counter of a peer's.
func counted(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// TestReplays: a member and an outsider say again, a thousand times, what honest peers have said: on its topic and on others,
// to whom it was said and to others, by pubsub and by weft's protocols. Nothing changes at anybody's, nobody passes it on, who
// replays is refused above the rates, and barred or thrown out where no honest peer can have said it; and nobody holds it
// against the peers between.
func TestReplays(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of streams")
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 3)
		registries := map[*testPeer]*prometheus.Registry{}
		for _, p := range n.peers {
			registries[p] = prometheus.NewRegistry()
			p.options = append(p.options, weft.WithRegisterer(registries[p]))
		}
		r := n.record()
		names, target := n.topicNames(), n.peers[1]
		outsiders := n.newOrg("Strangers")
		push := func(topic string, data []byte) []byte { return delimited(&topicspb.Push{Topic: topic, Data: data}) }
		before, running := n.standing(), runtime.NumGoroutine()
		bars := 0.0
		rate := func(p stream.Protocol) int { return p.Burst + 10*int(p.Rate) } // what is answered in ten seconds
		for i, c := range []struct {
			name     string
			outsider bool
			id       protocol.ID
			frames   [][]byte
			allowed  int // that are answered, at most
			barred   bool
		}{
			{"messages on their topics", false, topics.PushProtocol.ID, [][]byte{
				push(names[0], r.announcement), push(names[2], r.heartbeat), r.pushed, push(names[0]+"x", r.heartbeat),
			}, rate(topics.PushProtocol), false},
			{"announcement on another topic", false, topics.PushProtocol.ID, [][]byte{push(names[1], r.announcement)}, 0, true},
			{"heartbeat on another topic", false, topics.PushProtocol.ID, [][]byte{push(names[1], r.heartbeat)}, 0, true},
			{"request", false, blocksync.Protocol.ID, [][]byte{r.requested}, rate(blocksync.Protocol), false},
			{"record", false, weftHost.AuthProtocol.ID, [][]byte{r.showed}, 0, false},
			{"messages of an outsider", true, topics.PushProtocol.ID, [][]byte{r.pushed, push(names[0], r.announcement)}, 0, false},
			{"request of an outsider", true, blocksync.Protocol.ID, [][]byte{r.requested}, 0, false},
			{"record of an outsider", true, weftHost.AuthProtocol.ID, [][]byte{r.showed}, 0, false},
		} {
			org := n.orgs[0]
			if c.outsider {
				org = outsiders
			}
			s := n.newStranger(100+i, org)
			s.meet(target)
			f := s.replay(target, c.id, c.frames)
			t.Logf("%s: %+v", c.name, f)
			require.LessOrEqual(t, f.answered, c.allowed, c.name)
			require.Positive(t, f.refused+f.thrownOut, c.name)
			barred := counted(t, registries[target], "weft_peers_barred_total")
			require.Equal(t, c.barred, barred > bars, c.name)
			bars = barred
			require.NoError(t, s.host.Close())
		}
		n.replayGossip(target, r)
		time.Sleep(2 * heartbeat)
		require.Equal(t, before, n.standing())
		require.LessOrEqual(t, runtime.NumGoroutine(), running+2*9, "goroutines that are left, but two of each stranger's simulated link")
		for _, p := range []*testPeer{n.peers[0], n.peers[2]} {
			require.Zero(t, counted(t, registries[p], "weft_peer_faults_total"), "peer %d blames somebody", p.number)
		}
		n.order(5, 1<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		n.requireView(n.peers...)
	})
}

// replayGossip has a member say on pubsub what it was told there, at once and when pubsub has forgotten it.
func (n *testNet) replayGossip(target *testPeer, r recording) {
	s := n.newStranger(200, n.orgs[0], pubsub.GossipSubID_v13)
	s.meet(target)
	for _, p := range n.peers {
		p.tap.forget()
	}
	names := n.topicNames()
	for range 2 {
		w := s.speak(target, pubsub.GossipSubID_v13)
		for _, topic := range names {
			for _, data := range [][]byte{r.announcement, r.heartbeat} {
				rpc := delimited(&pb.RPC{Publish: slices.Repeat([]*pb.Message{{Topic: &topic, Data: data}}, 100)})
				for range replays / 100 {
					_, err := w.Write(rpc)
					require.NoError(n.t, err)
				}
			}
		}
		time.Sleep(pubsub.TimeCacheDuration + time.Minute)
	}
	for _, p := range n.peers {
		require.False(n.t, p.tap.passedOn(r.announcement), "peer %d", p.number)
		require.False(n.t, p.tap.passedOn(r.heartbeat), "peer %d", p.number)
	}
	require.NoError(n.t, s.host.Close())
}

// forget forgets what was sent.
func (t *tap) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = nil
}

// standing is what each peer knows, but for what changes with time.
func (n *testNet) standing() (all [][]any) {
	for _, p := range n.peers {
		st := p.channel.Status()
		all = append(all, []any{p.number, st.Height, st.Highest, st.Config, st.Members, len(p.channel.Members()), st.Leads})
		for _, m := range p.channel.Members() {
			all = append(all, []any{p.number, m.ID, m.Alive, m.State.Height, m.State.Leader})
		}
	}
	return all
}
