// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"
	"time"
)

// DefaultCensorship is Fabric's default of peer.deliveryclient.blockCensorshipTimeoutKey.
const DefaultCensorship = 30 * time.Second

// looks is how often in the censorship timeout the source is looked at, as in Fabric.
const looks = 100

// watch looks after the stream until it ends: whether it proves itself, and whether its source withholds blocks.
func (p *Puller) watch(stream context.Context, end context.CancelCauseFunc) {
	proof := time.NewTimer(settle)
	defer proof.Stop()
	look := time.NewTicker(max(1, p.cfg.Censorship/looks))
	defer look.Stop()
	for {
		select {
		case <-stream.Done():
			return
		case <-proof.C:
			p.survived()
		case <-look.C:
			if p.sight(exists, p.known()) {
				end(ErrWithheld)
			}
		}
	}
}

// listen ends the stream when a block that it brought is refused.
func (p *Puller) listen(stream context.Context, end context.CancelCauseFunc) {
	if err := p.cfg.Judge.Refused(stream); errors.Is(err, ErrRefused) {
		end(err)
	}
}

// known is below which height blocks are known to exist.
func (p *Puller) known() (height uint64) {
	if p.cfg.Known != nil {
		height = p.cfg.Known()
	}
	if s, ok := p.cfg.Source.(Foresighted); ok {
		height = max(height, s.Known())
	}
	return height
}

// doubts begins a new suspicion: a stream is not held to account for the one before.
func (p *Puller) doubts(from uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubt = suspicion{timeout: p.cfg.Censorship, next: from}
}

func (p *Puller) sight(what sighting, number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubt.step(time.Now(), what, number)
}

// verdict is why a stream ended: what the watchers found (cause), what is found in what is left of it, or why it broke (err).
func (p *Puller) verdict(ctx context.Context, cause, err error) error {
	if errors.Is(cause, ErrRefused) || errors.Is(cause, ErrWithheld) {
		err = cause
	}
	if p.cfg.Judge != nil {
		if late := p.cfg.Judge.Settle(ctx); errors.Is(late, ErrRefused) || errors.Is(late, ErrStopped) {
			err = late
		}
	}
	if b, ok := p.cfg.Source.(Blamed); ok && blameworthy(err) {
		return b.Blame(err)
	}
	return err
}

// blameworthy says whether a stream has not just broken.
func blameworthy(err error) bool { return errors.Is(err, ErrRefused) || errors.Is(err, ErrWithheld) }
