// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

const (
	// lookTime is how long a look waits for a block: longer than an orderer's dial timeout (3 s).
	lookTime = 5 * time.Second
	// graceTime is how long others have to tell of the block that a look has found, before it counts as withheld: it may have just been made,
	// and the leader's stream may have just broken and its next orderer take a dial timeout.
	graceTime = 5 * time.Second
	// drainTime is how long after that a look goes on to take what else there is.
	drainTime = time.Second
)

// Finding is what a look at the ordering service has shown.
type Finding int

const (
	Blind    Finding = iota // it did not answer, or brought what is not of the chain
	Nothing                 // it has no block that we lack
	Shown                   // it has one, of which others have told as well
	Withheld                // it has one, of which nobody has told
)

// String returns the finding as metrics name it.
func (f Finding) String() string {
	switch f {
	case Nothing:
		return "nothing"
	case Shown:
		return "shown"
	case Withheld:
		return "withheld"
	default:
		return "blind"
	}
}

// look is one look.
type look struct {
	*Puller
	from  uint64
	found Finding
	timer *time.Timer // ends the stream
}

// errSeen ends a stream that has shown enough.
var errSeen = errors.New("leader: seen enough")

// Look opens one stream for a short time and says whether the source has a block that nobody tells of, neither by an announcement nor by its
// being here: then whoever pulls for us does not do so. That block, and what else comes at once, is submitted. It counts as found when it has
// turned out to be of the chain. It takes 11 s at most besides what Submit takes, and must not run beside Run.
func (p *Puller) Look(ctx context.Context) Finding {
	stream, end := context.WithCancel(ctx)
	defer end()
	l := &look{Puller: p, from: p.cfg.Height(), timer: time.AfterFunc(lookTime, end)}
	defer l.timer.Stop()
	err := p.cfg.Source.Pull(stream, l.from, l.take)
	silent := l.found == Blind && stream.Err() != nil
	err = p.verdict(ctx, nil, err)
	switch {
	case ctx.Err() != nil:
		return Blind
	case errors.Is(err, ErrRefused), l.found == Withheld && p.cfg.Height() <= l.from:
		l.found = Blind
	case silent:
		l.found = Nothing
	}
	p.cfg.Log.Debug("looked at the ordering service", "from", l.from, "finding", l.found.String(), "err", err)
	p.cfg.Metrics.looked(p.cfg.Channel, l.found)
	return l.found
}

// take takes a block. The first one waits for others to tell of it.
func (l *look) take(ctx context.Context, b *common.Block) error {
	if l.found == Blind {
		l.timer.Reset(graceTime + drainTime)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(graceTime):
		}
		if l.told() {
			l.found = Shown
			return errSeen
		}
		l.found = Withheld
	}
	if err := l.cfg.Submit(ctx, b); err != nil {
		return err
	}
	l.cfg.Metrics.pulled(l.cfg.Channel)
	return nil
}

// told reports whether anybody has told of the block that we lacked.
func (l *look) told() bool {
	return l.cfg.Height() > l.from || l.cfg.Known != nil && l.cfg.Known() > l.from
}
