// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"slices"
	"time"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/operations"
	"github.com/weft-p2p/weft/leader"
)

// health lists why the node is not healthy: a channel has stopped, gets no blocks from the ordering service although we lead, or has
// no member that we are connected to although there should be one.
func (d *Daemon) health() []operations.FailedCheck {
	var failed []operations.FailedCheck
	by, ids := d.channels.all()
	for _, id := range ids {
		for _, reason := range d.ailments(by[id]) {
			failed = append(failed, operations.FailedCheck{Component: "channel " + id, Reason: reason})
		}
	}
	return failed
}

// ailments are the reasons of one channel.
func (d *Daemon) ailments(e entry) (reasons []string) {
	if err := e.stopped(); err != nil {
		return []string{fmt.Sprintf("stopped: %v", err)}
	}
	s := e.channel.Status()
	if s.Leads && s.Source.State == leader.Failing {
		reasons = append(reasons, fmt.Sprintf("this node leads, and no orderer has delivered since %s: %v", s.Source.Since.UTC().Format(time.RFC3339), s.Source.LastErr))
	}
	connected := slices.ContainsFunc(e.channel.Members(), func(m weft.Member) bool { return m.Alive && d.connected(m.ID) })
	if !connected && d.expectsOthers(e.channel) {
		reasons = append(reasons, "no member of the channel is connected; check weft.bootstrap, and the anchor peers of the channel or weft.anchorOverrides")
	}
	return reasons
}

// expectsOthers says whether there are other members, as far as we were told: bootstrap peers, or anchor peers that are not ourselves.
func (d *Daemon) expectsOthers(c *weft.Channel) bool {
	if len(d.core.Bootstrap) > 0 {
		return true
	}
	for _, org := range c.Config().Orgs() {
		for _, a := range org.Anchors {
			if d.anchor(a.Host, a.Port) != d.core.ExternalEndpoint {
				return true
			}
		}
	}
	return false
}

// anchor is the address of the weft node beside an anchor peer.
func (d *Daemon) anchor(host string, port int) string {
	addr := fmt.Sprintf("%s:%d", host, port)
	if to, ok := d.core.AnchorOverrides[addr]; ok {
		return to
	}
	return addr
}
