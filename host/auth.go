// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/msp"
)

var (
	// ErrNoRecord says that this node has no member record to show.
	ErrNoRecord = errors.New("host: no member record of our own to authenticate with")
	// ErrInvalidRecord says that a peer's record is malformed, expired, wrongly signed or another peer's.
	ErrInvalidRecord = errors.New("host: invalid member record")
	// ErrUnknownToPeer says that the peer's configuration does not know our organization. It may be behind: try later.
	ErrUnknownToPeer = errors.New("host: our organization is unknown to the peer's configuration")
	// ErrRefusedByPeer says that the peer's configuration turns our identity down.
	ErrRefusedByPeer = errors.New("host: the peer refuses our identity")
	// ErrAnswer says that a peer's answer breaks the protocol.
	ErrAnswer = errors.New("host: answer breaks the authentication protocol")
)

// Result is what this node thinks of a peer's identity.
type Result int

const (
	// Unspecified: the peer has not shown a record, or it expired.
	Unspecified Result = iota
	// Refused: the configuration knows the organization and turns the identity down.
	Refused
	// Unknown: the configuration does not know the organization or its CA, but may be behind. Such a peer gets nothing.
	Unknown
	// Verified: a member.
	Verified
)

// String returns the result in lower case, as it appears in logs and metrics.
func (r Result) String() string {
	switch r {
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	case Verified:
		return "verified"
	}
	return "unspecified"
}

const (
	// renewals is how many peers are shown a new record at one time.
	renewals = 16
	// defaultPeers bounds the peers whose records are kept, at 24 KiB each at most: 96 MiB when all are hostile.
	defaultPeers = 4096
)

// AuthConfig says how a node authenticates. Host, Records, Mine and Judge are required.
type AuthConfig struct {
	Host    host.Host
	Records *msp.Records
	// Mine returns this node's record in force, nil when it has none yet. Called often, from several goroutines.
	Mine func() *msp.Record
	// Judge decides from the identity in a record under the configurations in force: Verified, Unknown or Refused. The
	// record's signatures and expiry are checked already. Called from several goroutines, without locks.
	Judge func(*msp.Record) Result
	// OnChange hears when a peer's record or result changed, in the order of changes for one peer and from one goroutine
	// at a time, without locks held; Unspecified when the record expired or was displaced. It must not block. Nil is allowed.
	OnChange func(peer.ID, *msp.Record, Result)
	// Outdated hears that a member has seen a higher incarnation of our record than Mine: a lost file or a clock set back.
	// The answer is a new record above it, and Renew. Called like OnChange, possibly at the same time. Nil is allowed.
	Outdated func(highest uint64)
	// CloseRefused closes the connections of peers that are refused, that show an invalid record, or that cease to be
	// members: their record expired or a configuration dropped them. Set it only on hosts that New built: on a caller's
	// host the connection may serve somebody else.
	CloseRefused bool
	// Peers bounds how many peers' records are kept. Zero: 4,096.
	Peers int
	// Accounts are those of the host's other servers; nil: every peer counts for itself.
	Accounts   *stream.Accounts
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Auth authenticates the peers of one host, and this node to them. Safe for concurrent use.
type Auth struct {
	cfg     AuthConfig
	peers   *acquaintances
	metrics *authMetrics
}

// NewAuth allocates; it answers nobody before Run. Authenticate works without Run.
func NewAuth(cfg AuthConfig) *Auth {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Peers == 0 {
		cfg.Peers = defaultPeers
	}
	a := &Auth{cfg: cfg, metrics: newAuthMetrics(cfg.Registerer)}
	a.peers = newAcquaintances(cfg.Peers, a.connected, a.onChange)
	return a
}

// Run answers peers that authenticate, until ctx ends. It returns an error when the host has a handler for the protocol.
func (a *Auth) Run(ctx context.Context) error {
	sub, err := a.cfg.Host.EventBus().Subscribe(new(event.EvtPeerConnectednessChanged), eventbus.BufSize(256), eventbus.Name("weft/auth"))
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	defer sub.Close()
	server := &stream.Server{Host: a.cfg.Host, Protocol: AuthProtocol, Accounts: a.cfg.Accounts, Handle: a.serve, Log: a.cfg.Log}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Run(ctx) })
	g.Go(func() error { a.watch(ctx, sub); return nil })
	return g.Wait()
}

func (a *Auth) watch(ctx context.Context, sub event.Subscription) {
	expiry := time.NewTimer(time.Hour)
	defer expiry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-sub.Out():
			if !ok {
				return
			}
			if c := e.(event.EvtPeerConnectednessChanged); c.Connectedness != network.Connected {
				a.peers.unshown(c.Peer)
			}
		case <-a.peers.dated:
		case <-expiry.C:
			for _, id := range a.peers.expire(time.Now()) {
				a.closeRefused(id)
			}
		}
		if due := a.peers.nextExpiry(); !due.IsZero() {
			expiry.Reset(time.Until(due))
		}
	}
}

// Known returns what is known of a peer: its record, nil when it showed none, and what this node thinks of it.
func (a *Auth) Known(id peer.ID) (*msp.Record, Result) { return a.peers.find(id) }

// Ensure is [Auth.Authenticate] unless the connected peer is a verified member that has seen our record in force. It is what
// a keeper calls: with either side opening, one exchange is enough for both. That we do not verify the peer is no error.
func (a *Auth) Ensure(ctx context.Context, id peer.ID) error {
	if mine := a.cfg.Mine(); mine != nil && a.peers.mutual(id, mine.Incarnation()) {
		return nil
	}
	_, err := a.Authenticate(ctx, id)
	return err
}

// Renew shows our record in force to every connected peer that has shown one, 16 at a time, and blocks until all answered,
// 5 s each at most. What single peers answer is in their result; the only error is ctx's.
func (a *Auth) Renew(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(renewals)
	for _, id := range a.peers.ids() {
		if ctx.Err() != nil {
			break
		}
		if !a.connected(id) {
			continue
		}
		g.Go(func() error {
			if _, err := a.Authenticate(ctx, id); err != nil {
				a.cfg.Log.Debug("renewal not taken", "peer", id, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait() // nothing above returns an error
	return ctx.Err()
}

// Rejudge judges every known record again; call it when a configuration or the local MSP changed. Records that come in meanwhile are judged
// under the new configuration too. When two calls overlap, the later one finishes the work of both.
func (a *Auth) Rejudge() {
	for _, id := range a.peers.rejudge(a.cfg.Judge) {
		a.closeRefused(id)
	}
}

func (a *Auth) onChange(id peer.ID, rec *msp.Record, res Result) {
	a.cfg.Log.Debug("peer judged", "peer", id, "msp", rec.Identity().MSPID(), "result", res)
	if a.cfg.OnChange != nil {
		a.cfg.OnChange(id, rec, res)
	}
}

func (a *Auth) connected(id peer.ID) bool {
	return a.cfg.Host.Network().Connectedness(id) == network.Connected
}

func (a *Auth) closeRefused(id peer.ID) {
	if !a.cfg.CloseRefused {
		return
	}
	if err := a.cfg.Host.Network().ClosePeer(id); err != nil {
		a.cfg.Log.Debug("connection of a refused peer not closed", "peer", id, "err", err)
	}
}
