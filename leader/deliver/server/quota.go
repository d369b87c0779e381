// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"sync"
)

// quota bounds how many there are of something, in all and for each key.
type quota[K comparable] struct {
	all, each int

	mu    sync.Mutex // guards count and by
	count int
	by    map[K]int // those that have any
}

func newQuota[K comparable](all, each int) *quota[K] {
	return &quota[K]{all: all, each: each, by: map[K]int{}}
}

// enter takes a place until leave is called, once; false when there is none.
func (q *quota[K]) enter(key K) (leave func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count >= q.all || q.by[key] >= q.each {
		return nil, false
	}
	q.count++
	q.by[key]++
	return func() { q.leave(key) }, true
}

func (q *quota[K]) leave(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count--
	if q.by[key]--; q.by[key] == 0 {
		delete(q.by, key)
	}
}

// addressOf returns the IP address of a connection's other end, or what there is in its place.
func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// limited closes connections that are beyond the quota.
type limited struct {
	net.Listener
	quota   *quota[string]
	refused func(net.Addr)
}

// Accept waits for a connection that has a place.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, ok := l.quota.enter(addressOf(c.RemoteAddr()))
		if ok {
			return &place{Conn: c, leave: sync.OnceFunc(leave)}, nil
		}
		l.refused(c.RemoteAddr())
		_ = c.Close()
	}
}

// place is a connection that gives its place back.
type place struct {
	net.Conn
	leave func()
}

// Close may be called more than once.
func (p *place) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
