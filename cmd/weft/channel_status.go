// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
)

// none stands for what there is not.
const none = "-"

func newChannelStatus() *cobra.Command {
	return channelFlag(newAsking("status -c NAME", "Show where a channel stands",
		`Show where a channel stands: its height and how far the node is behind the highest member, who of the organization pulls from
the ordering service and how that goes, and the members that the node has heard of.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (admin.Status, error) {
			return node.Channel(c.Context(), channelOf(c))
		},
		showStatus))
}

func showStatus(out io.Writer, s admin.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("Channel", "%s", s.Channel)
	line("State", "%s", s.State)
	if s.Error != "" {
		line("Error", "%s", s.Error)
	}
	line("Height", "%d", s.Height)
	line("Highest", "%d", s.Highest)
	line("Lag", "%d", s.Lag)
	line("Config block", "%d", s.Config)
	line("Leader", "%s", leaderOf(s))
	if s.Source != nil {
		line("Source", "%s", describeSource(s.Source))
	}
	line("Blocks from", "%s", describeIntake(s))
	line("Delivery", "%s", describeDelivery(s.Delivery))
	if s.Delivery.Relayed > 0 {
		line("Relay", "%s", describeRelayed(s.Delivery))
	}
	if s.Intake.Why != "" {
		line("Pulls", "%s", pulls(s))
	}
	line("Peers", "%d", len(s.Peers))
	if err := w.Flush(); err != nil || len(s.Peers) == 0 {
		return err
	}
	fmt.Fprintln(out)
	return showPeers(out, s.Peers)
}

func leaderOf(s admin.Status) string {
	who := cmp.Or(s.Leader, "none known")
	if s.Leads {
		who += ", this node"
	}
	return fmt.Sprintf("%s (%s)", who, s.Mode)
}

// describeIntake says who brought the latest blocks.
func describeIntake(s admin.Status) string {
	i := s.Intake
	if i.Last == "" {
		return "nobody since the start"
	}
	return fmt.Sprintf("%s; of the last %d: orderer %d, own organization %d, other organizations %d",
		i.Last, i.Orderer+i.Organization+i.Others, i.Orderer, i.Organization, i.Others)
}

// describeDelivery says how fast live blocks come, and at what cost.
func describeDelivery(d admin.Delivery) string {
	text := "no live block since the start"
	if d.Blocks > 0 {
		text = fmt.Sprintf("last %d in %.0f ms, at worst %.0f, from the first announcement; %.0f and %.0f from the transaction",
			d.Blocks, d.Spread.Median, d.Spread.Worst, d.Age.Median, d.Age.Worst)
	}
	if d.Copies > 0 {
		text += fmt.Sprintf("; %.2f copies", d.Copies)
	}
	for _, why := range slices.Sorted(maps.Keys(d.Repaired)) {
		text += fmt.Sprintf("; repaired %d %s", d.Repaired[why], why)
	}
	return text
}

// describeRelayed says how fast pieces come, and how far that is from the least that they could take.
func describeRelayed(d admin.Delivery) string {
	text := fmt.Sprintf("last %d complete in %.0f ms, at worst %.0f, from the first announcement", d.Relayed, d.Complete.Median, d.Complete.Worst)
	if d.Distance.Median > 0 {
		text += fmt.Sprintf("; %.2f times the floor, at worst %.2f, the last %.2f", d.Distance.Median, d.Distance.Worst, d.Distance.Last)
	}
	return text
}

func pulls(s admin.Status) string {
	if s.Leads {
		return "yes: " + s.Intake.Why
	}
	return "no: " + s.Intake.Why
}

func describeSource(s *admin.Source) string {
	text := s.State
	if s.Endpoint != "" {
		text += " from " + s.Endpoint
	}
	if !s.Since.IsZero() {
		text += " since " + s.Since.UTC().Format(time.RFC3339)
	}
	text += fmt.Sprintf(", %d blocks", s.Blocks)
	if s.Failures > 0 {
		text += fmt.Sprintf(", failed %d times in a row, still trying: %s", s.Failures, s.Error)
	}
	return text
}

// showPeers prints a line for each peer.
func showPeers(out io.Writer, peers []admin.Peer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PEER\tMSP\tCERTIFICATE\tSTATE\tSEEN\tIN\tOUT\tCHANNELS\tADDRESSES")
	for _, p := range peers {
		in, out := flow(p.Flow)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, cmp.Or(p.MSPID, none), validity(p.Expires, time.Now()), peerState(p), seen(p), in, out, memberships(p), cmp.Or(strings.Join(p.Addresses, " "), none))
	}
	return w.Flush()
}

func peerState(p admin.Peer) string {
	switch {
	case p.Self:
		return "this node"
	case p.Connected:
		return "connected"
	case p.Alive:
		return "alive"
	default:
		return "dead"
	}
}

// validity is how long a certificate lasts: the day, and how many are left in its last week.
func validity(expires, now time.Time) string {
	left := expires.Sub(now)
	switch day := expires.UTC().Format(time.DateOnly); {
	case expires.IsZero():
		return none
	case left < 0:
		return "expired " + day
	case left < 7*24*time.Hour:
		return fmt.Sprintf("%s, in %s", day, left.Truncate(time.Minute))
	default:
		return day
	}
}

func seen(p admin.Peer) string {
	if p.LastSeen.IsZero() {
		return none
	}
	return p.LastSeen.UTC().Format(time.RFC3339)
}

// flow is what is relayed from and to a peer.
func flow(f *admin.Flow) (in, out string) {
	if f == nil {
		return none, none
	}
	return perSecond(f.In), perSecond(f.Out)
}

// perSecond is a rate of bytes.
func perSecond(bytes float64) string {
	for _, unit := range []struct {
		name string
		size float64
	}{{"MB", 1e6}, {"KB", 1e3}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%.1f %s/s", bytes/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B/s", bytes)
}

// memberships are channels with the heights that a peer claims; a star marks a leader.
func memberships(p admin.Peer) string {
	var all []string
	for _, m := range p.Channels {
		text := fmt.Sprintf("%s:%d", m.Channel, m.Height)
		if m.Leader {
			text += "*"
		}
		all = append(all, text)
	}
	return cmp.Or(strings.Join(all, " "), none)
}
