// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/meter"
)

// remembered is how many members' and how many strangers' conduct and rates are remembered, each. Who falls out starts
// without blame and with a full burst; strangers push out strangers alone.
const remembered = 4096

// logEvery is the least time between two lines about members that were barred.
const logEvery = time.Minute

// AccountsConfig says what accounts need. All fields may be left out.
type AccountsConfig struct {
	// Owner is the identity and organization of a peer that is authenticated; false for any other, which then counts as an
	// identity of its own, of one organization of strangers. Called often, from several goroutines; it must not block.
	Owner func(peer.ID) (fair.Owner, bool)
	// Barred hears of a peer that is barred, when it is and again whenever it opens a stream meanwhile. It must not block.
	Barred     func(peer.ID)
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Accounts are what the servers of a host share: whom each peer counts as, and who has misbehaved. An identity that commits
// [FaultLimit] faults is barred for [FaultPause], with all of its host keys. Safe for concurrent use; nil counts every peer
// for itself and bars nobody.
type Accounts struct {
	c      AccountsConfig
	faults *prometheus.CounterVec // nil: not counted
	barred *prometheus.CounterVec

	mu                 sync.Mutex // guards all below
	members, strangers *simplelru.LRU[fair.Owner, *conduct]
	logged             time.Time
}

// NewAccounts makes accounts in which nobody has misbehaved. The error is the registerer's.
func NewAccounts(c AccountsConfig) (*Accounts, error) {
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	a := &Accounts{c: c, members: memory[*conduct](), strangers: memory[*conduct]()}
	if c.Registerer == nil {
		return a, nil
	}
	s := meter.Set{Registerer: c.Registerer}
	a.faults = s.Counter("weft_peer_faults_total", "Faults of peers, by their kind.", "reason")
	a.barred = s.Counter("weft_peers_barred_total", "Peers that were barred for a while, by the kind of the last fault.", "reason")
	return a, s.Err()
}

// memory is a cache of what is remembered of owners.
func memory[V any]() *simplelru.LRU[fair.Owner, V] {
	l, _ := simplelru.NewLRU[fair.Owner, V](remembered, nil) // fails for a size below one only
	return l
}

// Owner is whom a peer counts as.
func (a *Accounts) Owner(id peer.ID) fair.Owner {
	if a != nil && a.c.Owner != nil {
		if o, ok := a.c.Owner(id); ok {
			return o
		}
	}
	return fair.Owner{Identity: string(id)}
}

// Fault counts a fault of a peer.
func (a *Accounts) Fault(id peer.ID, r Reason) {
	if a == nil {
		return
	}
	o := a.Owner(id)
	counted, bars := a.note(o, r, time.Now())
	if counted && a.faults != nil {
		a.faults.WithLabelValues(string(r)).Inc()
	}
	if !bars {
		return
	}
	if a.barred != nil {
		a.barred.WithLabelValues(string(r)).Inc()
	}
	a.tell(id, o, r)
	a.refused(id)
}

func (a *Accounts) note(o fair.Owner, r Reason, now time.Time) (counted, bars bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	table := a.table(o)
	c, ok := table.Get(o)
	if !ok {
		c = &conduct{}
		table.Add(o, c)
	}
	return c.fault(now, r)
}

// Barred says whether a peer is to be refused at the moment.
func (a *Accounts) Barred(id peer.ID) bool {
	if a == nil {
		return false
	}
	o := a.Owner(id)
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.table(o).Peek(o)
	return ok && c.barred(time.Now())
}

// refused tells that a peer is barred.
func (a *Accounts) refused(id peer.ID) {
	if a.c.Barred != nil {
		a.c.Barred(id)
	}
}

// table is where the conduct of an owner is kept. The lock is held.
func (a *Accounts) table(o fair.Owner) *simplelru.LRU[fair.Owner, *conduct] {
	if o.Org == "" {
		return a.strangers
	}
	return a.members
}

func (a *Accounts) tell(id peer.ID, o fair.Owner, r Reason) {
	a.mu.Lock()
	level := slog.LevelDebug
	if o.Org != "" && due(&a.logged, time.Now(), logEvery) {
		level = slog.LevelInfo
	}
	a.mu.Unlock()
	a.c.Log.Log(context.Background(), level, "a peer breaks the protocols and is refused for a while", "peer", id, "msp", o.Org, "reason", r, "pause", FaultPause)
}
