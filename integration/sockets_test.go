// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

// sockets are the addresses of peers that talk over real sockets on loopback, in real time.
type sockets struct {
	addresses []string
}

// newSockets finds free ports for some peers, transport is tcp or quic.
func newSockets(t *testing.T, transport string, peers int) *sockets {
	s := &sockets{}
	for range peers {
		if transport == "tcp" {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { require.NoError(t, l.Close()) }()
			s.addresses = append(s.addresses, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port))
			continue
		}
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { require.NoError(t, c.Close()) }()
		s.addresses = append(s.addresses, fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", c.LocalAddr().(*net.UDPAddr).Port))
	}
	return s
}

// newSocketNet makes a network of one organization over real sockets. Its ledgers lie in memory if that can be had: what 50
// peers sync to one disk says nothing about one.
func newSocketNet(t *testing.T, transport string, peers int) *testNet {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
	n := &testNet{sockets: newSockets(t, transport, peers), t: t, log: testLog(t), random: rand.New(rand.NewPCG(rand.Uint64(), 2))}
	n.found(1, peers)
	return n
}

// address is where a peer listens.
func (n *testNet) address(number int) string {
	if n.sockets != nil {
		return n.sockets.addresses[number]
	}
	return simtest.Address(number)
}

// links is how a peer hangs on the network: libp2p's options for the simulated one, none for sockets.
func (p *testPeer) links() []libp2p.Option {
	if p.net.sockets != nil {
		return nil
	}
	return p.wire.options(p.net.Net, p.number)
}

// processorTime is what the process has used so far, in user and system mode.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// usage is what a process costs over some time.
type usage struct {
	over time.Duration
	cpu  time.Duration // user and system
	idle float64       // of that time, the share that it uses while nothing happens, measured before
	heap uint64        // the largest HeapInuse, in bytes
	rss  uint64        // the largest resident set, in bytes; 0 where /proc does not say
}

// net is the processor time without what is used while nothing happens.
func (u usage) net() time.Duration { return u.cpu - time.Duration(u.idle*float64(u.over)) }

// watchUsage measures for a while what the process costs while nothing happens, and then what it costs until stop.
func watchUsage(t *testing.T, calm time.Duration) (stop func() usage) {
	before := processorTime(t)
	time.Sleep(calm)
	start, used := time.Now(), processorTime(t)
	done, seen := make(chan struct{}), make(chan usage)
	go func() { seen <- watchMemory(done) }()
	return func() usage {
		u := usage{over: time.Since(start), cpu: processorTime(t) - used, idle: float64(used-before) / float64(calm)}
		close(done)
		most := <-seen
		u.heap, u.rss = most.heap, most.rss
		return u
	}
}

// watchMemory is the most memory that it sees until done.
func watchMemory(done <-chan struct{}) (most usage) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.heap, most.rss = max(most.heap, m.HeapInuse), max(most.rss, resident())
		select {
		case <-ticker.C:
		case <-done:
			return most
		}
	}
}

// resident is the resident set of the process, in bytes.
func resident() (bytes uint64) {
	var size, pages uint64
	raw, _ := os.ReadFile("/proc/self/statm")
	_, _ = fmt.Sscan(string(raw), &size, &pages)
	return pages * uint64(os.Getpagesize())
}

// listening makes a host of another scheme listen there, with libp2p's own transports and limits.
func (s *sockets) listening(i int) []libp2p.Option {
	return []libp2p.Option{libp2p.ListenAddrStrings(s.addresses[i])}
}
