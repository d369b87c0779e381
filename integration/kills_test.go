// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// trouble is what can happen to a network. It reports whether it could.
type trouble struct {
	name string
	at   func(k *killer) bool
}

// troubles are drawn with the same chance each.
var troubles = []trouble{
	{"a leader stops", func(k *killer) bool { return k.die((*testPeer).stop) }},
	{"a leader's machine vanishes", func(k *killer) bool { return k.die((*testPeer).crash) }},
	{"the ordering service dies", func(k *killer) bool { return k.orderers() }},
	{"a partition", func(k *killer) bool { return k.partition() }},
	{"a leader loses the ordering service", func(k *killer) bool { return k.blind() }},
}

// TestRandomKills lets leaders and the ordering service die and partitions come and go at random while blocks are ordered.
// In the end every ledger holds every block once, and each organization has one leader. WEFT_KILLS is how many of these
// there are in all, 20 for each seed.
func TestRandomKills(t *testing.T) {
	kills := 20
	if text := os.Getenv("WEFT_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	seen := map[string]int{}
	for seed := 1; kills > 0; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Setenv("WEFT_SEED", fmt.Sprint(seed))
			synctest.Test(t, func(t *testing.T) {
				k := &killer{testNet: newNet(t, lan, 2, 3), seen: seen}
				for _, p := range k.peers {
					p.start(elected())
				}
				time.Sleep(meeting)
				for range min(20, kills) {
					k.next()
				}
				k.mend()
			})
		})
		kills -= 20
	}
	t.Logf("%v", seen)
}

// killer is a network that suffers.
type killer struct {
	*testNet
	seen  map[string]int
	later []func() // what mends what was done
	dead  bool     // the ordering service
}

// next does one thing to the network, has blocks ordered during and after it, and then perhaps mends it.
func (k *killer) next() {
	what := troubles[k.random.IntN(len(troubles))]
	for !what.at(k) {
		k.undo()
		time.Sleep(time.Second)
	}
	k.seen[what.name]++
	k.blocks()
	time.Sleep(time.Duration(k.random.Int64N(int64(8 * time.Second))))
	k.blocks()
	if k.random.IntN(3) > 0 {
		k.undo()
	}
}

// blocks has some blocks ordered, unless nobody can.
func (k *killer) blocks() {
	if !k.dead {
		k.order(1+k.random.IntN(3), 1<<10, time.Duration(k.random.Int64N(int64(300*time.Millisecond))))
	}
}

// undo mends all that was done so far.
func (k *killer) undo() {
	for _, mend := range k.later {
		mend()
	}
	k.later = nil
}

// die ends one of the leaders in a way.
func (k *killer) die(how func(*testPeer)) bool {
	leading := k.leaders()
	if len(leading) == 0 {
		return false
	}
	p := leading[k.random.IntN(len(leading))]
	how(p)
	k.later = append(k.later, func() { p.restart(elected()) })
	return true
}

func (k *killer) orderers() bool {
	if k.dead {
		return false
	}
	k.kill()
	k.dead = true
	k.later = append(k.later, func() { k.serve(); k.dead = false })
	return true
}

// partition puts each peer on one of two sides, the ordering service on one of them.
func (k *killer) partition() bool {
	var away []*testPeer
	for _, p := range k.peers {
		if p.channel != nil && k.random.IntN(2) == 0 {
			away = append(away, p)
		}
	}
	k.split(away...)
	k.later = append(k.later, k.unite)
	return len(away) > 0
}

// blind takes the ordering service away from a leader.
func (k *killer) blind() bool {
	leading := k.leaders()
	if len(leading) == 0 {
		return false
	}
	number := leading[k.random.IntN(len(leading))].number
	k.cutOff(number)
	k.later = append(k.later, func() { k.mendOff(number) })
	return true
}

// mend ends all trouble, and requires what must hold then: within a minute, which is the longest rest of a leader that gave up,
// every organization has one leader, and every ledger is the ordering service's.
func (k *killer) mend() {
	k.undo()
	time.Sleep(time.Minute)
	k.order(3, 1<<10, 100*time.Millisecond)
	k.requireAll(5*time.Second, k.peers...)
	k.requirePullers(1)
	k.requireView(k.peers...)
}
