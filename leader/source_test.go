// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

var errDown = errors.New("orderer is down")

// script is a Source whose streams are given one by one; the last one repeats.
type script struct {
	streams []func(ctx context.Context, from uint64, submit leader.Submit) error

	mu       sync.Mutex // guards the fields below
	started  []time.Time
	froms    []uint64
	endpoint string
}

func (s *script) Pull(ctx context.Context, from uint64, submit leader.Submit) error {
	s.mu.Lock()
	n := min(len(s.started), len(s.streams)-1)
	s.started = append(s.started, time.Now())
	s.froms = append(s.froms, from)
	s.mu.Unlock()
	return s.streams[n](ctx, from, submit)
}

func (s *script) pulls() ([]time.Time, []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started, s.froms
}

// located is a script that knows its endpoint.
type located struct{ script }

func (l *located) Endpoint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoint
}

func (l *located) connect(endpoint string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endpoint = endpoint
}

func fail(context.Context, uint64, leader.Submit) error { return errDown }

func hang(ctx context.Context, _ uint64, _ leader.Submit) error {
	<-ctx.Done()
	return ctx.Err()
}

// give submits n blocks and then does what follows.
func give(n int, then func(context.Context, uint64, leader.Submit) error) func(context.Context, uint64, leader.Submit) error {
	return func(ctx context.Context, from uint64, submit leader.Submit) error {
		for i := range uint64(n) {
			if err := submit(ctx, &common.Block{Header: &common.BlockHeader{Number: from + i}}); err != nil {
				return err
			}
		}
		return then(ctx, from, submit)
	}
}

// chain is the receiver: a height that grows with each block.
type chain struct {
	mu     sync.Mutex // guards height
	height uint64
}

func (c *chain) Height() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.height
}

func (c *chain) Submit(_ context.Context, b *common.Block) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height = b.GetHeader().GetNumber() + 1
	return nil
}

// transcript is a logger whose lines can be counted by level.
type transcript struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *transcript) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *transcript) count(level slog.Level) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.buf.Bytes(), []byte("level="+level.String()))
}

func newPuller(t *testing.T, cfg leader.Config) *leader.Puller {
	t.Helper()
	p, err := leader.New(cfg)
	require.NoError(t, err)
	return p
}

// run starts Run and returns a function that ends it and gives its error.
func run(t *testing.T, p *leader.Puller) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
