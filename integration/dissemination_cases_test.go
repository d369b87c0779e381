// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/weft-p2p/weft/internal/simtest"
)

const (
	kB = 1 << 10
	mB = 1 << 20
	ms = time.Millisecond
)

// everybody and alone are who runs a case.
var (
	everybody = []string{"weft", "gossipsub", "gossipsub-tuned", "fabric"}
	alone     = everybody[:1]
)

// spreadCases is the table of what BenchmarkDissemination measures: short is who runs a case by default, whole with -whole.
var spreadCases = []spreadCase{
	{short: everybody, whole: everybody, peers: 50, size: 16 * kB, mbps: 100, rtt: 50 * ms},
	{short: everybody, whole: everybody, peers: 50, size: 160 * kB, mbps: 100, rtt: 50 * ms},
	{short: everybody, whole: everybody, peers: 50, size: mB, mbps: 100, rtt: 50 * ms},
	{short: alone, whole: everybody, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, loss: 0.01, few: 4},
	{short: alone, whole: everybody, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, mute: third, blocks: 5, few: 4},
	{whole: everybody, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, slow: fifth, few: 4},
	{whole: everybody, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, orgs: 4, leaders: 4, few: 4},
	{whole: everybody, peers: 50, size: mB, mbps: 100, world: true, few: 4},
	{whole: everybody, peers: 50, size: mB, mbps: 1000, rtt: 50 * ms, few: 4},
	{whole: everybody, peers: 100, size: mB, mbps: 100, rtt: 50 * ms, few: 4},
	{whole: everybody, peers: 30, size: 10 * mB, mbps: 100, rtt: 50 * ms, few: 2},
	{whole: alone, peers: 100, size: mB, mbps: 100, rtt: 50 * ms, orgs: 25, hidden: true},
	{whole: alone, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, every: 120 * ms, blocks: 50},
	{whole: alone, peers: 50, size: mB, mbps: 100, rtt: 50 * ms, every: 120 * ms, blocks: 500, discrete: true},
	{whole: alone, peers: 50, size: 16 * kB, mbps: 1000, rtt: 50 * ms, every: 10 * ms, blocks: 200},
	{whole: alone, peers: 50, size: mB, mbps: 1000, rtt: 50 * ms, every: 50 * ms, blocks: 40},
	{short: alone, whole: alone, peers: 300, size: 160 * kB, mbps: 100, rtt: 50 * ms, blocks: 3, discrete: true},
	{whole: alone, peers: 300, size: mB, mbps: 100, rtt: 50 * ms, blocks: 3, discrete: true},
	{short: alone, whole: alone, peers: 1000, size: 160 * kB, mbps: 100, rtt: 50 * ms, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: mB, mbps: 100, rtt: 50 * ms, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: 160 * kB, mbps: 100, rtt: 50 * ms, orgs: 100, hidden: true, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: mB, mbps: 100, rtt: 50 * ms, orgs: 100, hidden: true, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: 160 * kB, mbps: 100, rtt: 50 * ms, orgs: 100, hidden: true, visible: 2, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: 160 * kB, mbps: 100, rtt: 50 * ms, orgs: 50, hidden: true, visible: 2, blocks: 3, discrete: true},
	{whole: alone, peers: 1000, size: 160 * kB, mbps: 100, rtt: 50 * ms, orgs: 50, hidden: true, visible: 8, blocks: 3, discrete: true},
}

// spreadCase is a network, and what is spread on it.
type spreadCase struct {
	short, whole []string

	peers, size int // a block's transaction, in bytes
	mbps        int
	rtt         time.Duration
	world       bool // in five regions of the world, in place of rtt
	loss        float64
	mute        share // peers that take blocks and pass nothing on
	slow        share // peers whose uplink has 10 Mbit/s
	orgs        int   // 0: one
	hidden      bool  // all peers of an organization but the first, or the first few
	visible     int   // how many these are; 0: one
	leaders     int   // organizations whose first peer has each block from the ordering service; 0: one
	every       time.Duration
	blocks      int
	discrete    bool // the relay's machines alone, by discrete events: networks too large for whole nodes, and long series
	quick       bool // over sockets: do not wait until everything is calm
	few         int  // blocks of the schemes beside weft, if not as many: those that take minutes each
}

// share is one of so many peers.
type share int

const (
	third share = 3
	fifth share = 5
)

func (s share) String() string { return map[share]string{third: "third", fifth: "fifth"}[s] }

// castStream is the stream of a seed's randomness that roles are drawn from, so that a seed is the same network everywhere.
const castStream = 3

// filled is the case with its defaults: ten blocks, one a second, one leader, one organization.
func (c spreadCase) filled() spreadCase {
	c.orgs, c.leaders = max(c.orgs, 1), max(c.leaders, 1)
	c.every, c.blocks = cmp.Or(c.every, time.Second), cmp.Or(c.blocks, 10)
	return c
}

// name names the benchmark of a case with one scheme.
func (c spreadCase) name(scheme string) string { return "scheme=" + scheme + "/" + c.describe() }

// describe says what a case is; what is usual is left out at the end.
func (c spreadCase) describe() string {
	rtt := c.rtt.String()
	if c.world {
		rtt = "world"
	}
	name := fmt.Sprintf("peers=%d/size=%s/bw=%dMbps/rtt=%s/loss=%g", c.peers, sizeName(c.size), c.mbps, rtt, c.loss)
	var more []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			more = append(more, fmt.Sprintf(format, args...))
		}
	}
	add(c.mute > 0, "/mute=%s", c.mute)
	add(c.slow > 0, "/slow=%s", c.slow)
	add(c.leaders > 1, "/leaders=%d", c.leaders)
	add(c.hidden, "/orgs=%dx%d", c.orgs, c.peers/max(c.orgs, 1))
	add(c.visible > 1, "/visible=%d", c.visible)
	add(c.every > 0 && c.every != time.Second, "/every=%s", c.every)
	add(c.discrete, "/net=discrete-event")
	return name + strings.Join(more, "")
}

func sizeName(bytes int) string {
	if bytes >= mB {
		return fmt.Sprintf("%dMB", bytes/mB)
	}
	return fmt.Sprintf("%dKB", bytes/kB)
}

// floor is the least time that a block can take to all: it leaves its first peer once, and reaches the last by way of another,
// or of two where peers are hidden.
func (c spreadCase) floor() time.Duration {
	oneWay, hops := c.rtt/2, time.Duration(2)
	if c.world {
		oneWay = 90 * ms
	}
	if c.hidden {
		hops = 3
	}
	return time.Duration(float64(c.size*8)/float64(c.mbps*1e6)*float64(time.Second)) + hops*oneWay
}

func (c spreadCase) link() simtest.Link {
	return simtest.Link{Latency: c.rtt / 2, BitsPerSecond: c.mbps * 1e6, Loss: c.loss}
}

// worldLatency is one way between five regions, in milliseconds; peers are dealt out to them in turns.
var worldLatency = [5][5]int{{2, 15, 45, 75, 80}, {15, 2, 40, 65, 80}, {45, 40, 2, 90, 60}, {75, 65, 90, 2, 35}, {80, 80, 60, 35, 2}}

// role is what one peer of a case is.
type role struct {
	org                       int
	leads, hidden, mute, slow bool
}

// cast gives the peers of a case their roles, organization by organization.
func (c spreadCase) cast(random *rand.Rand) []role {
	roles := make([]role, c.peers)
	var followers []int
	for i := range roles {
		first := i == 0 || roles[i-1].org != i*c.orgs/c.peers
		roles[i] = role{org: i * c.orgs / c.peers, hidden: c.hidden && !first}
		if roles[i].hidden && i >= c.visible {
			roles[i].hidden = roles[i-max(c.visible, 1)].org == roles[i].org
		}
		roles[i].leads = first && roles[i].org < c.leaders
		if !roles[i].leads {
			followers = append(followers, i)
		}
	}
	some := func(s share, is func(*role)) {
		if s == 0 {
			return
		}
		for _, i := range random.Perm(len(followers))[:c.peers/int(s)] {
			is(&roles[followers[i]])
		}
	}
	some(c.mute, func(r *role) { r.mute = true })
	some(c.slow, func(r *role) { r.slow = true })
	return roles
}

// slowUp is what a slow peer's uplink carries, in bits a second.
const slowUp = 10e6

// wire gives a network the links of the case.
func (c spreadCase) wire(n *simtest.Net, roles []role) {
	for i, r := range roles {
		if r.slow {
			link := c.link()
			link.Up = slowUp
			n.SetLink(i, link)
		}
	}
	if c.world {
		n.SetLatency(c.latency)
	}
}

// latency is one way from a peer to another.
func (c spreadCase) latency(from, to int) time.Duration {
	if c.world {
		return time.Duration(worldLatency[from%5][to%5]) * ms
	}
	return c.rtt / 2
}
