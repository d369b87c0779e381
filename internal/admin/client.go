// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// maxAnswer bounds an answer that is no block: thousands of members are about a megabyte.
const maxAnswer = 64 << 20

// Client asks the node behind a socket. Its methods are safe for concurrent use; errors are those of [Node], [ErrNoNode], or ctx's.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the socket at path. It connects with the first request.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: requestTime + answerTime},
	}}
}

// Channels are the joined channels, sorted by ID.
func (c *Client) Channels(ctx context.Context) ([]Status, error) {
	var l channelList
	err := c.get(ctx, "channels", &l)
	return l.Channels, err
}

// Channel is one of them.
func (c *Client) Channel(ctx context.Context, id string) (s Status, err error) {
	return s, c.get(ctx, "channels/"+url.PathEscape(id), &s)
}

// Join joins the channel of a genesis block.
func (c *Client) Join(ctx context.Context, genesis []byte) (s Status, err error) {
	return s, c.call(ctx, http.MethodPost, "channels", genesis, &s)
}

// Leave leaves a channel.
func (c *Client) Leave(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "channels/"+url.PathEscape(id), nil, &struct{}{})
}

// Peers are the node itself, first, and the other ones.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	var l peerList
	err := c.get(ctx, "peers", &l)
	return l.Peers, err
}

// Version says what the node runs.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.get(ctx, "version", &v)
}

// Evidence is what was found on a channel, oldest first.
func (c *Client) Evidence(ctx context.Context, channel string) ([]Evidence, error) {
	var l evidenceList
	err := c.get(ctx, "channels/"+url.PathEscape(channel)+"/evidence", &l)
	return l.Evidence, err
}

// Proof is the proof of one piece of evidence.
func (c *Client) Proof(ctx context.Context, channel, id string) ([]byte, error) {
	return c.bytes(ctx, "channels/"+url.PathEscape(channel)+"/evidence/"+url.PathEscape(id), nil)
}

// Block is a committed block. As it arrives, progress is told how many bytes have come of how many; it may be nil.
func (c *Client) Block(ctx context.Context, channel, which string, progress func(done, total int64)) ([]byte, error) {
	return c.bytes(ctx, "channels/"+url.PathEscape(channel)+"/blocks/"+url.PathEscape(which), progress)
}

// bytes reads an answer that is a block, or no bigger than one.
func (c *Client) bytes(ctx context.Context, path string, progress func(done, total int64)) ([]byte, error) {
	answer, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.ContentLength > MaxBlock {
		return nil, fmt.Errorf("the answer has %d bytes, more than any block may have", answer.ContentLength)
	}
	var whole bytes.Buffer
	whole.Grow(int(max(answer.ContentLength, 0)))
	var from io.Reader = io.LimitReader(answer.Body, MaxBlock)
	if progress != nil {
		from = io.TeeReader(from, &meter{total: answer.ContentLength, tell: progress})
	}
	if _, err := whole.ReadFrom(from); err != nil {
		return nil, fmt.Errorf("read the answer of the node at %s: %w", c.path, err)
	}
	return whole.Bytes(), nil
}

// meter counts what is written to it.
type meter struct {
	done, total int64
	tell        func(done, total int64)
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	m.tell(m.done, m.total)
	return len(p), nil
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

// call makes a request and decodes its answer.
func (c *Client) call(ctx context.Context, method, path string, body []byte, into any) error {
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("read the answer of the node at %s: %w", c.path, err)
	}
	return nil
}

// do makes a request. The answer is a good one; its body is the caller's to close.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://node/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", bytesType)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unanswered(ctx, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxHeader)).Decode(&f); err != nil || f.Error == "" {
		f.Error = fmt.Sprintf("what answers at %s is no node of this version: %s", c.path, answer.Status)
	}
	return nil, &Error{Kind: kind(answer.StatusCode), Message: f.Error}
}

// unanswered says why there is no answer.
func (c *Client) unanswered(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ENOTDIR):
		return noNode{c.path}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the socket %s is not ours to open: run this command as the user that runs the node", c.path)
	case len(c.path) > maxPath:
		return fmt.Errorf("%w: no socket can have the path %s: it is longer than %d bytes", ErrNoNode, c.path, maxPath)
	}
	if e := (&url.Error{}); errors.As(err, &e) {
		err = e.Err // without the made-up URL
	}
	return fmt.Errorf("ask the node at %s: %w", c.path, err)
}

// noNode says that nobody listens at a path.
type noNode struct{ path string }

func (e noNode) Error() string {
	return fmt.Sprintf("no node answers at %s; start one with \"weft node start\", or name another node's socket with --socket", e.path)
}

func (noNode) Unwrap() error { return ErrNoNode }

// Follow asks for a channel's status every interval until done says so, with what is to be returned, or ctx ends.
func (c *Client) Follow(ctx context.Context, id string, interval time.Duration, done func(Status, error) (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		s, err := c.Channel(ctx, id)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if end, err := done(s, err); end {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
