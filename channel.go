// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// Channel is a channel that a node has joined. Its methods are safe for concurrent use.
type Channel struct {
	node *Node
	id   string

	ledger      blocksync.Ledger
	closeLedger func() error

	sync          *blocksync.Sync     // what is missing; the only writer of the ledger
	announcements *topics.Topic       // blocks
	members       *topics.Topic       // heartbeats that other organizations may hear
	tracker       *membership.Tracker // who is here
	beacon        *membership.Beacon  // tells others that we are here
	puller        *leader.Puller      // nil if we never lead
	elector       *leader.Elector     // nil unless our organization elects its leader
	orderers      *deliver.Client     // nil if we never lead, or pull from somewhere else
	forwarder     *deliver.Forwarder  // passes on what Deliver clients want to be ordered
	lag           server.Lag          // of what Deliver clients get
	relay         *relay.Channel      // spreads the bodies of blocks
	announcer     *announcer          // what we pulled and have to announce
	intake        intake              // where blocks have come from
	delivery      *delivery           // how fast
	witness       *evidence.Witness   // who was caught
	admitted      atomic.Pointer[admissions]
	inForce       *channelconfig.Bundle     // what configured was last told; of the writer, before it runs of admit
	arrived       atomic.Pointer[time.Time] // when somebody last came; nil: nobody has
	leaving       atomic.Bool
	standing      chan struct{}             // 1-buffered: what we may do may have changed; for a static leader
	led           atomic.Bool               // what others were last told of us
	moved         atomic.Pointer[time.Time] // when a block was last committed; nil: not since we joined
	leaderBeat    time.Duration             // how often we beat while we lead
	patience      time.Duration             // how long our source may fail before we count as one that cannot pull

	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex // guards all below
	err    error
	past   []*channelconfig.Bundle // the configurations before the one in force, the latest last
}

// wire makes the parts of a channel and joins them. This is the data flow:
//
//	ordering service -> puller -> sync -> ledger
//	                              sync -> announcer -> announcements -> other peers
//	other peers -> announcements -> judge -> sync
//	                                judge -> witness <- sync
//	other peers -> members, organization's topic -> tracker -> keeper, sync
//	tracker -> elector -> puller, beacon
//	sync -> beacon -> other peers
func (c *Channel) wire(genesis *common.Block, verifier *channelconfig.Verifier, j *joinConfig) (err error) {
	n, salt := c.node, block.HeaderHash(genesis.Header)
	c.leaderBeat = cmp.Or(j.election.LeaderBeat, leader.DefaultTiming().LeaderBeat)
	if c.forwarder, err = deliver.NewForwarder(c.orderersConfig(j)); err != nil {
		return err
	}
	c.announcer, c.delivery = newAnnouncer(c), newDelivery(c.ledger.Height())
	if err = c.watch(salt); err != nil {
		return err
	}
	c.announcements = topics.New(topics.Config{
		Accounts: n.accounts, Host: n.host, PubSub: n.pubsub, Log: n.logger("topics"), Name: topics.Name(topics.Announcements, c.id, salt),
		Judge: c.judgeAnnouncement, Members: c.readers, Allow: c.reads,
	})
	c.members = topics.New(topics.Config{
		Accounts: n.accounts, Host: n.host, PubSub: n.pubsub, Log: n.logger("topics"), Name: topics.Name(topics.Members, c.id, salt),
		Judge: c.judgeHeartbeat, Members: c.readers, Allow: c.reads, Neighbour: func(peer.ID) { c.poke() }, Greeting: greeting,
	})
	c.relay = c.newRelay()
	if c.sync, err = blocksync.New(blocksync.Config{
		Channel: c.id, Scope: c.announcements.Name, Host: n.host, Ledger: c.ledger, Verifier: verifier,
		MayAsk: c.mayAsk, Owner: n.accounts.Owner, FanOut: n.fanOut, Streaming: c.streaming, Coming: c.relay.Coming, Verified: c.verified, Rival: c.rival, Committed: c.committed,
		Log: n.logger("blocksync"), Registerer: n.registerer,
	}); err != nil {
		return err
	}
	if c.tracker, err = membership.NewTracker(membership.TrackerConfig{
		View:    membership.ViewConfig{Scope: c.announcements.Name, Self: n.ID(), Timing: n.timing},
		Channel: c.id, Metrics: n.views, Log: n.logger("membership"), OnChange: c.membersChanged,
	}); err != nil {
		return err
	}
	if c.beacon, err = membership.NewBeacon(membership.BeaconConfig{
		Scope: c.members.Name, Interval: n.timing.AliveInterval, Pace: c.pace, Sequence: &n.sequence,
		Compose: c.compose, Publish: c.members.Publish, Record: n.myRecord, Signer: n.signer, Log: n.logger("membership"),
	}); err != nil || j.role == standsBy {
		return err
	}
	if err = c.lead(j); err != nil || j.role == leads {
		return err
	}
	return c.elect(j)
}

// lead makes the puller of a leader.
func (c *Channel) lead(j *joinConfig) (err error) {
	source := j.source
	if source == nil {
		c.orderers, err = deliver.New(c.orderersConfig(j))
		if err != nil {
			return err
		}
		source = c.orderers
	}
	in := pulled{c.sync}
	c.puller, err = leader.New(leader.Config{
		Channel: c.id, Source: source, Height: c.Height, Submit: in.Submit, Judge: in, Backoff: j.backoff,
		Known: c.sync.VerifiedHeight, Censorship: j.deliver.Censorship,
		Metrics: c.node.leaders, Log: c.node.logger("leader"),
	})
	return err
}

// run runs the parts until ctx ends or one of them fails.
func (c *Channel) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	parts := []func(context.Context) error{c.sync.Run, c.announcements.Run, c.members.Run, c.tracker.Run, c.announcer.run, c.relay.Run, c.witness.Run, c.keepAsking}
	if !c.node.hidden() {
		parts = append(parts, c.beacon.Run)
	}
	switch {
	case c.elector != nil:
		parts = append(parts, c.elector.Run)
	case c.puller != nil:
		parts = append(parts, c.pullForever)
	}
	for _, part := range parts {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// verified hears of every block that is about to be committed; from is empty for those of our own source.
func (c *Channel) verified(b *common.Block, from peer.ID) {
	c.intake.came(c.origin(from))
	c.announcer.verified(b, from)
	c.delivery.verified(b)
}

// streaming says whether our own source delivers at the moment.
func (c *Channel) streaming() bool { return c.puller != nil && c.puller.Streaming() }

// committed hears of every commit, and of a new configuration.
func (c *Channel) committed(height uint64, changed *channelconfig.Bundle) {
	now := time.Now()
	c.moved.Store(&now)
	c.announcer.settle()
	c.delivery.committed(height, now, func(spread, age time.Duration) { c.node.counts.delivered(c.id, spread, age) })
	c.relay.Committed(height)
	c.witness.Committed()
	if changed == nil {
		return
	}
	c.node.log.Info("new channel configuration", "channel", c.id, "block", height-1, "sequence", changed.Sequence())
	c.configured(changed)
}

// configured brings everything that depends on the configuration up to date.
func (c *Channel) configured(b *channelconfig.Bundle) {
	was := c.inForce
	c.inForce = b
	c.remember(was)
	c.review(was)
	c.askUnknowns()
	c.node.anchorsChanged()
	if c.orderers != nil {
		c.orderers.Refresh()
	}
}

// judgeAnnouncement gives the verdict on an announcement and hands over what is in it.
func (c *Channel) judgeAnnouncement(_ peer.ID, data []byte) topics.Verdict {
	j := c.judge(data)
	if j.Announcement == nil || j.Announcer.PeerID() == c.node.ID() {
		return j.Verdict
	}
	coming := false
	if a, ok := c.spreads(j, data); ok {
		coming = c.relay.Announced(a)
	}
	if j.Hint && !coming {
		c.sync.Have(j.Announcer.PeerID(), j.Announcement.Header.Number+1)
	}
	return j.Verdict
}

// judge judges an announcement, and acts on all but the body.
func (c *Channel) judge(data []byte) topics.Judgement {
	j := topics.Judge(func() (*msp.Sealed, error) {
		return c.node.records.Unseal(topics.Purpose, c.announcements.Name, data, now())
	}, chain{c.sync, c.witness})
	c.node.counts.judged(c.id, j)
	if j.Announcer == nil || j.Announcer.PeerID() == c.node.ID() {
		return j
	}
	c.witness.Heard(j, data)
	if j.Announcement == nil {
		return j
	}
	number := j.Announcement.Header.Number
	if j.Reason == topics.Valid || j.Reason == topics.Known {
		c.announcer.others(number)
		c.delivery.announced(number, time.Now())
	}
	if b := j.Announcement.Block(); b != nil && j.Keep {
		c.offer(b, j)
	}
	if j.Verdict == topics.Accept && j.Announcement.LastConfig != number { // what follows a configuration block is judged under it
		c.sync.Extend(number, block.HeaderHash(j.Announcement.Header))
	}
	return j
}

// offer hands over a block that came inside its announcement. One whose header nobody has verified does not keep us from
// asking for the true one.
func (c *Channel) offer(b *common.Block, j topics.Judgement) {
	c.sync.Received(blocksync.ByAnnouncement, j.Announcement.BodySize)
	if j.Reason == topics.Valid || j.Reason == topics.Known {
		c.sync.Offer(b, j.Announcer.PeerID())
		return
	}
	c.sync.Park(b, j.Announcer.PeerID())
}

// judgeHeartbeat gives the verdict on a heartbeat on the channel's topic.
func (c *Channel) judgeHeartbeat(from peer.ID, data []byte) topics.Verdict {
	h, verdict := c.node.openHeartbeat(c.members.Name, data)
	if h == nil {
		return verdict
	}
	before, _ := c.tracker.Find(h.Record.PeerID())
	if !c.heard(membership.Channel, h).Fresh() {
		return topics.Ignore
	}
	switch {
	case !before.Alive || !before.Visible || h.Sequence <= before.Sequence:
		c.node.introduce(c.members, from, h, c.node.complete(data))
	case c.young(h):
		c.node.introduce(c.members, from, h, data)
	}
	return topics.Accept
}

// young says whether a heartbeat on the channel's topic is one that we pass on.
func (c *Channel) young(h *membership.Heartbeat) bool {
	living, _ := c.tracker.Count()
	return introduces(c.node.ID(), h.Record.PeerID(), h.Sequence, living)
}

// heard takes a heartbeat of either topic. It answers None for who is not a member of the channel.
func (c *Channel) heard(on membership.Source, h *membership.Heartbeat) membership.Kind {
	id := h.Record.Identity()
	state, here := h.For(c.announcements.Name)
	if here && c.mayAsk(h.Record.PeerID()) {
		c.sync.Have(h.Record.PeerID(), state.Height)
	}
	if !c.admits(id) {
		return membership.None
	}
	return c.tracker.Observe(on, h).Kind
}

// membersChanged hears of changes in the view.
func (c *Channel) membersChanged(changes []membership.Change) {
	now := time.Now()
	for _, change := range changes {
		switch change.Kind {
		case membership.Joined, membership.Returned:
			c.arrived.Store(&now)
			c.poke()
		case membership.Left, membership.Purged:
			c.sync.Gone(change.Member.ID)
		}
	}
	c.reconsider()
	if slices.ContainsFunc(changes, func(change membership.Change) bool { return change.Kind != membership.Advanced }) {
		c.node.want() // who is near has changed for the relay, too
		c.relay.Refresh()
		c.node.carrier.Poke()
	}
}

// judgePushed gives the verdict on a message that came on a stream.
func (n *Node) judgePushed(topic string, from peer.ID, data []byte) topics.Verdict {
	if topic == n.org.topic.Name {
		return n.org.judge(from, data)
	}
	c := n.scope(topic)
	switch {
	case c == nil:
		return topics.Ignore
	case topic == c.announcements.Name:
		return c.judgeAnnouncement(from, data)
	default:
		return c.judgeHeartbeat(from, data)
	}
}

// anchorsChanged tells the keeper the anchor peers of all channels.
func (n *Node) anchorsChanged() {
	var addrs []string
	for _, c := range n.Channels() {
		for _, org := range c.sync.Position().Bundle.Orgs() {
			for _, a := range org.Anchors {
				addr := fmt.Sprintf("%s:%d", a.Host, a.Port)
				if to, ok := n.anchors[addr]; ok {
					addr = to
				}
				addrs = append(addrs, addr)
			}
		}
	}
	n.keeper.Anchors(addrs)
}

// chain is what announcements are judged against.
type chain struct {
	*blocksync.Sync
	witness *evidence.Witness
}

func (c chain) Position() topics.Position { return topics.Position(c.Sync.Position()) }

func (c chain) Distrusts(id *msp.Identity) bool { return c.witness.Distrusts(id) }
