// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	routedhost "github.com/libp2p/go-libp2p/p2p/host/routed"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/roster"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// Errors of a node.
var (
	// ErrHostInUse: another node stands on this host already.
	ErrHostInUse = errors.New("weft: another node stands on this host")
	// ErrClosed: the node or the channel was closed.
	ErrClosed = errors.New("weft: closed")
	// ErrJoined: the node is in the channel already.
	ErrJoined = errors.New("weft: channel is joined already")
)

// knownRecords is how many member records a node remembers as verified.
const knownRecords = 4096

// Node is a peer of an organization on one libp2p host. Its methods are safe for concurrent use.
type Node struct {
	config
	host     host.Host
	pubsub   *pubsub.PubSub // nil without a guard: nothing is said on it
	records  *msp.Records
	auth     *weftHost.Auth
	keeper   *weftHost.Keeper
	carrier  *relay.Carrier
	org      *organization
	leaders  *leader.Metrics
	views    *membership.Metrics
	counts   *metrics
	delivers *server.Metrics

	accounts *stream.Accounts // whom peers count as, and who is barred

	renewed      chan struct{}     // 1-buffered: our record is another
	incarnations *msp.Incarnations // nil without a data directory
	recalled     []roster.Entry    // members that were there when the node ran last
	sequence     membership.Sequence
	mesh         struct {
		sync.Mutex // guards the rest
		neighbours
	}

	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex // guards all below
	closed   bool
	err      error
	local    *msp.Local
	record   *msp.Record
	joining  map[string]struct{} // IDs of channels that are being joined or are joined
	channels map[string]*Channel // by channel ID
	scopes   map[string]*Channel // by the name of either of its topics
}

// New makes a node on h and ps with an MSP identity, and starts it. Neither h nor ps is owned: Close leaves nothing of weft
// on them. Without [WithGuard] nothing is said on ps, which may then be nil. A host has one node.
func New(h host.Host, ps *pubsub.PubSub, identity *msp.Local, opts ...Option) (*Node, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	n := &Node{
		config: c, local: identity, records: msp.NewRecords(knownRecords), done: make(chan struct{}), renewed: make(chan struct{}, 1),
		joining: map[string]struct{}{}, channels: map[string]*Channel{}, scopes: map[string]*Channel{},
	}
	n.host = routedhost.Wrap(h, n) // members are reached by their ID, whatever routing the host has
	if err := n.build(ps); err != nil {
		return nil, err
	}
	if err := n.start(); err != nil {
		return nil, err
	}
	return n, nil
}

// build makes the parts; nothing runs yet.
func (n *Node) build(ps *pubsub.PubSub) error {
	for _, p := range []protocol.ID{weftHost.AuthProtocol.ID, blocksync.Protocol.ID, topics.PushProtocol.ID, relay.Protocol.ID} {
		if slices.Contains(n.host.Mux().Protocols(), p) {
			return fmt.Errorf("%w: %s is answered already; make one node a host, and join all channels with it", ErrHostInUse, p)
		}
	}
	if n.guard != nil {
		n.pubsub = ps
	} else {
		n.log.Info("no guard on this pubsub: topics are not joined, all messages go over streams")
	}
	if n.external == nil {
		n.external = n.host.Addrs
	}
	if err := n.openDataDir(); err != nil {
		return err
	}
	if err := n.buildMetrics(); err != nil {
		return err
	}
	if err := n.renewRecord(n.local); err != nil {
		return err
	}
	var err error
	if n.accounts, err = stream.NewAccounts(stream.AccountsConfig{
		Owner: n.owner, Barred: n.barred, Log: n.logger("host"), Registerer: n.registerer,
	}); err != nil {
		return err
	}
	n.auth = weftHost.NewAuth(weftHost.AuthConfig{
		Host: n.host, Accounts: n.accounts, Records: n.records, Mine: n.myRecord, Judge: n.judge, OnChange: n.judged, Outdated: n.outdated,
		CloseRefused: n.ownsHost, Log: n.logger("host"), Registerer: n.registerer,
	})
	n.recalled = n.recallMembers()
	n.keeper = weftHost.NewKeeper(weftHost.KeeperConfig{
		Host: n.host, Bootstrap: n.bootstrap, Remembered: roster.Dials(n.recalled), Connected: n.ensure, Unreachable: n.unreachable, Joined: n.joined,
		CloseDoubles: n.ownsHost, Log: n.logger("host"), Registerer: n.registerer,
	})
	n.mesh.neighbours = neighbours{self: n.ID(), hidden: n.hidden, most: n.fullMesh}
	n.carrier = relay.NewCarrier(relay.CarrierConfig{Host: n.host, Accounts: n.accounts, Speaks: n.speaks, Sampled: n.counts.flowed, Log: n.logger("relay")})
	n.org, err = newOrganization(n)
	return err
}

func (n *Node) buildMetrics() (err error) {
	var errs [4]error
	n.leaders, errs[0] = leader.NewMetrics(n.registerer)
	n.views, errs[1] = membership.NewMetrics(n.registerer)
	n.counts, errs[2] = newMetrics(n.registerer)
	n.delivers, errs[3] = server.NewMetrics(n.registerer)
	return errors.Join(errs[:]...)
}

func (n *Node) openDataDir() (err error) {
	if n.dataDir == "" {
		return nil
	}
	if err := os.MkdirAll(n.dataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	n.incarnations, err = msp.OpenIncarnations(filepath.Join(n.dataDir, "incarnation"))
	return err
}

// start runs the node's services until Close, or until one of them fails.
func (n *Node) start() error {
	detach := func() {}
	if n.guard != nil {
		var err error
		if detach, err = n.guard.Attach(n.allows, n.speaks); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	g, ctx := errgroup.WithContext(ctx)
	push := topics.PushServer{Host: n.host, Accounts: n.accounts, Allow: n.allows, Speaks: n.speaks, Judge: n.judgePushed, Log: n.logger("topics")}
	ranges := blocksync.Server{Host: n.host, Accounts: n.accounts, Speaks: n.speaks, Room: n.carrier.Room, Channel: n.readable, Log: n.logger("blocksync")}
	for _, run := range []func(context.Context) error{n.auth.Run, n.keeper.Run, push.Run, ranges.Run, n.carrier.Run, n.org.run, n.keepIdentity, n.rememberMembers} {
		g.Go(func() error { return run(ctx) })
	}
	go func() {
		err := g.Wait()
		if detach(); n.guard != nil {
			n.guard.Recheck(n.host) // nobody may go on receiving what a later node says
		}
		n.finish(err)
	}()
	return nil
}

func (n *Node) finish(err error) {
	n.mu.Lock()
	n.closed, n.err = true, err
	n.mu.Unlock()
	if err != nil {
		n.log.Error("node stopped", "err", err)
	}
	close(n.done)
}

// Close leaves every channel without a word, stops everything of the node and waits for it. Host and pubsub stay as they
// are. It may be called more than once, and returns what ended the node if it was not Close.
func (n *Node) Close() error {
	n.mu.Lock()
	n.closed = true
	channels := n.list()
	n.mu.Unlock()
	var errs []error
	for _, c := range channels {
		errs = append(errs, c.Close())
	}
	n.cancel()
	<-n.done
	return errors.Join(append(errs, n.err)...)
}

// Done is closed when the node has stopped.
func (n *Node) Done() <-chan struct{} { return n.done }

// ID is the peer ID of the node's host.
func (n *Node) ID() peer.ID { return n.host.ID() }

// MSPID is the MSP ID of the node's organization.
func (n *Node) MSPID() string { return n.identity().MSP.ID() }

// Expires is when the node's certificate does.
func (n *Node) Expires() time.Time { return n.signer().ExpiresAt() }

// Flow is how fast blocks are relayed from and to a peer.
type Flow = relay.Flow

// Flows are the peers that blocks are relayed from or to. It does not wait.
func (n *Node) Flows() map[peer.ID]Flow { return n.carrier.Flows() }

// Channels are the channels that the node is in, sorted by ID.
func (n *Node) Channels() []*Channel {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.list()
}

func (n *Node) list() []*Channel {
	all := make([]*Channel, 0, len(n.channels))
	for _, c := range n.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Channel) int { return compare(a.id, b.id) })
	return all
}

// Channel is the channel with that ID, nil if the node is not in it.
func (n *Node) Channel(id string) *Channel {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.channels[id]
}

// scope is the channel that has a topic of that name, nil if there is none.
func (n *Node) scope(topic string) *Channel {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.scopes[topic]
}

// FindPeer answers libp2p's peer routing from the membership views, so that any service on the host reaches members by peer
// ID: give the node to host.Routing, or wrap it in libp2p.Routing.
func (n *Node) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	if info, err := n.org.tracker.FindPeer(ctx, id); err == nil {
		return info, nil
	}
	for _, c := range n.Channels() {
		if info, err := c.tracker.FindPeer(ctx, id); err == nil {
			return info, nil
		}
	}
	return peer.AddrInfo{}, routing.ErrNotFound
}

// secret is the salt of the organization's topic: by default SHA-256 of its root certificates, sorted and joined.
func (n *Node) secret() []byte {
	if n.orgSecret != nil {
		return n.orgSecret
	}
	roots := slices.Clone(n.identity().MSP.Roots())
	slices.SortFunc(roots, slices.Compare)
	sum := sha256.Sum256(slices.Concat(roots...))
	return sum[:]
}

// want tells the keeper whom to be connected to, and whom not.
func (n *Node) want() {
	organization := n.org.tracker.Members()
	joined := n.Channels()
	var channels [][]membership.Member
	for _, c := range joined {
		channels = append(channels, c.tracker.Members())
	}
	n.mesh.Lock()
	defer n.mesh.Unlock()
	n.mesh.choose(organization, channels)
	if n.mesh.sparse { // who is near has changed for the relays, too
		for _, c := range joined {
			c.relay.Refresh()
		}
	}
	n.keeper.Want(n.mesh.near)
	if n.ownsHost {
		n.keeper.Surplus(n.mesh.spare)
	}
}

// far says whether others reach a member, and we need not be connected to it.
func (n *Node) far(id peer.ID) bool {
	n.mesh.Lock()
	defer n.mesh.Unlock()
	return n.mesh.far(id)
}

// hidden says whether only our own organization may see us: nothing is said on the topics of channels then.
func (n *Node) hidden() bool { return len(n.external()) == 0 }

// unreachable hears that a lost connection could not be made again, or that somebody new could not be connected: then it counts unless
// we have heard them since.
func (n *Node) unreachable(id peer.ID, since time.Time) {
	trackers := []*membership.Tracker{n.org.tracker}
	for _, c := range n.Channels() {
		trackers = append(trackers, c.tracker)
	}
	for _, t := range trackers {
		if m, _ := t.Find(id); since.IsZero() || m.LastSeen.Before(since) {
			t.Unreachable(id)
		}
	}
}

// now is the clock of a node; it is virtual in a simulation.
func now() time.Time { return time.Now() }
