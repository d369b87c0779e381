// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/logspec"
	"github.com/weft-p2p/weft/internal/operations"
)

func TestRoutes(t *testing.T) {
	registry := prometheus.NewRegistry()
	height := prometheus.NewGauge(prometheus.GaugeOpts{Name: "gossip_state_height"})
	registry.MustRegister(height)
	height.Set(7)
	spec, err := logspec.New("info", io.Discard, logspec.Console)
	require.NoError(t, err)
	url := "http://" + serve(t, operations.Config{Gatherer: registry, LogSpec: spec, Version: operations.Version{CommitSHA: "abc", Version: "1.2.3"}})

	for name, c := range map[string]struct {
		method, path, body string
		code               int
		want               string
	}{
		"metrics":             {"GET", "/metrics", "", 200, "gossip_state_height 7\n"},
		"metrics by PUT":      {"PUT", "/metrics", "", 405, `{"error":"invalid request method: PUT"}`},
		"version":             {"GET", "/version", "", 200, `{"CommitSHA":"abc","Version":"1.2.3"}`},
		"version by POST":     {"POST", "/version", "", 405, "invalid request method: POST"},
		"health":              {"GET", "/healthz", "", 200, `{"status":"OK","time":"`},
		"health by DELETE":    {"DELETE", "/healthz", "", 405, "invalid request method: DELETE"},
		"levels by POST":      {"POST", "/logspec", "", 400, "invalid request method: POST"},
		"bad level":           {"PUT", "/logspec", `{"spec":"loud"}`, 400, `\"loud\" in \"loud\" is no level`},
		"no JSON":             {"PUT", "/logspec", `info`, 400, `write {\"spec\": \"info\"}`},
		"no specification":    {"PUT", "/logspec", `{}`, 400, `spec is missing`},
		"wrong type":          {"PUT", "/logspec", `{"spec":7}`, 400, `write {\"spec\": \"info\"}`},
		"unknown field":       {"PUT", "/logspec", `{"spec":"info","x":1}`, 400, `unknown field`},
		"body without end":    {"PUT", "/logspec", `{"spec":"` + strings.Repeat("a", 64<<10), 400, "too large"},
		"specification large": {"PUT", "/logspec", `{"spec":"` + strings.Repeat("a", 17<<10) + `"}`, 400, "longer than"},
		"unknown path":        {"GET", "/debug/pprof/", "", 404, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := ask(t, c.method, url+c.path, c.body, nil)
			require.Equal(t, c.code, code)
			require.Contains(t, body, c.want)
		})
	}

	t.Run("levels change", func(t *testing.T) {
		code, body := ask(t, "PUT", url+"/logspec", `{"spec":"warn:weft=debug"}`, nil)
		require.Equal(t, 204, code)
		require.Empty(t, body)
		code, body = ask(t, "GET", url+"/logspec", "", nil)
		require.Equal(t, 200, code)
		require.JSONEq(t, `{"spec":"weft=debug:warn"}`, body)
		require.Equal(t, "weft=debug:warn", spec.Spec())
	})
}

func TestUnhealthy(t *testing.T) {
	failed := []operations.FailedCheck{{Component: "ledger", Reason: "disk full"}, {Component: "channel c1", Reason: "12 blocks behind"}}
	url := "http://" + serve(t, operations.Config{Health: func() []operations.FailedCheck { return failed }})
	code, body := ask(t, "GET", url+"/healthz", "", nil)
	require.Equal(t, 503, code)
	var got struct {
		Status       string                   `json:"status"`
		Time         time.Time                `json:"time"`
		FailedChecks []operations.FailedCheck `json:"failed_checks"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, "Service Unavailable", got.Status)
	require.False(t, got.Time.IsZero())
	require.Equal(t, failed, got.FailedChecks)
}

// What was not asked for is not served.
func TestOptional(t *testing.T) {
	url := "http://" + serve(t, operations.Config{})
	for path, want := range map[string]int{"/metrics": 404, "/logspec": 404, "/healthz": 200, "/version": 200} {
		code, _ := ask(t, "GET", url+path, "", nil)
		require.Equal(t, want, code, path)
	}
}

func TestAddressInUse(t *testing.T) {
	addr := serve(t, operations.Config{})
	_, err := operations.Listen(operations.Config{ListenAddress: addr})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, addr)
	require.ErrorContains(t, err, "weft.operations.listenAddress")

	_, err = operations.Listen(operations.Config{ListenAddress: "127.0.0.1"})
	require.ErrorContains(t, err, "weft.operations.listenAddress")
}

func TestCloseWithoutRun(t *testing.T) {
	s, err := operations.Listen(operations.Config{ListenAddress: "127.0.0.1:0"})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
}

func TestTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	spec, err := logspec.New("info", io.Discard, logspec.Console)
	require.NoError(t, err)
	cert, key := ours.leaf("server", x509.ExtKeyUsageServerAuth)
	security := &operations.TLS{Cert: cert, Key: key, ClientCAs: []string{ours.file}}
	cfg := operations.Config{TLS: security, LogSpec: spec, Gatherer: prometheus.NewRegistry()}

	t.Run("client certificates where they are needed", func(t *testing.T) {
		url := "https://" + serve(t, cfg)
		for path, want := range map[string]int{"/metrics": 401, "/logspec": 401, "/healthz": 200, "/version": 200} {
			code, _ := ask(t, "GET", url+path, "", ours.client(nil, ""))
			require.Equal(t, want, code, path)
			code, _ = ask(t, "GET", url+path, "", ours.client(ours, "client"))
			require.Equal(t, 200, code, path)
		}
		_, _, err := try(t, "GET", url+"/version", "", ours.client(others, "stranger"))
		require.Error(t, err, "a certificate that is shown must be good")
	})
	t.Run("client certificates for all", func(t *testing.T) {
		strict := *security
		strict.ClientAuthRequired = true
		c := cfg
		c.TLS = &strict
		url := "https://" + serve(t, c)
		_, _, err := try(t, "GET", url+"/healthz", "", ours.client(nil, ""))
		require.Error(t, err)
		code, _ := ask(t, "GET", url+"/healthz", "", ours.client(ours, "client"))
		require.Equal(t, 200, code)
	})
	t.Run("bad files", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty.pem")
		require.NoError(t, os.WriteFile(empty, nil, 0o600))
		for want, bad := range map[string]operations.TLS{
			"weft.operations.tls.cert.file":           {Cert: "nowhere", Key: key},
			"weft.operations.tls.key.file":            {Cert: cert, Key: cert},
			"weft.operations.tls.clientRootCAs.files": {Cert: cert, Key: key, ClientCAs: []string{"nowhere"}},
			"no PEM certificate":                      {Cert: cert, Key: key, ClientCAs: []string{empty}},
		} {
			_, err := operations.Listen(operations.Config{ListenAddress: "127.0.0.1:0", TLS: &bad})
			require.ErrorContains(t, err, want)
		}
	})
}

// More connections than places wait, and are served when others end.
func TestManyConnections(t *testing.T) {
	addr := serve(t, operations.Config{})
	var silent []net.Conn
	for range 64 {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		silent = append(silent, c)
	}
	waiting, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer waiting.Close()
	_, err = io.WriteString(waiting, "GET /version HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	for _, c := range silent {
		require.NoError(t, c.Close())
	}
	raw, err := io.ReadAll(waiting)
	require.NoError(t, err)
	require.Contains(t, string(raw), "200 OK")
}

// Run ends while all places are taken.
func TestStopWhenFull(t *testing.T) {
	s, err := operations.Listen(operations.Config{ListenAddress: "127.0.0.1:0"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var conns []net.Conn
	for range 65 {
		c, err := net.Dial("tcp", s.Addr().String())
		require.NoError(t, err)
		conns = append(conns, c)
	}
	cancel()
	require.NoError(t, <-done)
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
}
