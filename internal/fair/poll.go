// SPDX-License-Identifier: Apache-2.0

package fair

// Poll counts the votes of identities: yes or no. The zero value is empty. It is pure; one goroutine or lock at a time.
type Poll struct{ orgs map[string]ballot }

// ballot is how an organization's identities voted.
type ballot struct{ yes, all int }

// Vote counts one identity of an organization. The caller lets each vote once.
func (p *Poll) Vote(org string, yes bool) {
	if p.orgs == nil {
		p.orgs = map[string]ballot{}
	}
	b := p.orgs[org]
	b.all++
	if yes {
		b.yes++
	}
	p.orgs[org] = b
}

// Majority reports whether more than half say yes. An organization counts at most as much as all others together, and then
// in the proportion in which its identities voted; so no organization is a majority alone, unless there is no other.
func (p *Poll) Majority() bool {
	total := 0
	for _, b := range p.orgs {
		total += b.all
	}
	var yes, all float64
	for _, b := range p.orgs {
		weight := min(b.all, total-b.all)
		if len(p.orgs) == 1 {
			weight = b.all
		}
		yes += float64(weight) * float64(b.yes) / float64(b.all)
		all += float64(weight)
	}
	return 2*yes > all
}
