// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/devnet"
)

// How often the screen is brought up to date.
const (
	refresh = 200 * time.Millisecond // a table on a terminal
	report  = time.Second            // a line elsewhere
)

// screen shows what happens: a table that refreshes on a terminal, lines elsewhere.
type screen struct {
	n     *network
	out   io.Writer
	start time.Time
	total int // blocks to come, about

	mu    sync.Mutex // guards what is written, and drawn
	drawn int        // lines of the table that stand on the terminal
}

func newScreen(n *network) *screen {
	return &screen{n: n, out: n.options.Out, start: time.Now()}
}

// say adds a line; on a terminal the table is drawn anew below it.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = 0
	s.line(format, args...)
}

func (s *screen) line(format string, args ...any) {
	fmt.Fprintf(s.out, "%6.1fs  %s\n", time.Since(s.start).Seconds(), fmt.Sprintf(format, args...))
}

// begin says what network this is.
func (s *screen) begin() {
	o, m := s.n.options, s.n.material
	fmt.Fprintf(s.out, "A Fabric network in one process: %d organizations of %d peers, an ordering service at %s (development only).\n",
		o.Orgs, o.Peers, s.n.listener.Addr())
	if m.recorded != nil {
		fmt.Fprintf(s.out, "Channel %s, as %d transactions of %s were recorded on it, with %s as further organizations.\n",
			s.n.orderer.Channel(), len(m.recorded.Transactions), o.Transactions, names(m.orgs))
	}
}

func names(orgs []*devnet.Org) string {
	var all []string
	for _, org := range orgs {
		all = append(all, org.Name)
	}
	return strings.Join(all, ", ")
}

// met says that the network stands.
func (s *screen) met() {
	var leaders []string
	for _, p := range s.n.leaders() {
		leaders = append(leaders, p.name)
	}
	s.say("all %d peers see each other; %s were elected and pull from the ordering service, the others get every block from peers",
		len(s.n.all()), strings.Join(leaders, ", "))
}

// follow shows heights and times until ctx ends.
func (s *screen) follow(ctx context.Context) {
	every := report
	if s.n.options.Live {
		every = refresh
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.update()
			return
		case <-tick.C:
			s.update()
		}
	}
}

func (s *screen) update() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n.options.Live {
		s.table()
		return
	}
	v := s.n.measures.view()
	s.line("ordered %d  heights %s  order to committed p50 %s max %s", s.n.orderer.Height()-1, s.heights(v),
		ms(percentile(v.all, 0.5)), ms(percentile(v.all, 1)))
}

// heights are the heights of all peers, organizations apart.
func (s *screen) heights(v view) string {
	var b strings.Builder
	for i, p := range v.peers {
		if i > 0 && i%s.n.options.Peers == 0 {
			b.WriteString(" |")
		}
		fmt.Fprintf(&b, " %d", p.height-1)
	}
	return strings.TrimSpace(b.String())
}

// table draws the table over the one that stands there.
func (s *screen) table() {
	v := s.n.measures.view()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "PEER\tPULLS\tBLOCKS\tORDER TO COMMITTED\tSEES\tRECEIVED\n")
	for _, p := range s.n.all() {
		now, seen := p.status(), v.peers[p.index]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d peers\t%s\n", p.name, p.part(now), seen.height-1, ms(seen.last), now.Members, size(p.traffic.received.Load()))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%5.1f s  block %d of about %d  p50 %s  p99 %s  max %s", time.Since(s.start).Seconds(), s.n.orderer.Height()-1, s.total,
		ms(percentile(v.all, 0.5)), ms(percentile(v.all, 0.99)), ms(percentile(v.all, 1)))
	lines := strings.Split(b.String(), "\n")
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		fmt.Fprintf(s.out, "\r%s\x1b[K\n", line)
	}
	s.drawn = len(lines)
}

// part is what part a peer plays now.
func (p *member) part(s weft.Status) string {
	switch {
	case p.running.Load() == nil:
		return "killed"
	case p.gate.shut.Load():
		return "cut off"
	case s.Leads:
		return "leader"
	}
	return ""
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func size(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// end prints the summary and returns ErrIncomplete if anything is missing.
func (s *screen) end() error {
	r := s.n.result()
	r.print(s.out, s.n)
	if s.n.options.JSON {
		if err := r.encode(s.n.options.Object); err != nil {
			return err
		}
	}
	if r.Missing > 0 || !r.sameHead {
		return fmt.Errorf("%w: %d block-peer pairs are missing", ErrIncomplete, r.Missing)
	}
	return nil
}
