// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// MaxBlock is the most bytes of a block: Fabric's largest message.
	MaxBlock = 100 << 20
	// maxHeader bounds the head of a request.
	maxHeader = 16 << 10
	// headTime and requestTime bound the reading of a request, answerTime what follows: a join reads a ledger, which may be repaired.
	headTime    = 5 * time.Second
	requestTime = 30 * time.Second
	answerTime  = 2 * time.Minute
	// grace is what requests under way get when the server stops.
	grace = time.Second
)

// Node is what is administered. Its methods are called concurrently. Errors that wrap ErrInvalid, ErrNotFound or ErrConflict are the
// caller's; their text is for the operator.
type Node interface {
	// Channels are the joined channels, sorted by ID.
	Channels() []Status
	// Join joins the channel of a genesis block, and will again at every start. It does not wait for other blocks.
	Join(ctx context.Context, genesis []byte) (Status, error)
	// Leave leaves a channel for good; its blocks stay on disk.
	Leave(ctx context.Context, channel string) error
	// Block is a committed block: which is a number in decimal, oldest, newest, or config for the config block in force.
	Block(ctx context.Context, channel, which string) ([]byte, error)
}

// Witness has the evidence of the channels. Its methods are called concurrently; errors are those of Node.
type Witness interface {
	// Evidence is what was found on a channel, oldest first.
	Evidence(channel string) ([]Evidence, error)
	// Proof is the proof of one piece, as docs/spec/evidence.md describes it.
	Proof(channel, id string) ([]byte, error)
}

// Config says what to serve. Node, Witness, Peers and Version are required.
type Config struct {
	Node    Node
	Witness Witness
	Peers   func() []Peer
	Version Version
	Log     *slog.Logger // nil: none
}

// Server answers at a socket.
type Server struct{ cfg Config }

// New returns a server. It starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Node == nil || cfg.Witness == nil || cfg.Peers == nil {
		return nil, errors.New("admin: Node, Witness and Peers are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg}, nil
}

// Serve answers on l until ctx ends, and closes it. Requests under way end with ctx; on return every one has ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.handler(), MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headTime, ReadTimeout: requestTime,
		WriteTimeout: requestTime + answerTime, IdleTimeout: requestTime,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(soon) != nil {
		_ = server.Close() // whoever is still reading an answer loses it
	}
	<-served
	return nil
}
