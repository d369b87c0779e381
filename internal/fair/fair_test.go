// SPDX-License-Identifier: Apache-2.0

package fair_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/fair"
)

func owner(org, identity int) fair.Owner {
	return fair.Owner{Org: fmt.Sprint("org", org), Identity: fmt.Sprint("identity", identity)}
}

// Each organization takes whatever it is given; how much is that?
func TestOrganizationsLeaveRoom(t *testing.T) {
	for greedy, share := range map[int]int{1: 60, 2: 40, 3: 30, 5: 20} {
		t.Run(fmt.Sprint(greedy), func(t *testing.T) {
			var tally fair.Tally
			for more := true; more; {
				more = false
				for org := range greedy {
					if o := owner(org, tally.All()); tally.Fits(o, 1, 120, 1) {
						tally.Add(o, 1)
						more = true
					}
				}
			}
			for org := range greedy {
				require.InDelta(t, share, tally.Org(fmt.Sprint("org", org)), 1)
			}
			require.True(t, tally.Fits(owner(99, 0), (120-tally.All())/2, 120, 0), "there is room for the next one")
		})
	}
}

func TestIdentityHasItsBound(t *testing.T) {
	var tally fair.Tally
	tally.Add(owner(1, 1), 3)
	require.True(t, tally.Fits(owner(1, 1), 1, 100, 4))
	require.False(t, tally.Fits(owner(1, 1), 2, 100, 4))
	require.True(t, tally.Fits(owner(1, 2), 4, 100, 4), "another identity")
	require.True(t, tally.Fits(owner(1, 1), 47, 100, 0), "no bound")
	require.False(t, tally.Fits(owner(1, 1), 48, 100, 0), "the organization's")
}

func TestTallyForgetsWhoHasNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tally fair.Tally
		type charge struct {
			fair.Owner
			n int
		}
		var charges []charge
		for range rapid.IntRange(0, 50).Draw(t, "charges") {
			c := charge{owner(rapid.IntRange(0, 3).Draw(t, "org"), rapid.IntRange(0, 3).Draw(t, "identity")), rapid.IntRange(1, 9).Draw(t, "n")}
			if tally.Fits(c.Owner, c.n, 100, 20) {
				tally.Add(c.Owner, c.n)
				charges = append(charges, c)
			}
			require.LessOrEqual(t, tally.All(), 100)
			require.LessOrEqual(t, tally.Of(c.Owner), 20)
			require.LessOrEqual(t, tally.Org(c.Org), 50)
		}
		for _, c := range charges {
			tally.Add(c.Owner, -c.n)
		}
		require.Zero(t, tally.All())
		require.Zero(t, tally.Owners())
	})
}

func TestWhoGivesUp(t *testing.T) {
	var tally fair.Tally
	tally.Add(owner(1, 1), 5)
	tally.Add(owner(1, 2), 2)
	tally.Add(owner(2, 1), 6)
	require.Negative(t, tally.Larger(owner(1, 2), owner(2, 1)), "the organization first: 7 against 6")
	require.Negative(t, tally.Larger(owner(1, 1), owner(1, 2)), "then the identity")
	require.Positive(t, tally.Larger(owner(2, 1), owner(1, 1)))
	require.Zero(t, tally.Larger(owner(1, 1), owner(1, 1)))
}

func TestMajority(t *testing.T) {
	type votes = map[string][2]int // yes, no
	for name, c := range map[string]struct {
		votes votes
		want  bool
	}{
		"nobody":                               {votes{}, false},
		"one":                                  {votes{"a": {1, 0}}, true},
		"half":                                 {votes{"a": {2, 2}}, false},
		"more than half":                       {votes{"a": {3, 2}}, true},
		"a big organization alone":             {votes{"a": {1000, 0}, "b": {0, 3}}, false},
		"a big one against two":                {votes{"a": {1000, 0}, "b": {0, 3}, "c": {0, 3}}, false},
		"a big one and one of the others":      {votes{"a": {1000, 0}, "b": {1, 2}}, true},
		"two small ones against the big one":   {votes{"a": {0, 1000}, "b": {3, 0}, "c": {3, 0}}, false},
		"all small ones and a part of the big": {votes{"a": {100, 900}, "b": {3, 0}, "c": {3, 0}}, true},
		"a third":                              {votes{"a": {4, 0}, "b": {0, 4}, "c": {0, 4}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var p fair.Poll
			for org, v := range c.votes {
				for range v[0] {
					p.Vote(org, true)
				}
				for range v[1] {
					p.Vote(org, false)
				}
			}
			require.Equal(t, c.want, p.Majority())
		})
	}
}
