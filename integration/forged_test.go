// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// How many forgeries of a kind each of six peers gets: of what a protocol bounds the rate of, or holds against who says
// it, no more than it takes from one identity.
const (
	perMessage = 29
	perStream  = 9
	perProof   = 50
	perRelay   = 4
)

// TestForgedInputs: a member with many hats and outsiders send twelve peers of four organizations 10,000 forgeries, while
// blocks flow. Each kind is judged, as the peers' pubsubs, metrics and answers show, and nothing of it is accepted or passed on;
// no honest peer is blamed or loses a connection; and all have the ordering service's chain, byte by byte.
func TestForgedInputs(t *testing.T) {
	if testing.Short() {
		t.Skip("forging costs")
	}
	synctest.Test(t, func(t *testing.T) {
		f := newForger(t)
		started, before := time.Now(), map[*testPeer]map[string]peer.ID{}
		for _, p := range f.peers {
			before[p] = p.connections()
		}
		for _, m := range forgedMessages() {
			f.messages(m)
		}
		for _, s := range forgedStreams {
			f.streams(s)
		}
		for _, r := range forgedRelays {
			f.relays(r)
		}
		for _, a := range forgedAnswers() {
			f.answers(a)
		}
		f.proofs()
		require.NoError(t, errors.Join(f.member.host.Close(), f.outsider.host.Close()))
		f.requireInnocence(before)
		t.Logf("%d forged inputs of %d kinds in %s of virtual time, %d blocks", f.inputs, f.kinds, time.Since(started), f.orderer.Height())
		require.GreaterOrEqual(t, f.kinds, 25)
		require.GreaterOrEqual(t, f.inputs, 10_000)
	})
}

// forger forges, and counts.
type forger struct {
	*testNet
	accomplices
	kinds, inputs int
	member        *hat                   // says what costs it nothing
	outsider      *hat                   // so does this one
	registries    []*prometheus.Registry // of the peers
	forged        map[string]string      // what kind a message is of, by its ID
}

func newForger(t *testing.T) *forger {
	f := &forger{testNet: newNet(t, lan, 4, 3), forged: map[string]string{}}
	for _, p := range f.peers {
		r := prometheus.NewRegistry()
		f.registries = append(f.registries, r)
		p.tap, p.options = &tap{}, []weft.Option{weft.WithRegisterer(r)}
	}
	f.peers[0].wire = &wire{}
	f.startAll()
	f.alien = f.enroll(f.newOrg("Aliens"), "alien", devnet.Orderer)
	orderer := f.enroll(f.org, "orderer1", devnet.Orderer)
	local, err := orderer.Local()
	require.NoError(t, err)
	f.retired = local.Signer
	f.order(3, 1000, 50*time.Millisecond)
	require.NoError(t, f.org.Revoke(orderer.Certificate, time.Now()))
	f.configure(devnet.SetMSP(f.org))
	f.order(2, 1000, 50*time.Millisecond)
	f.requireAll(5*time.Second, f.peers...)
	f.requireMembers(f.peers...)
	return f
}

// speaker is the hat for messages of a kind, and what takes it off: one that is rejected, or proves something, is held against
// who says it.
func (f *forger) speaker(m forgedMessage) (h *hat, off func()) {
	if m.verdict == rejected || slices.Contains(m.reasons, topics.Distrusted) {
		h = f.next(false)
		return h, func() { require.NoError(f.t, h.host.Close()) }
	}
	one := &f.member
	if m.outsider {
		one = &f.outsider
	}
	if *one == nil {
		*one = f.next(m.outsider)
		f.kinds--
	}
	f.kinds++
	return *one, func() {}
}

// next gives the forger another hat, for another kind.
func (f *forger) next(outsider bool) *hat {
	f.kinds++
	org := f.orgs[f.kinds%len(f.orgs)]
	if outsider {
		org = nil
	}
	h := f.newHat(100+f.kinds, org, f.accomplices)
	if !outsider {
		h.each(h.authenticate)
	}
	return h
}

// flow has a block ordered, which is on its way when the function returns.
func (f *forger) flow() { f.order(1, 1000, 0) }

// topicMessage is a forged message and its topic.
type topicMessage struct {
	forgedMessage
	topic topics.Kind
}

// forgedMessages are all kinds of messages for topics: every forged block is announced, too.
func forgedMessages() (all []topicMessage) {
	for _, m := range forgedAnnouncements {
		all = append(all, topicMessage{m, topics.Announcements})
	}
	for _, b := range forgedBlocks {
		m := forgedMessage{b.name, false, rejected, []topics.Reason{topics.BadSignatures}, func(h *hat) []byte { return h.sealed(h.announced(h.announcement(b.make(h)))) }}
		all = append(all, topicMessage{m, topics.Announcements})
	}
	for _, m := range forgedHeartbeats {
		all = append(all, topicMessage{m, topics.Members})
	}
	return all
}

// messages sends messages of one kind to its peers: some while a block is on its way, which may change the reason, most when it
// has come.
func (f *forger) messages(m topicMessage) {
	h, off := f.speaker(m.forgedMessage)
	defer off()
	topic := f.channelTopic(m.topic)
	sent := map[*testPeer][]string{}
	send := func(count int) {
		for _, p := range h.audience {
			var data [][]byte
			for range count {
				data = append(data, m.make(h))
				id := topics.MessageID(&pb.Message{Topic: &topic, Data: data[len(data)-1]})
				sent[p], f.forged[id] = append(sent[p], id), m.name
			}
			h.gossip(p, topic, data)
		}
		f.inputs += count * len(h.audience)
	}
	few := perMessage / 5
	f.flow()
	send(few)
	f.await(5*time.Second, f.peers...)
	time.Sleep(20 * time.Millisecond)
	before := f.counted("weft_announcements_total", m.reasons)
	rest := perMessage - few
	send(rest)
	time.Sleep(300 * time.Millisecond)
	for p, ids := range sent {
		for i, id := range ids {
			got := p.tap.verdict(id)
			require.NotEqual(f.t, delivered, got, "%s: accepted by peer %d", m.name, p.number)
			if i >= few {
				require.Equal(f.t, m.verdict, got, "%s: verdict of peer %d", m.name, p.number)
			}
		}
	}
	if len(m.reasons) > 0 {
		require.GreaterOrEqual(f.t, f.counted("weft_announcements_total", m.reasons)-before, rest*len(h.audience), "%s: judged for other reasons than %s", m.name, m.reasons)
	}
}

// streams says things of one kind on streams to its peers.
func (f *forger) streams(s forgedStream) {
	h := f.next(s.outsider)
	f.flow()
	f.await(5*time.Second, f.peers...)
	for range perStream {
		data := map[*testPeer][]byte{}
		for _, p := range h.audience {
			data[p] = s.make(h, p)
		}
		var mu sync.Mutex
		outcomes := map[*testPeer]string{}
		h.each(func(p *testPeer) {
			answer, code := h.ask(p, s.protocol, data[p])
			mu.Lock()
			defer mu.Unlock()
			outcomes[p] = outcomeOf(s.protocol, answer, code)
		})
		time.Sleep(10 * time.Millisecond) // who is thrown out hears of it
		for p, outcome := range outcomes {
			require.Equal(f.t, s.outcome, outcome, "%s: peer %d", s.name, p.number)
		}
		f.inputs += len(h.audience)
	}
	require.NoError(f.t, h.host.Close())
}

// answers claims blocks that there are not, or not yet, and answers requests for them.
func (f *forger) answers(a forgedAnswer) {
	h := f.next(false)
	var said atomic.Int64
	h.serve(a, &said)
	metric, reasons := "weft_blocks_rejected_total", []topics.Reason(nil)
	if a.lie {
		metric, reasons = "weft_sync_fetches_total", []topics.Reason{"failed"}
	}
	f.await(5*time.Second, f.peers...)
	before := f.counted(metric, reasons)
	if a.behind {
		for _, p := range f.peers {
			f.cutOff(p.number)
		}
		f.flow()
	}
	h.each(h.claim)
	time.Sleep(time.Second)
	count := int(said.Load())
	f.inputs += count
	require.GreaterOrEqual(f.t, count, len(h.audience), "%s: not every peer has asked", a.name)
	require.GreaterOrEqual(f.t, f.counted(metric, reasons)-before, len(h.audience), "%s: not every peer has judged it", a.name)
	for _, p := range f.peers {
		f.mendOff(p.number)
	}
	require.NoError(f.t, h.host.Close())
	f.flow()
	f.await(time.Minute, f.peers...)
}

// counted is the sum of a counter over all peers; of the values of a label, if any are given.
func (f *forger) counted(name string, values []topics.Reason) (sum int) {
	for _, r := range f.registries {
		families, err := r.Gather()
		require.NoError(f.t, err)
		for _, family := range families {
			for _, m := range family.Metric {
				if family.GetName() == name && (values == nil || slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return slices.Contains(values, topics.Reason(l.GetValue())) })) {
					sum += int(m.Counter.GetValue())
				}
			}
		}
	}
	return sum
}

// proofs are forged evidence against honest peers and the ordering service.
func (f *forger) proofs() {
	h, bundle := f.next(false), f.orderer.Bundle()
	at := evidence.Place{Channel: channelName, Genesis: block.HeaderHash(f.genesis.Header), Config: bundle.Number(), Found: time.Now()}
	last := h.last()
	body := encoded(last.Data)
	truth := append(f.peers[0].tap.messages(f.channelTopic(topics.Announcements)), announcements(f.peers[0].wire.said(relay.Protocol.ID))...)
	require.NotEmpty(f.t, truth)
	kinds := map[string]func() (*evidence.Proof, error){
		"a fork that only the forger has signed": func() (*evidence.Proof, error) {
			b := h.signed(h.successor(), h.local.Signer)
			b.Header.Number, b.Header.PreviousHash = last.Header.Number, last.Header.PreviousHash
			return evidence.ProveFork(at, evidence.Attestation{Header: b.Header, Signatures: b.Metadata.Metadata[0]}, evidence.Attestation{Header: last.Header, Signatures: last.Metadata.Metadata[0]})
		},
		"a true announcement, with another block's body": func() (*evidence.Proof, error) {
			return evidence.ProveFalse(at, truth[h.random.IntN(len(truth))], body[:len(body)-1-h.random.IntN(len(body)/2)])
		},
		"a false announcement under a stolen record": func() (*evidence.Proof, error) {
			a := h.bare(last)
			copy(a.Root[:], h.bytes(32))
			return evidence.ProveFalse(at, under(h.recordOf(h.somebody()), h.local.Signer, topics.Purpose, f.channelTopic(topics.Announcements), h.announced(a)), body)
		},
		"garbage": func() (*evidence.Proof, error) { return evidence.Decode(h.bytes(200)) },
	}
	for name, forge := range kinds {
		f.kinds++
		for range perProof {
			if p, err := forge(); err == nil {
				_, err = p.Verify(bundle, body)
				require.Error(f.t, err, name)
			}
			f.inputs++
		}
	}
	require.NoError(f.t, h.host.Close())
}

// requireInnocence requires that nothing came of all this.
func (f *forger) requireInnocence(before map[*testPeer]map[string]peer.ID) {
	t := f.t
	time.Sleep(time.Minute) // the hats are dead
	f.order(3, 40<<10, 100*time.Millisecond)
	f.requireAll(time.Second, f.peers...)
	f.requireMembers(f.peers...)
	honest := map[peer.ID]bool{}
	names := []string{f.config.Identity.String()}
	for _, p := range f.peers {
		local, err := p.node.Local()
		require.NoError(t, err)
		honest[p.host.ID()], names = true, append(names, local.Signer.String())
	}
	for _, p := range f.peers {
		for number := uint64(0); number < f.orderer.Height(); number++ {
			f.requireSame(p, number)
		}
		for _, finding := range p.channel.Evidence() {
			require.Equal(t, evidence.FalseAnnouncement, finding.Kind, "peer %d", p.number)
			for _, name := range finding.Names() {
				require.NotContains(t, names, name, "peer %d blames %s", p.number, finding.Reason)
			}
		}
		now := p.connections()
		for id, to := range before[p] {
			if honest[to] {
				require.Contains(t, now, id, "peer %d has lost its connection to an honest one", p.number)
			}
		}
		for _, id := range p.tap.ids() {
			require.Empty(t, f.forged[id], "peer %d accepted it, or passed it on", p.number)
		}
	}
}

// requireSame compares a block of a peer with the ordering service's, byte by byte.
func (f *forger) requireSame(p *testPeer, number uint64) {
	for b, err := range p.channel.Blocks(context.Background(), number) {
		require.NoError(f.t, err)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(f.ordered(number))
		require.NoError(f.t, err)
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
		require.NoError(f.t, err)
		require.Equal(f.t, want, got, "block %d of peer %d", number, p.number)
		return
	}
}
