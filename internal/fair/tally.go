// SPDX-License-Identifier: Apache-2.0

package fair

// Tally counts what owners have of something: places, bytes, streams. The zero value is empty. It is pure; one goroutine or
// lock at a time.
type Tally struct {
	all        int
	orgs       map[string]int
	identities map[Owner]int
}

// Fits says whether o may have n more of capacity in all, of which one identity may have at most each (0: no bound). An
// organization may have one more than stays free, so that it leaves room for the next one.
func (t *Tally) Fits(o Owner, n, capacity, each int) bool {
	left := capacity - t.all - n
	return left >= 0 && t.orgs[o.Org]+n <= left+1 && (each == 0 || t.identities[o]+n <= each)
}

// Add charges n to o; a negative n gives it back.
func (t *Tally) Add(o Owner, n int) {
	if t.orgs == nil {
		t.orgs, t.identities = map[string]int{}, map[Owner]int{}
	}
	t.all += n
	add(t.orgs, o.Org, n)
	add(t.identities, o, n)
}

// All is what all owners have together.
func (t *Tally) All() int { return t.all }

// Org is what an organization has.
func (t *Tally) Org(name string) int { return t.orgs[name] }

// Of is what one identity has.
func (t *Tally) Of(o Owner) int { return t.identities[o] }

// Owners is how many identities have anything: what a tally costs in memory.
func (t *Tally) Owners() int { return len(t.identities) }

// Larger compares two owners as those who should give something up: first their organizations, then the identities. It is
// negative when a should rather than b.
func (t *Tally) Larger(a, b Owner) int {
	if a.Org != b.Org {
		if d := t.orgs[b.Org] - t.orgs[a.Org]; d != 0 {
			return d
		}
	}
	return t.identities[b] - t.identities[a]
}

func add[K comparable](counts map[K]int, key K, n int) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}
