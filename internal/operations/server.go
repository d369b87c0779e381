// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what to serve and where. ListenAddress is required.
type Config struct {
	ListenAddress string
	TLS           *TLS                // nil: plain HTTP
	Gatherer      prometheus.Gatherer // nil: no /metrics
	Health        func() []FailedCheck
	LogSpec       LogSpec // nil: no /logspec
	Version       Version
}

// TLS names PEM files.
type TLS struct {
	Cert, Key          string
	ClientCAs          []string
	ClientAuthRequired bool
}

// FailedCheck is a reason why the process is not healthy.
type FailedCheck struct {
	Component string `json:"component"`
	Reason    string `json:"reason"`
}

// LogSpec is the logging specification in force.
type LogSpec interface {
	Spec() string
	SetSpec(spec string) error
}

// Version is what /version says.
type Version struct {
	CommitSHA string
	Version   string
}

// Server is an operations listener.
type Server struct{}

// Listen takes the address.
func Listen(cfg Config) (*Server, error) { return nil, errors.ErrUnsupported }

// Addr is the address that was taken.
func (s *Server) Addr() net.Addr { return nil }

// Run serves until ctx ends and every request has ended.
func (s *Server) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Close gives the address back when Run was never called.
func (s *Server) Close() error { return nil }
