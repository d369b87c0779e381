// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of one connection. Answers are small, but a scrape may compete with everything else for the processor.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = time.Minute
	idleTimeout  = 30 * time.Second
	maxHeader    = 16 << 10
	maxBody      = 64 << 10
	// maxConns is how many are served at a time; others wait to be accepted.
	maxConns = 64
	// shutdown is how long requests under way get when Run is to end.
	shutdown = time.Second
)

// addressKey is where the address comes from, for messages.
const addressKey = "weft.operations.listenAddress"

// Config says what to serve and where. ListenAddress is required.
type Config struct {
	ListenAddress string               // host:port; port 0 takes a free one
	TLS           *TLS                 // nil: plain HTTP
	Gatherer      prometheus.Gatherer  // nil: no /metrics
	Health        func() []FailedCheck // called by each /healthz, concurrently; nil: always healthy
	LogSpec       LogSpec              // nil: no /logspec
	Version       Version
	Log           *slog.Logger // nil: none
}

// FailedCheck is a reason why the process is not healthy.
type FailedCheck struct {
	Component string `json:"component"`
	Reason    string `json:"reason"`
}

// LogSpec is the logging specification in force. It must be safe for concurrent use.
type LogSpec interface {
	Spec() string
	SetSpec(spec string) error // the error is shown to the client
}

// Version is what /version says.
type Version struct {
	CommitSHA string `json:"CommitSHA,omitempty"`
	Version   string `json:"Version,omitempty"`
}

// Server has taken its address and serves while Run runs.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen reads the TLS files and takes the address. The Server is to be Run, or closed.
func Listen(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	security, err := cfg.TLS.config()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.ListenAddress)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("operations: address %s is in use by another process: set %s to a free one: %w", cfg.ListenAddress, addressKey, err)
	}
	if err != nil {
		return nil, fmt.Errorf("operations: listen on %s, which is %s: %w", cfg.ListenAddress, addressKey, err)
	}
	l = limit(l, maxConns)
	if security != nil {
		l = tls.NewListener(l, security)
	}
	return &Server{listener: l, http: &http.Server{
		Handler:     routes(cfg),
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug), // what clients do wrong
	}}, nil
}

// Addr is the address that was taken.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives the address back when Run was never called.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends and gives the address back. Requests under way then get 1 s before their connections are closed.
// It is called once.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopped <- s.stop()
	}()
	err := s.http.Serve(s.listener)
	cancel()
	stop := <-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return stop
	}
	return fmt.Errorf("operations: serve: %w", errors.Join(err, stop))
}

// stop lets requests under way end, for a while.
func (s *Server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdown)
	defer cancel()
	if err := s.http.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		return s.http.Close()
	} else if err != nil {
		return fmt.Errorf("operations: shut down: %w", err)
	}
	return nil
}
