// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/stream"
)

// ErrTooLong says that a message is longer than [MaxMessage]. Nothing was sent: pubsub would drop it without a word.
var ErrTooLong = errors.New("topics: message above the limit")

// ErrJoin says that a topic cannot be joined: somebody else on this PubSub has joined it or validates it, or the PubSub's
// subscription filter forbids it. The text names the topic.
var ErrJoin = errors.New("topics: cannot join")

// validatorTimeout bounds one judgement. Verifying a hundred signatures takes some milliseconds; a judgement that takes
// longer than this means a machine in trouble, and nothing is passed on: others have had it long ago.
const validatorTimeout = 5 * time.Second

// validatorConcurrency is how many messages of one topic may be judged at once. What is above is dropped by pubsub, marked
// as seen: the bound must be above any honest burst.
const validatorConcurrency = 256

// judgeRate is how many messages a second of one neighbour's identity are judged on one topic, whoever wrote them, with
// bursts of judgeBurst, and orgJudgeRate and orgJudgeBurst those of the neighbours of one organization: above what a member
// passes on when a thousand others are there and 100 blocks come a second. What is above is ignored unseen; sync repairs it.
const (
	judgeRate, judgeBurst       = 1000, 4000
	orgJudgeRate, orgJudgeBurst = 4000, 16000
)

// Config says what a topic needs.
type Config struct {
	Host host.Host
	// PubSub carries the topic; nil when there is none that guards it. Then everything goes over streams.
	PubSub *pubsub.PubSub
	Name   string
	// Judge gives the verdict on a message and hands over what is in it. from is the neighbour that sent it, not the author.
	// It is called concurrently and must not block on anything but the CPU.
	Judge func(from peer.ID, data []byte) Verdict
	// Members are the peers that ought to get every message; those that are not on the topic get it on a stream.
	Members func() []peer.ID
	// Allow, if set, is asked again once a stream to a member is open: the message may have waited, and permissions change.
	Allow func(peer.ID) bool
	// Accounts says whom a neighbour counts as, and hears of its faults; nil: every peer counts for itself.
	Accounts *stream.Accounts
	// Neighbour, if set, is called when a peer joins the topic: it has not heard what was said before.
	Neighbour func(peer.ID)
	// Greeting is how long a new member that is on the topic gets everything on a stream as well: gossipsub takes peers into
	// its mesh once a second, and what is said before reaches nobody.
	Greeting time.Duration
	Log      *slog.Logger
}

// Topic is one topic that we have joined. It spreads what is published and has every message judged.
type Topic struct {
	Config
	pushes *outbox
	rates  *stream.Rates

	mu     sync.Mutex          // guards all below
	judged map[string]struct{} // IDs of the messages of the topic that are being judged
	joined *pubsub.Topic
	on     map[peer.ID]struct{}  // who is on the topic; nil without pubsub
	met    map[peer.ID]time.Time // members, since when
	turn   int                   // at whom the last introduction ended
}

// New makes a topic; Run joins it.
func New(c Config) *Topic {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Allow == nil {
		c.Allow = func(peer.ID) bool { return true }
	}
	return &Topic{Config: c, judged: map[string]struct{}{}, pushes: newOutbox(c.Name), rates: stream.NewRates(judgeRate, judgeBurst, orgJudgeRate, orgJudgeBurst)}
}

// Run joins the topic, relays it until ctx ends and leaves it. On return nothing of it is left on the PubSub, and it can be
// joined again. It returns [ErrJoin] when the PubSub does not let it in. It runs once at a time.
func (t *Topic) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { t.pushes.run(ctx, t.Host, t.Allow, t.Log) })
	defer wg.Wait()
	defer cancel()
	if t.PubSub == nil {
		<-ctx.Done()
		return nil
	}
	return t.relay(ctx)
}

func (t *Topic) relay(ctx context.Context) (err error) {
	if err := t.PubSub.RegisterTopicValidator(t.Name, t.validate,
		pubsub.WithValidatorTimeout(validatorTimeout), pubsub.WithValidatorConcurrency(validatorConcurrency)); err != nil {
		return fmt.Errorf("%w: validate %s: %w", ErrJoin, t.Name, err)
	}
	defer func() { err = errors.Join(err, t.PubSub.UnregisterTopicValidator(t.Name)) }()
	topic, err := t.PubSub.Join(t.Name, pubsub.WithTopicMessageIdFn(MessageID))
	if err != nil {
		return fmt.Errorf("%w: join %s: %w", ErrJoin, t.Name, err)
	}
	defer func() { err = errors.Join(err, topic.Close()) }()
	leave, err := topic.Relay()
	if err != nil {
		return fmt.Errorf("%w: relay %s: %w", ErrJoin, t.Name, err)
	}
	defer leave()
	events, err := topic.EventHandler()
	if err != nil {
		return fmt.Errorf("%w: watch %s: %w", ErrJoin, t.Name, err)
	}
	defer events.Cancel()
	t.set(topic)
	defer t.set(nil)
	t.watch(ctx, events)
	return nil
}

// watch notes who is on the topic, and reports peers that join it, until ctx ends.
func (t *Topic) watch(ctx context.Context, events *pubsub.TopicEventHandler) {
	for {
		e, err := events.NextPeerEvent(ctx)
		if err != nil {
			return
		}
		t.note(e)
		if e.Type == pubsub.PeerJoin && t.Neighbour != nil {
			t.Neighbour(e.Peer)
		}
	}
}

func (t *Topic) note(e pubsub.PeerEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Type == pubsub.PeerJoin {
		t.on[e.Peer] = struct{}{}
	} else {
		delete(t.on, e.Peer)
	}
}

// validate gives pubsub the verdict on a message. ctx ends after validatorTimeout: pubsub leaves it to us to heed it.
func (t *Topic) validate(ctx context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
	if from == t.Host.ID() {
		return pubsub.ValidationAccept
	}
	if ok, each := t.rates.Allow(t.Accounts.Owner(from)); !ok {
		if !each {
			t.Accounts.Fault(from, stream.Flood)
		}
		return pubsub.ValidationIgnore
	}
	defer t.judging(m.ID)()
	verdict := t.Judge(from, m.GetData())
	if verdict == Reject {
		t.Accounts.Fault(from, stream.Violation)
		return pubsub.ValidationReject
	}
	if verdict == Accept && ctx.Err() == nil {
		return pubsub.ValidationAccept
	}
	return pubsub.ValidationIgnore
}

// Publish spreads data: on the topic, and on streams to those members that are not on the topic. It returns [ErrTooLong]
// for what pubsub would drop; it does not wait for anybody to receive it.
func (t *Topic) Publish(ctx context.Context, data []byte) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("%w: %d bytes on %s, %d allowed", ErrTooLong, len(data), t.Name, MaxMessage)
	}
	members := t.Members()
	greet := t.meet(members, time.Now())
	for _, id := range t.absent(members, greet) {
		t.pushes.add(id, message{data: data})
	}
	if topic := t.get(); topic != nil {
		if err := topic.Publish(ctx, data); !errors.Is(err, pubsub.ErrTopicClosed) {
			return err
		}
	}
	return nil
}

// Flush waits until all that was pushed is on its way to those members that can be reached, or Run has ended: what waits then is not
// sent. Its error is ctx's.
func (t *Topic) Flush(ctx context.Context) error { return t.pushes.flush(ctx) }

// absent are those of some members, without ourselves, that are not on the topic, and those to greet.
func (t *Topic) absent(members []peer.ID, greet map[peer.ID]bool) (ids []peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range members {
		if _, here := t.on[id]; id != t.Host.ID() && (!here || greet[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// meet notes who the members are now, and returns those that have not been members for long enough to be in a mesh.
func (t *Topic) meet(members []peer.ID, now time.Time) map[peer.ID]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	met, fresh := make(map[peer.ID]time.Time, len(members)), map[peer.ID]bool{}
	for _, id := range members {
		since, known := t.met[id]
		if !known {
			since = now
		}
		met[id] = since
		if now.Sub(since) < t.Greeting {
			fresh[id] = true
		}
	}
	t.met = met
	return fresh
}

func (t *Topic) set(topic *pubsub.Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joined, t.on = topic, map[peer.ID]struct{}{}
}

func (t *Topic) get() *pubsub.Topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.joined
}
