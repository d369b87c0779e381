// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/fair"
)

// What tests see of the inside.
const (
	MaxCandidates  = maxCandidates
	MaxBuffered    = maxBuffered
	MaxParked      = maxParked
	ParkedEach     = parkedEach
	FetchBlocks    = fetchBlocks
	FetchParallel  = fetchParallel
	FetchPerPeer   = fetchPerPeer
	FetchUrgent    = fetchUrgent
	MaxHolders     = maxHolders
	SourceGrace    = sourceGrace
	HedgeMin       = hedgeMin
	HedgeMax       = hedgeMax
	PenaltyMin     = penaltyMin
	PenaltyMax     = penaltyMax
	LieFailures    = lieFailures
	GiveUp         = giveUp
	StallDecay     = stallDecay
	UploadBytes    = uploadBytes
	UploadLeast    = uploadLeast
	UploadTurn     = uploadTurn
	UploadWait     = uploadWait
	UploadEach     = uploadEach
	UploadOrg      = uploadOrg
	UploadOrgBytes = uploadOrgBytes
	BlockSlack     = blockSlack
	MinRate        = minRate
	PendingWait    = pendingWait
	BatchBlocks    = batchBlocks
)

// Underway are the fetches that a planner has started and that are not done.
func (p *Planner) Underway() (fetches []Fetch) {
	for _, f := range p.flights {
		fetches = append(fetches, f.Fetch)
	}
	return fetches
}

// Charge says whom peers count as.
func (p *Planner) Charge(owner func(peer.ID) fair.Owner) { p.owner = owner }

// Holders is how many peers' claims are remembered.
func (p *Planner) Holders() int { return len(p.holders) }

// Bytes is what the candidates in a buffer add up to, and those of one source.
func (b *Buffer) Bytes(of peer.ID) (all, share int) {
	if all = b.own + b.peers.All(); of == "" {
		return all, b.own
	}
	return all, b.peers.Of(Candidate{From: of}.owner())
}

// CheckChunk and DecodeBlock are what a client checks of an answer.
func CheckChunk(c *pb.Chunk, number, size, have uint64) error {
	return checkChunk(c, number, size, have)
}

var (
	DecodeBlock = decodeBlock
	DecodeChunk = decodeChunk
	DecodeHead  = decodeHead
)

// NewCandidate is what becomes of an offered block.
var NewCandidate = candidate

// ValidRequest says whether a server looks for the channel at all.
func ValidRequest(q *pb.Request) bool {
	var asked bool
	s := Server{Channel: func(string, peer.ID) *Sync { asked = true; return nil }}
	s.find(q, "reader")
	return asked
}

// Workers sets how many goroutines examine blocks ahead of their turn. Before Run.
func (s *Sync) Workers(n int) { s.workers = n }

// Examined is how many of the buffered candidates have been examined ahead of their turn.
func (s *Sync) Examined() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.buffer.slots {
		for _, c := range slot {
			if c.ahead != nil {
				n++
			}
		}
	}
	return n
}
