// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"
)

// Remembered addresses are for when nobody is connected.
func TestPlanOfSpareAddresses(t *testing.T) {
	boot, spare, other := address("boot"), target{addr: "spare", spare: true}, target{addr: "other", spare: true}
	play(t, map[string]func(s *script){
		"after the others, when nobody is there": func(s *script) {
			s.wants(boot, spare)
			s.starts(boot)
			s.ends(boot, "", errDown)
			s.waits(firstRetry/2, firstRetry)
			s.starts(boot)
			s.after(tieBreak)
			s.starts(spare)
		},
		"not while anybody is": func(s *script) {
			s.wants(boot, spare, other)
			s.starts(boot)
			s.ends(boot, "a", nil)
			s.after(time.Hour)
			s.starts()
			s.disconnected(s.now(), "a")
			s.after(time.Minute)
			s.starts(boot, spare, other)
			s.ends(spare, "b", nil)
			s.ends(other, "", errDown)
			s.ends(boot, "", errDown)
			s.after(time.Hour)
			s.starts(boot)
		},
		"whoever is found is a member like others then": func(s *script) {
			s.wants(spare)
			s.after(tieBreak)
			s.starts(spare)
			s.ends(spare, "z", nil)
			s.wants(spare, member("z"))
			s.starts(member("z"))
			s.ends(member("z"), "z", nil)
			s.after(time.Minute)
			s.disconnected(s.now(), "z")
			s.after(time.Minute)
			s.starts(member("z"), spare)
		},
		"nobody is waited for who was tried": func(s *script) {
			s.wants(spare)
			if !s.joining() {
				s.Fatal("it was not tried")
			}
			s.after(tieBreak)
			s.starts(spare)
			s.ends(spare, "", errDown)
			if s.joining() {
				s.Fatal("it was tried")
			}
		},
	})
}
