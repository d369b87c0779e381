// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/admin"
)

func TestEveryMethod(t *testing.T) {
	path, _ := serve(t, &node{})
	c, ctx := admin.NewClient(path), t.Context()

	list, err := c.Channels(ctx)
	require.NoError(t, err)
	require.Empty(t, list)

	joined, err := c.Join(ctx, []byte("mychannel"))
	require.NoError(t, err)
	require.Equal(t, "mychannel", joined.Channel)
	list, err = c.Channels(ctx)
	require.NoError(t, err)
	require.Equal(t, []admin.Status{joined}, list)
	one, err := c.Channel(ctx, "mychannel")
	require.NoError(t, err)
	require.Equal(t, joined, one)
	require.Equal(t, []byte{1, 2}, one.CurrentBlockHash)

	peers, err := c.Peers(ctx)
	require.NoError(t, err)
	require.Equal(t, []admin.Peer{{ID: "12D4", MSPID: "Org1MSP", Alive: true}}, peers)
	version, err := c.Version(ctx)
	require.NoError(t, err)
	require.Equal(t, admin.Version{Version: "1.2.3", PeerID: "12D3"}, version)

	require.NoError(t, c.Leave(ctx, "mychannel"))
	list, err = c.Channels(ctx)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestEvidence(t *testing.T) {
	path, _ := serve(t, &node{})
	c, ctx := admin.NewClient(path), t.Context()
	found, err := c.Evidence(ctx, "mychannel")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "OrdererMSP", found[0].Culprits[0].MSPID)
	proof, err := c.Proof(ctx, "mychannel", found[0].ID)
	require.NoError(t, err)
	require.Equal(t, "proof", string(proof))
	_, err = c.Proof(ctx, "mychannel", "../../e1")
	require.ErrorIs(t, err, admin.ErrNotFound)
	_, err = c.Evidence(ctx, "other")
	require.ErrorIs(t, err, admin.ErrNotFound)
}

func TestBlocksComeWithProgress(t *testing.T) {
	path, _ := serve(t, &node{})
	const size = 300_000
	var last, total int64
	raw, err := admin.NewClient(path).Block(t.Context(), "mychannel", fmt.Sprint(size), func(done, all int64) {
		require.Greater(t, done, last)
		last, total = done, all
	})
	require.NoError(t, err)
	require.Len(t, raw, size)
	require.EqualValues(t, size, last)
	require.EqualValues(t, size, total)
}

func TestErrorsCrossTheSocket(t *testing.T) {
	path, _ := serve(t, &node{})
	c, ctx := admin.NewClient(path), t.Context()
	_, err := c.Join(ctx, []byte("mychannel"))
	require.NoError(t, err)

	_, err = c.Join(ctx, []byte("mychannel"))
	require.ErrorIs(t, err, admin.ErrConflict)
	require.EqualError(t, err, "channel mychannel is joined already")
	_, err = c.Join(ctx, nil)
	require.ErrorIs(t, err, admin.ErrInvalid)
	_, err = c.Channel(ctx, "other/../channel")
	require.ErrorIs(t, err, admin.ErrNotFound)
	require.ErrorContains(t, err, `"other/../channel" is not joined`)
	require.ErrorIs(t, c.Leave(ctx, "other"), admin.ErrNotFound)
	_, err = c.Block(ctx, "mychannel", "first", nil)
	require.ErrorIs(t, err, admin.ErrInvalid)
	_, err = c.Block(ctx, "mychannel", "broken", nil)
	require.EqualError(t, err, "disk on fire")
	require.NotErrorIs(t, err, admin.ErrInvalid)
}

func TestTooBigAGenesisBlockIsRefused(t *testing.T) {
	path, _ := serve(t, &node{})
	_, err := admin.NewClient(path).Join(t.Context(), make([]byte, admin.MaxBlock+1))
	require.ErrorIs(t, err, admin.ErrInvalid)
}

func TestNoNode(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, path := range map[string]string{
		"nothing there":   filepath.Join(dir, "admin.sock"),
		"a file":          file,
		"a dead socket":   dead(t, dir),
		"too long a path": filepath.Join(dir, strings.Repeat("x", 200)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := admin.NewClient(path).Version(t.Context())
			require.ErrorIs(t, err, admin.ErrNoNode)
			require.ErrorContains(t, err, path)
		})
	}
}

// dead leaves a socket as a process that was killed does.
func dead(t *testing.T, dir string) string {
	path := filepath.Join(dir, "dead.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	return path
}

func TestStrangersAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"another program": "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n",
		"nonsense":        "hello\r\n\r\n",
		"no JSON":         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"hangs up":        "",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "s")
			l, err := net.Listen("unix", path)
			require.NoError(t, err)
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
			_, err = admin.NewClient(path).Version(t.Context())
			require.ErrorContains(t, err, path)
		})
	}
}

func TestAnOversizedBlockIsNotRead(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
		}
	}()
	_, err = admin.NewClient(path).Block(t.Context(), "c", "0", nil)
	require.ErrorContains(t, err, "more than any block may have")
}

func TestOtherPathsAreJSONErrors(t *testing.T) {
	path, _ := serve(t, &node{})
	over := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	answer, err := over.Get("http://node/v2/channels")
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.JSONEq(t, `{"error": "GET /v2/channels is nothing that this node answers; the command may be of another version"}`, string(body))
}

func TestServerStopsDuringARequest(t *testing.T) {
	n := &node{hold: make(chan struct{}), held: make(chan struct{})}
	path, stop := serve(t, n)
	result := make(chan error, 1)
	go func() {
		_, err := admin.NewClient(path).Join(context.Background(), []byte("mychannel"))
		result <- err
	}()
	<-n.held
	stop()
	require.Error(t, <-result)
	require.NoFileExists(t, path)
}

func TestClientStopsWithItsContext(t *testing.T) {
	n := &node{hold: make(chan struct{}), held: make(chan struct{})}
	path, _ := serve(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-n.held
		cancel()
	}()
	_, err := admin.NewClient(path).Join(ctx, []byte("mychannel"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestFollow(t *testing.T) {
	path, _ := serve(t, &node{})
	c := admin.NewClient(path)
	_, err := c.Join(t.Context(), []byte("mychannel"))
	require.NoError(t, err)
	asked := 0
	require.NoError(t, c.Follow(t.Context(), "mychannel", 1, func(s admin.Status, err error) (bool, error) {
		require.NoError(t, err)
		require.Equal(t, "mychannel", s.Channel)
		asked++
		return asked == 3, nil
	}))
	require.Equal(t, 3, asked)
	require.ErrorIs(t, c.Follow(t.Context(), "other", 1, func(_ admin.Status, err error) (bool, error) { return true, err }), admin.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, c.Follow(ctx, "mychannel", 1, func(admin.Status, error) (bool, error) { cancel(); return false, nil }), context.Canceled)
}
