// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Flow is what goes over the relay's streams from and to a peer, those of all channels together, in bytes of frames: neither
// what libp2p adds is in it, nor range requests and what pubsub carries.
type Flow struct {
	In, Out         uint64  // bytes since there have been streams without a break
	InRate, OutRate float64 // bytes per second: half weight has what went in the last five seconds, a quarter the five before, and so on
}

// flowEvery is how often rates are taken.
const flowEvery = 5 * time.Second

// flow counts what goes over the streams from and to a peer. Those who read and write only add to the counts; all else is
// guarded by the carrier's lock.
type flow struct {
	in, out volume
	streams int // that are open: it is forgotten with the last
}

// volume is what went one way.
type volume struct {
	bytes atomic.Uint64
	last  uint64  // bytes when the rate was last taken
	rate  float64 // bytes per second
}

// sample takes the rate anew. It returns what went since the last time, in bytes per second.
func (v *volume) sample(elapsed time.Duration) float64 {
	bytes := v.bytes.Load()
	lately := float64(bytes-v.last) / elapsed.Seconds()
	v.last, v.rate = bytes, (v.rate+lately)/2
	if v.rate < 1 {
		v.rate = 0
	}
	return lately
}

// counted is a stream whose bytes are counted.
type counted struct {
	network.Stream
	*flow
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	c.in.bytes.Add(uint64(n))
	return n, err
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Stream.Write(p)
	c.out.bytes.Add(uint64(n))
	return n, err
}

// flow counts what goes from and to a peer while a stream is open: done says that it is not any more.
func (c *Carrier) flow(id peer.ID) (f *flow, done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f = c.flows[id]
	if f == nil {
		f = &flow{}
		c.flows[id] = f
	}
	f.streams++
	return f, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.streams--; f.streams == 0 {
			delete(c.flows, id)
		}
	}
}

// Flows are the peers that there are streams from or to, and what goes over these.
func (c *Carrier) Flows() map[peer.ID]Flow {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[peer.ID]Flow, len(c.flows))
	for id, f := range c.flows {
		all[id] = Flow{In: f.in.bytes.Load(), Out: f.out.bytes.Load(), InRate: f.in.rate, OutRate: f.out.rate}
	}
	return all
}

// sample takes all rates if the last time, which it returns, was long enough ago.
func (c *Carrier) sample(last, now time.Time) time.Time {
	elapsed := now.Sub(last)
	if elapsed < flowEvery {
		return last
	}
	var lately []Flow
	c.mu.Lock()
	for _, f := range c.flows {
		lately = append(lately, Flow{InRate: f.in.sample(elapsed), OutRate: f.out.sample(elapsed)})
	}
	c.mu.Unlock()
	if c.Sampled != nil {
		for _, f := range lately {
			c.Sampled(f.InRate, f.OutRate)
		}
	}
	return now
}
