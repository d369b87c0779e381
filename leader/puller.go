// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// settle is how long a stream without blocks must stay open before it counts as working: longer than an orderer's dial timeout (3 s) and
// than any rejection takes, because an orderer says nothing at all on a channel where nothing is ordered.
const settle = 5 * time.Second

// Config is what a [Puller] needs. Source, Height and Submit are required.
type Config struct {
	Channel string        // name of the channel, for logs and metrics
	Source  Source        // used by one Pull at a time
	Height  func() uint64 // number of the next block that is missing; asked before each stream
	Submit  Submit        // takes the blocks; see [Submit]
	Judge   Judge         // nil: Submit says what there is to say
	Backoff Backoff

	// Known, if set, returns a height: blocks below it exist, for somebody verified their headers. Safe for concurrent use.
	Known func() uint64
	// Censorship is for how long a source may not bring a block that is known to exist; then it withholds, and is left
	// (peer.deliveryclient.blockCensorshipTimeoutKey). Default 30 s.
	Censorship time.Duration

	Rand    *rand.Rand   // jitter; nil: a random seed. Used by Run alone
	Metrics *Metrics     // nil: none
	Log     *slog.Logger // nil: none
}

func (c *Config) normalize() error {
	if c.Source == nil || c.Height == nil || c.Submit == nil {
		return errors.New("leader: Source, Height and Submit are required")
	}
	if c.Censorship < 0 {
		return errors.New("leader: the censorship timeout cannot be negative")
	}
	if c.Censorship == 0 {
		c.Censorship = DefaultCensorship
	}
	var err error
	if c.Backoff, err = c.Backoff.normalize(); err != nil {
		return err
	}
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("channel", c.Channel)
	return nil
}

// Puller pulls the blocks of one channel. Its methods are safe for concurrent use; Run runs once at a time.
type Puller struct {
	cfg    Config
	pauses *pauses

	mu     sync.Mutex // guards the fields below
	status Status
	worked bool      // the present stream has proved itself
	doubt  suspicion // of the present stream
}

// New returns a Puller, or what is wrong with the configuration. It starts nothing.
func New(cfg Config) (*Puller, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Puller{cfg: cfg, pauses: newPauses(cfg.Backoff, cfg.Rand)}, nil
}

// Run pulls until ctx ends, which is no error, or until Submit reports [ErrStopped], which Run returns. On return every stream has ended.
func (p *Puller) Run(ctx context.Context) error {
	p.begin()
	defer p.end()
	for ctx.Err() == nil {
		err := p.pull(ctx)
		if ctx.Err() != nil { // then the receiver has stopped because everything does
			return nil
		}
		if errors.Is(err, ErrStopped) {
			return err
		}
		pause := p.ended(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// Streaming reports whether blocks flow: see [Streaming].
func (p *Puller) Streaming() bool { return p.Status().State == Streaming }

// Status returns a snapshot.
func (p *Puller) Status() Status {
	endpoint := p.endpoint()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Endpoint = endpoint
	return s
}

// pull runs one stream to its end, and waits for the verdict on what it brought.
func (p *Puller) pull(ctx context.Context) error {
	from := p.cfg.Height()
	p.doubts(from)
	stream, end := context.WithCancelCause(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { p.watch(stream, end) })
	if p.cfg.Judge != nil {
		watchers.Go(func() { p.listen(stream, end) })
	}
	var stopped error
	err := p.cfg.Source.Pull(stream, from, func(ctx context.Context, b *common.Block) error {
		err := p.submit(ctx, b)
		if errors.Is(err, ErrStopped) {
			stopped = err
		}
		return err
	})
	end(nil)
	watchers.Wait()
	if stopped != nil {
		return stopped // even when the source hides it
	}
	return p.verdict(ctx, context.Cause(stream), err)
}

func (p *Puller) submit(ctx context.Context, b *common.Block) error {
	number := b.GetHeader().GetNumber()
	p.sight(brought, number)
	defer p.sight(ready, 0)
	if err := p.cfg.Submit(ctx, b); err != nil {
		return err
	}
	p.cfg.Metrics.pulled(p.cfg.Channel)
	p.works(1)
	return nil
}
