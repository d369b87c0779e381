// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// seeds plays a scenario with so many seeds, with the one that WEFT_SEED names, or with those up to WEFT_SEEDS. The figures in
// docs/spec/election.md are of 200 seeds.
func seeds(t *testing.T, count uint64, play func(t *testing.T, seed uint64)) {
	t.Parallel()
	first, last := uint64(1), number(t, "WEFT_SEEDS", count)
	if only := number(t, "WEFT_SEED", 0); only != 0 {
		first, last = only, only
	}
	seed := first
	defer func() {
		if t.Failed() {
			t.Logf("WEFT_SEED=%d", seed)
		}
	}()
	for ; seed <= last; seed++ {
		play(t, seed)
	}
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// figures collects durations over seeds.
type figures []time.Duration

func (f figures) at(q float64) time.Duration {
	slices.Sort(f)
	return f[min(len(f)-1, int(q*float64(len(f))))]
}

func (f figures) log(t *testing.T, name string) {
	t.Logf("%s: p50 %v, p99 %v, most %v (%d seeds)", name, f.at(0.5).Round(time.Millisecond), f.at(0.99).Round(time.Millisecond),
		f.at(1).Round(time.Millisecond), len(f))
}

func all(nodes int) (ids []int) {
	for id := range nodes {
		ids = append(ids, id)
	}
	return ids
}

// settledSim returns a network of running nodes with one leader.
func settledSim(t *testing.T, seed uint64, nodes int) *sim {
	s := newSim(t, seed, nodes)
	s.settle()
	return s
}

// settle starts all nodes, and lets them elect who is to lead.
func (s *sim) settle() {
	s.start(all(len(s.nodes))...)
	s.run(20 * time.Second)
	require.Len(s.t, s.leaders(), min(len(s.nodes), max(1, s.timing.Pullers)))
}

// A whole organization starts: two leaders at once at most, and exactly one at most 3 s after the view has brought nobody new for 0.5 s.
func TestSimStart(t *testing.T) {
	for name, spread := range map[string]time.Duration{"at once": 0, "within 1 s": time.Second, "within 5 s": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			var one figures
			most, changes := 0, 0
			seeds(t, 25, func(t *testing.T, seed uint64) {
				s := newSim(t, seed, 50)
				s.loss = 0.01
				for _, n := range s.nodes {
					s.after(s.uniform(spread), n.start)
				}
				s.run(12 * time.Second)
				require.Len(t, s.leaders(), 1)
				require.LessOrEqual(t, s.most(0), 2)
				require.LessOrEqual(t, s.since()-s.joins-500*time.Millisecond, 3*time.Second)
				one = append(one, s.since())
				most, changes = max(most, s.most(0)), changes+len(s.log)-1
			})
			one.log(t, "start to exactly one leader")
			t.Logf("leaders at once: %d; changes after the first: %d", most, changes)
		})
	}
}

type death struct {
	name   string
	silent bool // its machine vanishes; else its connections break
	far    bool // its organization has no topic of its own
	echo   bool // a third hear its last word up to 1.2 s later
	limit  time.Duration
}

// deaths are the ways in which a leader dies, and how long at most nobody leads then.
var deaths = []death{
	{name: "connection lost", limit: time.Second},
	{name: "connection lost, its last word comes late", echo: true, limit: time.Second},
	{name: "silent", silent: true, limit: 5 * time.Second},
	{name: "silent, without a topic of the organization", silent: true, far: true, limit: leader.DefaultTiming().LeaderAliveThreshold + 600*time.Millisecond},
}

// A leader dies: when its connections break, the next one leads within a second; when its machine vanishes, within five.
func TestSimTakeover(t *testing.T) {
	for _, c := range deaths {
		t.Run(c.name, func(t *testing.T) {
			var next figures
			most := 0
			seeds(t, 40, func(t *testing.T, seed uint64) {
				took, leaders := c.happens(t, seed)
				require.LessOrEqual(t, took, c.limit)
				next, most = append(next, took), max(most, leaders)
			})
			next.log(t, "death to the next leader")
			t.Logf("leaders at once: %d", most)
			require.LessOrEqual(t, most, 2)
		})
	}
}

// happens kills the leader of 20, and returns for how long nobody led then, and how many leaders there were at once.
func (d death) happens(t testing.TB, seed uint64) (vacant time.Duration, most int) {
	s := newSim(t, seed, 20)
	s.far = d.far
	s.settle()
	s.run(s.uniform(10 * time.Second))
	at, victim := s.now, s.nodes[s.leaders()[0]]
	said := victim.word()
	victim.crash(d.silent)
	if d.echo {
		victim.echo(said)
	}
	s.run(30 * time.Second)
	require.Len(t, s.leaders(), 1)
	return s.vacant(at), s.most(at)
}

// late is how long nobody leads, and how many lead at once, when up to three peers start in the seconds before and after the leader of 20 dies.
// They are the best candidates, and have heard it say that it leads.
func late(t testing.TB, seed uint64) (took time.Duration, most int) {
	s := newSim(t, seed, 20)
	s.start(all(20)[3:]...)
	s.run(20*time.Second + s.uniform(10*time.Second))
	at := s.now + 3*time.Second
	victim := s.nodes[s.leaders()[0]]
	said := victim.word()
	for _, o := range s.nodes[:1+s.rand.IntN(3)] {
		s.after(s.uniform(4*time.Second), func() {
			if o.start(); s.now >= at {
				victim.haunt(o, said)
			}
		})
	}
	s.run(at - s.now)
	victim.crash(false)
	s.run(30 * time.Second)
	require.Len(t, s.leaders(), 1)
	return s.vacant(at), s.most(at)
}

// Peers that have just started do not hold up who takes over, though they rank first by their IDs and still believe in the dead leader.
func TestSimLateJoiners(t *testing.T) {
	var next figures
	most := 0
	seeds(t, 200, func(t *testing.T, seed uint64) {
		took, leaders := late(t, seed)
		require.LessOrEqual(t, took, time.Second)
		next, most = append(next, took), max(most, leaders)
	})
	next.log(t, "death to the next leader, while others join")
	t.Logf("leaders at once: %d", most)
	require.LessOrEqual(t, most, 2)
}

// BenchmarkFailover answers: how long does nobody lead when the leader of 20 peers dies? Time is that of the simulation; each run has 200 seeds.
func BenchmarkFailover(b *testing.B) {
	for _, c := range deaths {
		b.Run(c.name, func(b *testing.B) {
			failover(b, func(seed uint64) (time.Duration, int) { return c.happens(b, seed) })
		})
	}
	b.Run("while others join", func(b *testing.B) {
		failover(b, func(seed uint64) (time.Duration, int) { return late(b, seed) })
	})
}

func failover(b *testing.B, die func(seed uint64) (took time.Duration, leaders int)) {
	for range b.N {
		var next figures
		for seed := range uint64(200) {
			took, _ := die(seed + 1)
			next = append(next, took)
		}
		for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99, "most": 1} {
			b.ReportMetric(float64(next.at(q).Milliseconds()), name+"-ms")
		}
		b.ReportMetric(0, "ns/op") // wall time says nothing here
	}
}

// A partition has a leader on each side; after healing exactly one is left, soon, and there is always one.
func TestSimPartition(t *testing.T) {
	for name, c := range map[string]struct {
		silent bool
		limit  time.Duration
	}{"connections lost": {false, time.Second}, "silent": {true, 3 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			var one figures
			seeds(t, 30, func(t *testing.T, seed uint64) {
				s := settledSim(t, seed, 20)
				s.split(c.silent, func(id int) int { return id & 1 })
				lasts := time.Second + s.uniform(2*time.Minute)
				s.run(lasts)
				if lasts > 30*time.Second {
					require.Len(t, s.leaders(), 2)
					require.NotEqual(t, s.leaders()[0]&1, s.leaders()[1]&1)
				}
				at := s.now
				s.heal()
				s.run(time.Minute)
				require.Len(t, s.leaders(), 1)
				require.Equal(t, 1, s.least(at), "there is always a leader")
				require.LessOrEqual(t, s.since()-at, time.Second+c.limit, "a neighbour is met within 1 s")
				one = append(one, max(0, s.since()-at))
			})
			one.log(t, "healed to exactly one leader")
		})
	}
}

// Newcomers with lower IDs do not displace a leader.
func TestSimNewcomers(t *testing.T) {
	most := 0
	seeds(t, 50, func(t *testing.T, seed uint64) {
		s := newSim(t, seed, 20)
		s.start(all(20)[5:]...)
		s.run(20*time.Second + s.uniform(time.Minute))
		before, at := s.leaders(), s.now
		for id := range 5 {
			s.after(s.uniform(3*time.Second), s.nodes[id].start)
		}
		s.run(30 * time.Second)
		require.Equal(t, before, s.leaders())
		require.Equal(t, 1, s.least(at))
		most = max(most, s.most(at))
	})
	t.Logf("leaders at once: %d", most)
}

// Nothing happens for an hour.
func TestSimSteady(t *testing.T) {
	seeds(t, 1, func(t *testing.T, seed uint64) {
		s := settledSim(t, seed, 50)
		before := s.log
		s.run(time.Hour)
		require.Equal(t, before, s.log)
	})
}

// One heartbeat of a hundred is lost: a leader may be doubted, but it stays, and doubt is over within seconds.
func TestSimLossy(t *testing.T) {
	var doubt figures
	changes := 0
	seeds(t, 2, func(t *testing.T, seed uint64) {
		s := settledSim(t, seed, 20)
		s.loss = 0.01
		who, at, before := s.leaders(), s.now, len(s.log)
		s.run(time.Hour)
		require.Equal(t, who, s.leaders())
		require.Equal(t, 1, s.least(at))
		require.LessOrEqual(t, s.most(at), 2)
		doubt = append(doubt, s.doubled(at))
		changes += len(s.log) - before
	})
	doubt.log(t, "two leaders in an hour")
	t.Logf("changes in %d hours: %d", len(doubt), changes)
}

// Only some can reach the ordering service: before long one of those leads, and then stays.
func TestSimOrdererUnreachable(t *testing.T) {
	var found figures
	seeds(t, 20, func(t *testing.T, seed uint64) {
		s := settledSim(t, seed, 10)
		able := 4 + s.rand.IntN(6)
		s.orderer = func(id int) bool { return id >= able }
		at := s.now
		s.nodes[s.leaders()[0]].source()
		s.run(10 * time.Minute)
		require.Len(t, s.leaders(), 1)
		require.GreaterOrEqual(t, s.leaders()[0], able)
		// each one that fails costs the patience of the caller, and a moment for the next to take over
		require.LessOrEqual(t, s.since()-at, time.Duration(able)*(patience+1500*time.Millisecond))
		found = append(found, s.since()-at)
	})
	found.log(t, "first failure to a leader that can pull, 4 to 9 peers later")
}

// Nobody can reach the ordering service for a while. Somebody goes on trying all the time, so blocks come as soon as they can.
func TestSimOrdererDown(t *testing.T) {
	changes := 0
	seeds(t, 20, func(t *testing.T, seed uint64) {
		s := settledSim(t, seed, 4)
		down := true
		s.orderer = func(int) bool { return !down }
		at, before := s.now, len(s.log)
		s.nodes[s.leaders()[0]].source()
		s.run(10 * time.Minute)
		require.LessOrEqual(t, s.vacant(at), 10*time.Second, "in ten minutes")
		changes = max(changes, len(s.log)-before)
		down = false
		s.run(time.Minute)
		require.Len(t, s.leaders(), 1)
		calm := len(s.log)
		s.run(10 * time.Minute)
		require.Len(t, s.log, calm)
	})
	t.Logf("changes in 10 min of outage: %d", changes)
}

// Whatever happens, when it is over there are as many leaders as are to be, and they stay.
func TestSimChaos(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64) {
		s := newSim(t, seed, 12)
		s.loss = 0.05
		s.timing.Pullers = 1 + s.rand.IntN(3)
		s.start(all(12)...)
		for range 40 {
			s.run(s.uniform(20 * time.Second))
			n := s.nodes[s.rand.IntN(12)]
			switch s.rand.IntN(6) {
			case 0, 1:
				if n.up {
					n.crash(s.rand.IntN(2) == 0)
				}
			case 2, 3:
				if !n.up {
					n.start()
				}
			case 4:
				s.split(s.rand.IntN(2) == 0, func(int) int { return s.rand.IntN(2) })
			case 5:
				s.heal()
			}
		}
		s.heal()
		s.start(slices.DeleteFunc(all(12), func(id int) bool { return s.nodes[id].up })...)
		s.loss = 0
		s.run(30 * time.Second)
		require.Len(t, s.leaders(), s.timing.Pullers)
		calm := s.since()
		s.run(10 * time.Minute)
		require.Equal(t, calm, s.since())
	})
}
