// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// keepTag protects members with the host's connection manager.
	keepTag = "weft-member"
	// defaultParallel is how many attempts run at one time at most, see window: enough to reach 300 members within seconds at 200 ms a round
	// trip, and few handshakes for one core.
	defaultParallel = 16
	// attemptTimeout bounds one attempt: a TCP connection that is never answered, or a handshake and 5 s of authentication.
	attemptTimeout = 15 * time.Second
)

// KeeperConfig says what a keeper needs. Host and Connected are required.
type KeeperConfig struct {
	Host host.Host
	// Connected authenticates a connected peer: [Auth.Ensure]. It may block until ctx ends. An error counts like a failed
	// dial, without ending the connection.
	Connected func(ctx context.Context, id peer.ID) error
	// Bootstrap are addresses where members are found, host:port or multiaddr; see [DialAddress].
	Bootstrap []string
	// Remembered are addresses where members were once; see [Keeper.Remember].
	Remembered []string
	// Unreachable hears that a member whose connection was lost is not connected again half a second later. Dialing it goes on.
	// The second argument is zero then. It also hears of a member that was new and could not be connected, and when that was tried: who was
	// heard since lives, and only we are too busy or too far away. It must not block. Nil is allowed.
	Unreachable func(peer.ID, time.Time)
	// Joined hears that Joining has become false. It must not block. Nil is allowed.
	Joined func()
	// CloseDoubles says that the host serves weft alone: of two connections to one peer, one that carries no stream is closed after 20 s.
	CloseDoubles bool
	// Parallel bounds the attempts at one time; a quarter of it is where they begin. Zero: 16.
	Parallel int
	Log      *slog.Logger
	// Rand spreads retries. Nil: seeded by chance. It belongs to the keeper while Run runs.
	Rand       *rand.Rand
	Registerer prometheus.Registerer
}

// Keeper keeps connections to those who are wanted. gossipsub does not come back after a partition, and nobody else would.
// It says only who is wanted and when to try again; addresses come from the host's peer routing, and resolving, ranking,
// de-duplication and trimming stay libp2p's. In a large network it closes connections that are left over. Want, Surplus, Anchors,
// Remember and Keeps are safe for concurrent use, before Run and while it runs.
type Keeper struct {
	cfg     KeeperConfig
	metrics *keeperMetrics
	changed chan struct{} // holds one: the wishes below changed
	joining atomic.Bool

	mu      sync.Mutex // guards all below
	wanted  map[peer.ID]struct{}
	surplus map[peer.ID]struct{}
	anchors []string
	spare   []string           // remembered
	found   map[string]peer.ID // by address, of those above and of Bootstrap: who was there last
}

// NewKeeper allocates; nothing is dialed before Run.
func NewKeeper(cfg KeeperConfig) *Keeper {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = defaultParallel
	}
	if cfg.Rand == nil {
		cfg.Rand = newRand()
	}
	if cfg.Joined == nil {
		cfg.Joined = func() {}
	}
	k := &Keeper{
		cfg: cfg, metrics: newKeeperMetrics(cfg.Registerer), changed: make(chan struct{}, 1),
		spare: cfg.Remembered, found: make(map[string]peer.ID),
	}
	k.joining.Store(len(cfg.Bootstrap)+len(cfg.Remembered) > 0)
	return k
}

// Joining reports whether we know nobody yet, and somebody may be at an address that was not tried to the end. Once
// it is false it stays so. It is safe for concurrent use.
func (k *Keeper) Joining() bool { return k.joining.Load() }

func newRand() *rand.Rand {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails, see crypto/rand
	return rand.New(rand.NewChaCha8(seed))
}

// Want sets the members to be connected, in place of those of the last call. The map stays the caller's.
func (k *Keeper) Want(ids map[peer.ID]struct{}) {
	k.mu.Lock()
	k.wanted = maps.Clone(ids)
	k.mu.Unlock()
	k.wake()
}

// Surplus sets members that need no connection, in place of those of the last call: they are not kept for having been found at an
// address, and connections to them are closed after 20 s. The map stays the caller's.
func (k *Keeper) Surplus(ids map[peer.ID]struct{}) {
	k.mu.Lock()
	k.surplus = maps.Clone(ids)
	k.mu.Unlock()
	k.wake()
}

// Anchors sets addresses that are treated like Bootstrap, in place of those of the last call.
func (k *Keeper) Anchors(set []string) {
	k.mu.Lock()
	k.anchors = slices.Clone(set)
	k.mu.Unlock()
	k.wake()
}

// Keeps reports whether a peer is connected because we want it: it is a wanted member, or was found at an address. Who dialed the
// connection there is does not say it, for gossipsub dials whoever hangs up on it in the wrong moment.
func (k *Keeper) Keeps(id peer.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.wanted[id]; ok {
		return true
	}
	for _, at := range k.found {
		if at == id {
			return true
		}
	}
	return false
}

// Remember sets addresses that are dialed only while nobody is connected, after those of Bootstrap and Anchors, in place of those of the last
// call.
func (k *Keeper) Remember(set []string) {
	k.mu.Lock()
	k.spare = slices.Clone(set)
	k.mu.Unlock()
	k.wake()
}

func (k *Keeper) wake() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// Run keeps connections until ctx ends. When it returns no attempt is under way and nobody is protected any more;
// connections stay. It returns an error only when the host's events cannot be had.
func (k *Keeper) Run(ctx context.Context) error {
	sub, err := k.cfg.Host.EventBus().Subscribe(new(event.EvtPeerConnectednessChanged), eventbus.BufSize(256), eventbus.Name("weft/keeper"))
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	defer sub.Close()
	r := &keeping{
		Keeper: k, plan: newPlan(k.cfg.Host.ID(), k.cfg.Rand), window: newWindow(k.cfg.Parallel),
		results: make(chan attempt, k.cfg.Parallel), protected: make(map[peer.ID]struct{}), alone: true,
	}
	defer r.protect(nil)
	defer r.attempts.Wait()
	r.loop(ctx, sub.Out())
	return nil
}

// keeping is one Run. Its fields belong to the loop.
type keeping struct {
	*Keeper
	plan      *plan
	attempts  sync.WaitGroup
	window    window
	running   int
	results   chan attempt // room for all that run, so that none waits for a loop that ended
	protected map[peer.ID]struct{}
	look      time.Time // when to look for second connections; zero: not
	alone     bool
}

func (r *keeping) loop(ctx context.Context, events <-chan any) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	r.wish(time.Now())
	for {
		r.start(ctx, timer)
		select {
		case <-ctx.Done():
			return
		case <-r.changed:
			r.wish(time.Now())
		case e := <-events:
			r.event(e)
		case a := <-r.results:
			r.ended(a)
		case <-timer.C:
		}
	}
}

// start tells who is unreachable, runs what is due and sets the timer for what comes next.
func (r *keeping) start(ctx context.Context, timer *time.Timer) {
	now := time.Now()
	r.tell(r.plan.overdue(now))
	due, wake := r.plan.due(now, r.window.size-r.running, r.window.size/4)
	over, later := r.plan.surplus.due(now)
	wake = sooner(sooner(wake, later), r.tidy(now))
	r.close(over)
	for _, t := range due {
		r.running++
		who := r.plan.who(t)
		r.attempts.Go(func() {
			a := r.attempt(ctx, t, who)
			a.begun = now
			r.results <- a
		})
	}
	timer.Stop()
	if !wake.IsZero() {
		timer.Reset(wake.Sub(now))
	}
}

// close ends connections to members that need none.
func (r *keeping) close(ids []peer.ID) {
	for _, id := range ids {
		r.attempts.Go(func() {
			if err := r.cfg.Host.Network().ClosePeer(id); err != nil {
				r.cfg.Log.Debug("connection that is left over not closed", "peer", id, "err", err)
			}
		})
	}
}

func (r *keeping) tell(unreachable []peer.ID) {
	for _, id := range unreachable {
		if r.cfg.Unreachable != nil && !r.linked(id) { // that it is linked may not have come in yet
			r.cfg.Log.Debug("member is unreachable", "peer", id)
			r.cfg.Unreachable(id, r.plan.unheard(id))
		}
	}
}

// wish hands the wishes to the plan.
func (r *keeping) wish(now time.Time) {
	targets := make(map[target]struct{})
	r.mu.Lock()
	for id := range r.wanted {
		targets[target{id: id}] = struct{}{}
	}
	for _, addr := range slices.Concat(r.cfg.Bootstrap, r.anchors) {
		targets[target{addr: addr}] = struct{}{}
	}
	for _, addr := range r.spare {
		targets[target{addr: addr, spare: true}] = struct{}{}
	}
	over := r.surplus
	maps.DeleteFunc(r.found, func(addr string, _ peer.ID) bool {
		return !slices.Contains(r.cfg.Bootstrap, addr) && !slices.Contains(r.anchors, addr) && !slices.Contains(r.spare, addr)
	})
	r.mu.Unlock()
	r.plan.surplus.set(now, over, r.linked)
	r.plan.want(now, targets)
	r.settle()
}

func (r *keeping) event(e any) {
	c, ok := e.(event.EvtPeerConnectednessChanged)
	if !ok {
		return
	}
	if c.Connectedness == network.Connected {
		r.plan.connected(time.Now(), c.Peer)
		r.plan.surplus.connected(time.Now(), c.Peer)
		return
	}
	r.plan.disconnected(time.Now(), c.Peer)
	r.plan.surplus.disconnected(c.Peer)
	r.settle()
}

func (r *keeping) ended(a attempt) {
	r.running--
	r.metrics.attempted(a.err)
	a.linked = r.linked(a.peer)
	switch {
	case errors.Is(a.err, ErrAddress):
		r.cfg.Log.Warn("bootstrap or anchor address is left out; correct it in the configuration", "err", a.err)
	case a.err != nil:
		r.cfg.Log.Debug("not connected", "peer", a.target.id, "address", a.target.addr, "err", a.err)
	}
	now := time.Now()
	switch {
	case a.err == nil:
		r.window.connected()
		if r.cfg.CloseDoubles && r.look.IsZero() {
			r.look = now.Add(doubleTime)
		}
	case now.Sub(a.begun) >= slow && r.plan.failures(a.target) == 0:
		r.window.expired(now, a.begun)
	}
	r.plan.done(now, a)
	r.settle()
}

// settle protects whom the plan keeps, and reports.
func (r *keeping) settle() {
	protect, wanted, up := r.plan.kept()
	r.protect(protect)
	r.metrics.peers(wanted, up)
	if r.joining.Load() && !r.plan.joining() {
		r.joining.Store(false)
		r.cfg.Joined()
	}
	alone := r.plan.alone()
	switch {
	case alone == r.alone:
	case alone:
		r.cfg.Log.Warn("no connection to any member is left; dialing the bootstrap and anchor addresses again, and where members were before")
	default:
		r.cfg.Log.Info("connected to the first member")
	}
	r.alone = alone
}

func (r *keeping) protect(ids map[peer.ID]struct{}) {
	conns := r.cfg.Host.ConnManager()
	for id := range r.protected {
		if _, ok := ids[id]; !ok {
			conns.Unprotect(id, keepTag)
		}
	}
	for id := range ids {
		if _, ok := r.protected[id]; !ok {
			conns.Protect(id, keepTag)
		}
	}
	r.protected = ids
}

// attempt connects a target and authenticates it. Who was found at an address before is not dialed while it is connected.
func (r *keeping) attempt(ctx context.Context, t target, who peer.ID) attempt {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	a := attempt{target: t, peer: who}
	r.forgive(who)
	switch {
	case t.id != "":
		a.err = r.cfg.Host.Connect(ctx, peer.AddrInfo{ID: t.id})
	case !r.linked(who):
		a.peer, a.err = DialAddress(ctx, r.cfg.Host, t.addr)
		a.never = errors.Is(a.err, ErrOwnAddress) || errors.Is(a.err, ErrAddress)
		r.find(t.addr, a)
	}
	if a.err == nil {
		a.err = r.cfg.Connected(ctx, a.peer)
	}
	return a
}

// find keeps who was found at an address, before anybody hears that it has authenticated.
func (r *keeping) find(addr string, a attempt) {
	if a.err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found[addr] = a.peer
}

// forgive has libp2p forget that a peer could not be dialed. It would refuse to dial it for minutes; here the plan says when.
func (r *keeping) forgive(id peer.ID) {
	if n, ok := r.cfg.Host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		n.Backoff().Clear(id)
	}
}

func (r *keeping) linked(id peer.ID) bool {
	return id != "" && r.cfg.Host.Network().Connectedness(id) == network.Connected
}
