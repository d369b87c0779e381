// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// result is what came out. Its fields are those of the JSON object.
type result struct {
	Peers   int     `json:"peers"`
	Blocks  int     `json:"blocks"`
	Missing int     `json:"missing"` // block-peer pairs not delivered
	P50     float64 `json:"p50_ms"`  // the ordering service signed it -> committed at a peer, over all pairs that were up
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	// Copies is the bytes that all peers received on weft's streams and the topics, by (peers - 1) x bytes of the blocks.
	Copies        float64 `json:"copies"`
	StreamsMax    int     `json:"orderer_streams_max"` // Deliver streams open at once
	CatchupBlocks int     `json:"catchup_blocks"`      // of the late joiner
	CatchupMS     float64 `json:"catchup_ms"`          // from its start to the head
	LeaderChanges int     `json:"leader_changes"`      // in all organizations, after the first election
	FailoverMS    float64 `json:"failover_ms"`         // leader killed -> its successor's Deliver stream open
	Repaired      int     `json:"repaired_blocks"`     // missed by peers that were cut off or killed, and brought in afterwards

	pairs    int
	bytes    int64
	refused  map[common.Status]int
	head     []byte
	sameHead bool
}

func (n *network) result() result {
	v := n.measures.view()
	_, streams := n.orderer.Streams()
	r := result{
		Peers: len(n.all()), Blocks: int(n.orderer.Height() - 1), pairs: len(v.all),
		P50: millis(percentile(v.all, 0.5)), P99: millis(percentile(v.all, 0.99)), Max: millis(percentile(v.all, 1)),
		StreamsMax: streams, refused: n.client.refused, sameHead: true,
	}
	r.bytes, r.CatchupBlocks, r.CatchupMS = v.bytes, int(v.events.caught), millis(v.events.catchup)
	r.LeaderChanges, r.FailoverMS, r.Repaired = v.events.changes, millis(v.events.failover), v.events.repaired
	var received int64
	for _, p := range n.all() {
		received += p.traffic.received.Load()
		status := p.status()
		r.Missing += int(n.orderer.Height() - min(status.Height, n.orderer.Height()))
		if r.head == nil {
			r.head = status.Head
		}
		r.sameHead = r.sameHead && bytes.Equal(status.Head, r.head)
	}
	if whole := float64(r.Peers-1) * float64(r.bytes); whole > 0 {
		r.Copies = float64(received) / whole
	}
	return r
}

func millis(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

func (r result) encode(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// print prints the summary.
func (r result) print(w io.Writer, n *network) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-20s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(w)
	line("blocks", "%d, %s, to %d peers (one joined late)", r.Blocks, size(r.bytes), r.Peers)
	line("order to committed", "p50 %.1f ms, p99 %.1f ms, max %.1f ms, over %d deliveries", r.P50, r.P99, r.Max, r.pairs)
	line("copies", "%.2f times the bytes that have to be received", r.Copies)
	line("ordering service", "%d Deliver streams open at most, for %d peers", r.StreamsMax, r.Peers)
	line("late joiner", "%d blocks in %.0f ms from its start", r.CatchupBlocks, r.CatchupMS)
	line("failover", "%.0f ms from the death of a leader to its successor's stream; %d changes of leaders in all", r.FailoverMS, r.LeaderChanges)
	line("repaired", "%d blocks that peers had missed while they were cut off or dead", r.Repaired)
	for _, status := range slices.Sorted(maps.Keys(r.refused)) {
		line("refused", "%d transactions answered %s: the newest configuration does not admit their creators", r.refused[status], status)
	}
	if r.Missing == 0 && r.sameHead {
		line("head", "block %d, %x, the same at every peer", r.Blocks, r.head)
		return
	}
	line("MISSING", "%d block-peer pairs; the same head everywhere: %t", r.Missing, r.sameHead)
	for _, p := range n.all() {
		s := p.status()
		line("  "+p.name, "height %d of %d, sees %d peers, highest claimed height %d", s.Height, n.orderer.Height(), s.Members, s.Highest)
	}
}
