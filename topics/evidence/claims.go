// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
)

// Bounds of what waits to be compared with the chain. What is above is not taken: evidence is lost then, never a block.
const (
	// Window is how far a number may be ahead of the chain, and behind it for announced roots.
	Window = 256
	// maxClaims is how many claims one number may have, of peers; orgClaims of one organization, sourceClaims of one source.
	maxClaims, orgClaims, sourceClaims = 64, 8, 2
	// maxClaimed bounds the bytes of all claims, sourceClaimed those of one source: a run of 256 announcements of 2 KiB.
	maxClaimed, sourceClaimed = 8 << 20, 512 << 10
)

// claim is what somebody has said of a block: a header with signatures, and the body that an announcement describes.
type claim struct {
	Attestation
	org, source string // whose share it counts against: MSP ID, and key of an identity, or peer; both empty: our own source
	// message is the sealed announcement with its whole record, if the body did not travel inside.
	message []byte
	root    [32]byte
	size    int
}

func (c claim) number() uint64 { return c.Header.GetNumber() }

func (c claim) bytes() int { return len(c.message) + len(c.Signatures) + 256 }

// claims wait until their number is committed. Pure; one goroutine or lock at a time.
type claims struct {
	by    map[uint64][]claim
	bytes int
	share map[string]int
}

func newClaims() *claims { return &claims{by: map[uint64][]claim{}, share: map[string]int{}} }

// add takes a claim and says whether it is new and there was room.
func (c *claims) add(a claim) bool {
	slot := c.by[a.number()]
	if slices.ContainsFunc(slot, a.repeats) || c.bytes+a.bytes() > maxClaimed || c.share[a.source]+a.bytes() > sourceClaimed || !fits(slot, a) {
		return false
	}
	c.by[a.number()] = append(slot, a)
	c.count(a, a.bytes())
	return true
}

// repeats says whether the same source has said the same.
func (c claim) repeats(other claim) bool {
	return other.source == c.source && other.org == c.org && other.root == c.root && other.size == c.size &&
		bytes.Equal(block.HeaderHash(other.Header), block.HeaderHash(c.Header))
}

// fulfil lets go of the messages of claims that say of the body of a header what it is. That this header is signed, they still
// say.
func (c *claims) fulfil(h *common.BlockHeader, d description) {
	hash, slot := block.HeaderHash(h), c.by[h.GetNumber()]
	for i, a := range slot {
		if a.root == d.root && a.size == d.size && bytes.Equal(hash, block.HeaderHash(a.Header)) {
			c.count(a, -len(a.message))
			slot[i].message = nil
		}
	}
}

// fits says whether a claim keeps to the shares of one number. Peers cannot take our own source's.
func fits(slot []claim, a claim) bool {
	all, org, source := 0, 0, 0
	for _, other := range slot {
		if other.source != "" {
			all++
		}
		if other.org == a.org && other.source != "" {
			org++
		}
		if other.source == a.source {
			source++
		}
	}
	return source < sourceClaims && (a.source == "" || org < orgClaims && all < maxClaims)
}

func (c *claims) count(a claim, n int) {
	c.bytes += n
	if c.share[a.source] += n; c.share[a.source] == 0 {
		delete(c.share, a.source)
	}
}

// take removes and returns the claims for the lowest number below height; none if there is no such number.
func (c *claims) take(height uint64) []claim {
	lowest := height
	for number := range c.by {
		lowest = min(lowest, number)
	}
	if lowest == height {
		return nil
	}
	due := c.by[lowest]
	delete(c.by, lowest)
	for _, a := range due {
		c.count(a, -a.bytes())
	}
	return slices.Clip(due)
}
