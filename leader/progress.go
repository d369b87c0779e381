// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"errors"
	"time"
)

func (p *Puller) begin() {
	p.cfg.Metrics.led(p.cfg.Channel, true)
	p.pauses.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = Status{State: Connecting, Since: time.Now()}
}

func (p *Puller) end() {
	p.cfg.Metrics.led(p.cfg.Channel, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(Idle)
}

// enter changes the state and reports whether it was another one. The caller holds mu.
func (p *Puller) enter(s State) bool {
	if p.status.State == s {
		return false
	}
	p.status.State, p.status.Since = s, time.Now()
	return true
}

// survived is called when a stream has been open for the settling time.
func (p *Puller) survived() {
	if located, ok := p.cfg.Source.(Located); ok && located.Endpoint() == "" {
		return
	}
	p.works(0)
}

// works notes that the present stream works and has given so many more blocks. It says so once after the start and once after each failure.
func (p *Puller) works(blocks uint64) {
	p.mu.Lock()
	p.worked = true
	p.status.Blocks += blocks
	p.status.Failures = 0
	changed := p.enter(Streaming)
	p.mu.Unlock()
	if changed {
		p.cfg.Log.Info("blocks come from the ordering service", "endpoint", p.endpoint())
	}
}

// ended notes the end of a stream and returns the pause before the next one. A stream that worked starts the back-off anew, unless it
// brought what is not of the chain: whoever has no other source is not to ask a liar ten times a second.
func (p *Puller) ended(err error) time.Duration {
	if p.takeWorked() && !errors.Is(err, ErrRefused) {
		p.pauses.reset()
	}
	pause := p.pauses.next()
	if err == nil {
		p.cfg.Log.Debug("the stream was given up, the next one follows", "pause", pause)
		return pause
	}
	p.cfg.Metrics.failed(p.cfg.Channel)
	if failures, changed := p.fails(err); changed || blameworthy(err) {
		p.cfg.Log.Warn("no blocks from the ordering service: trying again until it works", "pause", pause, "err", err)
	} else {
		p.cfg.Log.Debug("still no blocks from the ordering service", "failures", failures, "pause", pause, "err", err)
	}
	return pause
}

func (p *Puller) takeWorked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	worked := p.worked
	p.worked = false
	return worked
}

func (p *Puller) fails(err error) (failures int, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.LastErr = err
	p.status.Failures++
	return p.status.Failures, p.enter(Failing)
}

func (p *Puller) endpoint() string {
	if located, ok := p.cfg.Source.(Located); ok {
		return located.Endpoint()
	}
	return ""
}
