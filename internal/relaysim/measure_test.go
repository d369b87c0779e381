// SPDX-License-Identifier: Apache-2.0

package relaysim_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

var (
	fN     = flag.Int("peers", 0, "how many peers; 0 measures nothing")
	fSize  = flag.Int("size", 1<<20, "bytes of a block")
	fMute  = flag.Float64("mute", 0, "share of the peers that send nothing")
	fMuteH = flag.Float64("mute-hidden", 0, "share of the hidden members that send nothing")
	fSlow  = flag.Float64("slow", 0, "share of the peers with an uplink of 10 Mbit/s")
	fLoss  = flag.Float64("loss", 0, "share of the packets that are lost")
	fSrcs  = flag.Int("leaders", 1, "how many peers have each block at the same time")
	fBl    = flag.Int("blocks", 5, "how many blocks")
	fMbps  = flag.Float64("mbps", 100, "bandwidth of every link")
	fRTT   = flag.Duration("rtt", 50*time.Millisecond, "round trip")
	fIntv  = flag.Duration("every", time.Second, "time between blocks")
	fGeo   = flag.Bool("regions", false, "five regions of the world instead of one round trip")
	fOrgs  = flag.Int("org", 0, "members of an organization; 0: one organization")
	fVis   = flag.Int("visible", 1, "how many of them others see")
	fGuest = flag.Bool("guests", true, "hidden members connect to visible ones of other organizations")
	fFew   = flag.Bool("few", false, "each of them to some of these only")
	fNolnk = flag.Float64("apart", 0, "share of the pairs without a connection")
	fRows  = flag.Bool("rows", false, "only neighbours of the grid are connected")
	fPlain = flag.Bool("plain", false, "no parity")
	fSeed  = flag.Uint64("seed", 1, "")
)

// TestMeasure prints what a case costs: go test ./internal/relaysim -run Measure -v -args -peers 50 -mute 0.33
func TestMeasure(t *testing.T) {
	if *fN == 0 {
		t.Skip("no -peers")
	}
	w0 := time.Now()
	N := *fN
	rng := rand.New(rand.NewPCG(*fSeed, 99))
	slow, mute := map[int]bool{}, map[int]bool{}
	for _, i := range rng.Perm(N - 1)[:int(*fSlow*float64(N))] {
		slow[i+1] = true
	}
	for _, i := range rng.Perm(N - 1)[:int(*fMute*float64(N))] {
		mute[i+1] = true
	}
	c := relaysim.Config{Peers: N, Rows: *fRows, Loss: *fLoss, NoParity: *fPlain, Seed: *fSeed, Judge: 2 * time.Millisecond, Topic: 120 * time.Millisecond,
		Up: func(i int) float64 {
			if slow[i] {
				return 10e6
			}
			return *fMbps * 1e6
		}, Down: func(int) float64 { return *fMbps * 1e6 }, Latency: func(a, b int) time.Duration { return *fRTT / 2 },
		Send: func(from, to int, f *relay.Frame) []*relay.Frame {
			if mute[from] {
				return nil
			}
			return []*relay.Frame{f}
		}}
	if *fGeo {
		tab := [5][5]int{{2, 15, 45, 75, 80}, {15, 2, 40, 65, 80}, {45, 40, 2, 90, 60}, {75, 65, 90, 2, 35}, {80, 80, 60, 35, 2}}
		c.Latency = func(a, b int) time.Duration { return time.Duration(tab[a%5][b%5]) * time.Millisecond }
	}
	if *fOrgs > 0 {
		c.Org = func(i int) string { return fmt.Sprint("org", i / *fOrgs) }
		c.Hidden = func(i int) bool { return i%*fOrgs >= *fVis }
		for _, i := range rng.Perm(N) {
			if c.Hidden(i) && float64(len(mute)) < *fMuteH*float64(N - N / *fOrgs * *fVis) {
				mute[i] = true
			}
		}
		c.Guests, c.Few = *fGuest, *fFew
	}
	if *fSrcs > 1 {
		c.Leader = func(i int) bool { return i < *fSrcs }
	}
	if *fNolnk > 0 {
		no := map[[2]int]bool{}
		for a := range N {
			for b := range a {
				if rng.Float64() < *fNolnk {
					no[[2]int{a, b}], no[[2]int{b, a}] = true, true
				}
			}
		}
		c.Linked = func(a, b int) bool { return !no[[2]int{a, b}] }
	}
	s := relaysim.New(c)
	var blocks []*relaysim.Block
	var before, wire int64
	var cp []string
	for k := range *fBl {
		b := s.Block(uint64(k+1), *fSize)
		blocks = append(blocks, b)
		for i := range *fSrcs {
			s.Offer(i, b)
		}
		s.Run(*fIntv)
		cp = append(cp, fmt.Sprintf("%.3f", float64(s.Payload-before)/float64((N-1)**fSize)))
		before = s.Payload
	}
	s.Run(10 * time.Second)
	wire = s.Wire
	var all, med []int
	miss := 0
	for _, b := range blocks {
		r := s.Result(b, func(i int) bool { return !mute[i] })
		all = append(all, int(r.All.Milliseconds()))
		med = append(med, int(r.Median.Milliseconds()))
		miss += r.Missing
	}
	var st relay.Stats
	gu := 0
	for _, p := range s.Peers {
		x := p.Stats()
		st.Duplicates += x.Duplicates
		st.Wants += x.Wants
		st.Repairs += x.Repairs
		st.Overflow += x.Overflow
		st.Forged += x.Forged
		st.Parked += x.Parked
		st.Dropped += x.Dropped
		st.Strikes += x.Strikes
		st.Rebuilt += x.Rebuilt
		st.Misled += x.Misled
		gu += len(p.Lost)
	}
	var fw []int
	for _, p := range s.Peers {
		fw = append(fw, int(p.Sent*100/int64(*fSize**fBl)))
	}
	slices.Sort(fw)
	fmt.Println("sent %", fw[0], fw[N/2], fw[N*9/10], fw[N-1])
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	fmt.Printf("n=%d size=%d mute=%v slow=%v loss=%v srcs=%d seed=%d: all %v med-all %d med %v missing %d copies %.3f wire %.3f %v giveup %d stats %+v wall %v\n", N, *fSize, *fMute, *fSlow, *fLoss, *fSrcs, *fSeed, all, sorted[len(sorted)/2], med, miss,
		float64(s.Payload)/float64((N-1)**fSize**fBl), float64(wire)/float64((N-1)**fSize**fBl), cp, gu, st, time.Since(w0).Round(time.Millisecond))
}
