// SPDX-License-Identifier: Apache-2.0

package operations

import (
	"net"
	"sync"
)

// limited accepts a connection only when a place is free.
type limited struct {
	net.Listener
	places chan struct{}
	done   chan struct{}
	close  func() error
}

func limit(l net.Listener, places int) net.Listener {
	out := &limited{Listener: l, places: make(chan struct{}, places), done: make(chan struct{})}
	out.close = sync.OnceValue(func() error {
		close(out.done)
		return l.Close()
	})
	return out
}

// Accept waits for a place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &place{Conn: c, free: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close ends Accept. It may be called more than once.
func (l *limited) Close() error { return l.close() }

// place is a connection that gives its place back.
type place struct {
	net.Conn
	free func()
}

func (p *place) Close() error {
	defer p.free()
	return p.Conn.Close()
}
