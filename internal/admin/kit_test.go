// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/admin"
)

// node is what the tests administer: channels whose genesis block is their name.
type node struct {
	mu       sync.Mutex
	channels []admin.Status
	hold     chan struct{} // Join waits for it, or for its ctx
	held     chan struct{} // closed when Join waits
}

func (n *node) Channels() []admin.Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.channels)
}

func (n *node) Join(ctx context.Context, genesis []byte) (admin.Status, error) {
	if n.hold != nil {
		close(n.held)
		select {
		case <-n.hold:
		case <-ctx.Done():
			return admin.Status{}, ctx.Err()
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	id := string(genesis)
	if id == "" {
		return admin.Status{}, admin.Errorf(admin.ErrInvalid, "no genesis block")
	}
	if n.index(id) >= 0 {
		return admin.Status{}, admin.Errorf(admin.ErrConflict, "channel %s is joined already", id)
	}
	n.channels = append(n.channels, admin.Status{Channel: id, State: admin.Running, Height: 3, Highest: 5, Lag: 2, CurrentBlockHash: []byte{1, 2}})
	return n.channels[len(n.channels)-1], nil
}

func (n *node) index(id string) int {
	return slices.IndexFunc(n.channels, func(s admin.Status) bool { return s.Channel == id })
}

func (n *node) Leave(_ context.Context, id string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.index(id)
	if i < 0 {
		return admin.UnknownChannel(id)
	}
	n.channels = slices.Delete(n.channels, i, i+1)
	return nil
}

func (n *node) Block(_ context.Context, id, which string) ([]byte, error) {
	switch size, err := strconv.Atoi(which); {
	case which == "broken":
		return nil, errors.New("disk on fire")
	case err != nil:
		return nil, admin.Errorf(admin.ErrInvalid, "%q is no block number", which)
	default:
		return slices.Repeat([]byte{7}, size), nil
	}
}

// witness has one piece of evidence, of mychannel.
type witness struct{}

func (witness) Evidence(channel string) ([]admin.Evidence, error) {
	if channel != "mychannel" {
		return nil, admin.UnknownChannel(channel)
	}
	return []admin.Evidence{{ID: "e1", Kind: "fork", Channel: channel, Number: 7, Culprits: []admin.Signer{{MSPID: "OrdererMSP"}}}}, nil
}

func (w witness) Proof(channel, id string) ([]byte, error) {
	if _, err := w.Evidence(channel); err != nil {
		return nil, err
	}
	if id != "e1" {
		return nil, admin.Errorf(admin.ErrNotFound, "no evidence %s", id)
	}
	return []byte("proof"), nil
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// serve serves n at a socket until stop is called, which waits.
func serve(t testing.TB, n admin.Node) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(shortDir(t), "admin.sock")
	s, err := admin.New(admin.Config{
		Node: n, Witness: witness{}, Version: admin.Version{Version: "1.2.3", PeerID: "12D3"},
		Peers: func() []admin.Peer { return []admin.Peer{{ID: "12D4", MSPID: "Org1MSP", Alive: true}} },
	})
	require.NoError(t, err)
	l, err := admin.Listen(path)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served)
	})
	t.Cleanup(stop)
	return path, stop
}
