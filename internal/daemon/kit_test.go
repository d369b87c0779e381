// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// network is a channel whose ordering service listens on loopback. The channel names its orderers otherwise: address overrides lead
// there.
type network struct {
	*orderertest.Network
	service *orderer.Orderer
	address string // of the ordering service, also while it is down
	dir     string
}

// newNetwork makes a network whose ordering service does not run yet.
func newNetwork(t *testing.T) *network {
	t.Helper()
	return &network{Network: orderertest.New(t), dir: shortDir(t), address: freeAddress(t)}
}

// freeAddress is where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// order starts the ordering service with a chain of some height.
func (n *network) order(t *testing.T, height uint64, change ...func(*orderer.Config)) {
	t.Helper()
	cfg := n.Config()
	for _, c := range change {
		c(&cfg)
	}
	var err error
	n.service, err = orderer.New(cfg)
	require.NoError(t, err)
	l, err := net.Listen("tcp", n.address)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.service.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	n.Fill(t, n.service, height)
}

// genesisBytes is what an operator joins by.
func (n *network) genesisBytes(t *testing.T) []byte {
	t.Helper()
	raw, err := proto.Marshal(n.Genesis)
	require.NoError(t, err)
	return raw
}

// core is the configuration of a peer of an organization that leads it.
func (n *network) core(t *testing.T, org *devnet.Org, name string) *coreyaml.Config {
	t.Helper()
	yes, no := true, false
	home := filepath.Join(n.dir, org.Domain, name)
	require.NoError(t, orderertest.Enroll(t, org, name, devnet.Peer).WriteMSP(filepath.Join(home, "msp")))
	c := &coreyaml.Config{
		ID: name, MSPID: org.MSPID, MSPPath: filepath.Join(home, "msp"), FileSystemPath: home, MetricsProvider: "prometheus",
		ListenAddresses: []string{"/ip4/127.0.0.1/tcp/0"}, FullMesh: 300, Members: 16,
		Operations: coreyaml.Operations{ListenAddress: "127.0.0.1:0"},
	}
	c.Gossip.OrgLeader, c.Gossip.UseLeaderElection = &yes, &no
	c.Gossip.AliveTimeInterval, c.Gossip.AliveExpirationTimeout, c.Gossip.MsgExpirationFactor = time.Second, 5*time.Second, 20
	c.Deliver.ReconnectBackoffThreshold = 50 * time.Millisecond
	for _, from := range n.Addresses {
		c.Deliver.AddressOverrides = append(c.Deliver.AddressOverrides, coreyaml.AddressOverride{From: from, To: n.address})
	}
	return c
}

// follow makes a configuration that of a peer that never leads.
func follow(c *coreyaml.Config) *coreyaml.Config {
	no := false
	c.Gossip.OrgLeader = &no
	return c
}

// running is a daemon that runs.
type running struct {
	*daemon.Daemon
	*admin.Client
	stop func()
}

// start runs a daemon until stop is called, which waits, or the test ends.
func start(t *testing.T, cfg daemon.Config) running {
	t.Helper()
	d, err := daemon.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		began := time.Now()
		cancel()
		require.NoError(t, <-ended)
		require.Less(t, time.Since(began), 5*time.Second)
	})
	t.Cleanup(stop)
	return running{d, admin.NewClient(daemon.SocketPath(cfg.Core.DataDir())), stop}
}

// reach waits until a daemon has so many blocks of the network's channel.
func (r running) reach(t *testing.T, channel string, height uint64) {
	t.Helper()
	_, err := r.Channel(t.Context(), channel) // every channel is joined again by now
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, r.Node().Channel(channel).WaitHeight(ctx, height))
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// listener is a log that tests wait on.
type listener struct {
	mu    sync.Mutex // guards all below
	lines []string
	wake  chan struct{} // closed at every line
}

func newListener() *listener { return &listener{wake: make(chan struct{})} }

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	close(l.wake)
	l.wake = make(chan struct{})
	return len(p), nil
}

func (l *listener) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// await waits until the log has a line with these words.
func (l *listener) await(t *testing.T, words string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		text, wake := strings.Join(l.lines, ""), l.wake
		l.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-wake:
		case <-limit:
			require.FailNow(t, "the log does not say "+words, text)
		}
	}
}

// text is all that was logged.
func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}
