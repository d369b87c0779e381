// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"time"

	"github.com/weft-p2p/weft/msp"
)

const (
	// expirySoon is how long before the end of our certificate we begin to warn, as a Fabric peer does, and expiryAgain how
	// often we repeat it.
	expirySoon  = 7 * 24 * time.Hour
	expiryAgain = 24 * time.Hour
	// renewLeast is how long we wait at least before we try again to issue a record.
	renewLeast = time.Minute
)

// duties are what is due for our own identity at one moment.
type duties struct{ renew, warn, ended bool }

// vigil says what is due for our own identity, and when to ask again. It is pure. The zero value knows nothing.
type vigil struct {
	record *msp.Record
	renew  time.Time // zero: a new record would end with the certificate, as this one does
	warn   time.Time
	ended  bool // and it was said
	broken bool // records cannot be issued, and it was said
}

// look takes the record in force. A new one starts anew; the warnings go on unless the certificate is another.
func (v *vigil) look(now time.Time, r *msp.Record) {
	if r == v.record {
		return
	}
	end := r.Identity().ExpiresAt()
	if v.record == nil || v.record.Identity().Digest() != r.Identity().Digest() {
		v.warn, v.ended = end.Add(-expirySoon), false
	}
	v.record, v.renew = r, time.Time{}
	if r.Expiry().Before(end) {
		v.later(now)
	}
}

// later puts the renewal off to half of what is left.
func (v *vigil) later(now time.Time) {
	v.renew = now.Add(max(v.record.Expiry().Sub(now)/2, renewLeast))
}

// step says what is due, counts it as done, and when something is due next; zero: never.
func (v *vigil) step(now time.Time) (d duties, next time.Time) {
	end := v.record.Identity().ExpiresAt()
	if now.After(end) {
		d.ended, v.ended = !v.ended, true
		return d, time.Time{}
	}
	if d.warn = !now.Before(v.warn); d.warn {
		v.warn = now.Add(expiryAgain)
	}
	if d.renew = !v.renew.IsZero() && !now.Before(v.renew); d.renew {
		v.later(now)
	}
	next = end.Add(time.Nanosecond) // it is good at its very end
	for _, t := range []time.Time{v.warn, v.renew} {
		if !t.IsZero() && t.Before(end) && t.Before(next) {
			next = t
		}
	}
	return d, next
}

// keepIdentity renews the member record at half of its life, warns before our certificate ends, and when it does, until ctx
// ends.
func (n *Node) keepIdentity(ctx context.Context) error {
	var v vigil
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		v.look(now(), n.myRecord())
		due, next := v.step(now())
		n.attend(due)
		if due.renew {
			n.reissue(ctx, &v)
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.renewed:
		case <-timer.C:
		}
	}
}

// attend tells the operator, and the channels, what has become of our certificate.
func (n *Node) attend(due duties) {
	expires := n.signer().ExpiresAt()
	switch {
	case due.ended:
		n.log.Error("the certificate of this node has expired: others refuse it, and it leads no more; renew it",
			"mspid", n.MSPID(), "expires", expires)
		n.reconsider()
	case due.warn:
		n.log.Warn("the certificate of this node expires soon; renew it, or others will refuse the node",
			"mspid", n.MSPID(), "expires", expires, "left", time.Until(expires).Round(time.Minute))
	}
}

// reissue renews the record of the identity that we have. That it fails is said once, until it works again.
func (n *Node) reissue(ctx context.Context, v *vigil) {
	err := n.renewRecord(n.identity())
	if err != nil && !v.broken {
		n.log.Error("member record not renewed, others will refuse this node when the last one has expired", "expires", n.myRecord().Expiry(), "err", err)
	}
	if v.broken = err != nil; v.broken {
		return
	}
	select {
	case n.renewed <- struct{}{}:
	default:
	}
	_ = n.auth.Renew(ctx) // its only error is ctx's
}
