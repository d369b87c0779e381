// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// reportEvery is the least time between two lines about changes, as long as
	// Fabric's peer.gossip.membershipTrackerInterval: whoever makes members come
	// and go cannot fill a log.
	reportEvery = 5 * time.Second
	// twinEvery is the same for the warning about a certificate used twice.
	twinEvery = time.Minute
	// maxNames is how many peer IDs one attribute spells out.
	maxNames = 8
)

// report writes one line about all changes since the last one: the first at
// once, the next when reportEvery has passed. Only Tracker.Run uses it.
type report struct {
	log      *slog.Logger
	seen     batch
	last     time.Time
	lastTwin time.Time
	living   int
	known    int
}

// twins are two host keys of one identity.
type twins struct {
	member Member
	other  peer.ID
}

func (r *report) add(now time.Time, changes []Change, living, known int) {
	for _, c := range changes {
		if c.Kind != Updated && c.Kind != Advanced {
			r.seen.add(c)
		}
	}
	r.living, r.known = living, known
	if !r.seen.empty() && now.Sub(r.last) >= reportEvery {
		r.last = now
		r.write()
	}
}

// next is when the waiting line is due.
func (r *report) next() (time.Time, bool) { return r.last.Add(reportEvery), !r.seen.empty() }

func (r *report) write() {
	names := make(map[Kind][]string)
	for _, c := range r.seen.take() {
		names[c.Kind] = append(names[c.Kind], c.Member.ID.String())
	}
	attrs := []any{"alive", r.living, "dead", r.known - r.living}
	for _, kind := range slices.Sorted(maps.Keys(names)) {
		all := names[kind]
		attrs = append(attrs, slog.Group(kind.String(), "count", len(all), "peers", all[:min(len(all), maxNames)]))
	}
	r.log.Info("membership view has changed", attrs...)
}

func (r *report) twin(now time.Time, t twins) {
	if t.other == "" || now.Sub(r.lastTwin) < twinEvery {
		return
	}
	r.lastTwin = now
	r.log.Warn("duplicate host key: two live nodes use one MSP identity; unless its data directory was lost just now, give each node a certificate of its own",
		"msp", t.member.MSPID, "peer", t.member.ID, "other", t.other)
}
