// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"bytes"
	"errors"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Window is how many blocks ahead of our height an announcement may be to be judged at all; beyond it we are so far behind
// that only a range request helps.
const Window = 256

// Verdict is what becomes of a message: passed on, dropped, or dropped and held against who sent it.
type Verdict int

// The verdicts. Reject is only for what an honest peer cannot have passed on, whatever its configuration.
const (
	Ignore Verdict = iota
	Accept
	Reject
)

// Reason is the row of the verdict table that decided; it is a label of a metric.
type Reason string

// The rows of the verdict table, in the order in which they are tried.
const (
	BadAnnouncer  Reason = "bad_announcer"  // Reject: the announcer's MSP or host key did not sign it; Ignore: its record is out of time
	Malformed     Reason = "malformed"      // Reject: undecodable, oversize, outside a limit, last_config beyond the block
	Distrusted    Reason = "distrusted"     // Ignore: the announcer was caught announcing what is not so
	Known         Reason = "known"          // Ignore: we have the header; keep and hint, if not the body
	UnknownMember Reason = "unknown_member" // Ignore, keep, hint: the announcer's organization or CA may have come with a newer configuration
	RefusedMember Reason = "refused_member" // Ignore: the announcer may not act as a peer of this channel
	Fork          Reason = "fork"           // Ignore, compare heads: another header than ours, that does not link or is not signed
	Evidence      Reason = "evidence"       // Ignore: another header than ours, that links and is signed: an orderer's fault
	CannotDecide  Reason = "cannot_decide"  // Ignore: the ledger cannot be read
	TooFarAhead   Reason = "too_far_ahead"  // Ignore, hint
	OtherChain    Reason = "other_chain"    // Ignore, compare heads: the next block, but on another previous hash
	Unlinked      Reason = "unlinked"       // Ignore, keep, hint: does not link to our header tip
	NewerConfig   Reason = "newer_config"   // Ignore, keep, hint: signed under a configuration that we do not have
	BadSignatures Reason = "bad_signatures" // Reject: links under a configuration we have, and the orderers' signatures do not suffice
	Valid         Reason = "valid"          // Accept, keep, hint
)

// Judgement is a verdict and what to do about it.
type Judgement struct {
	Verdict Verdict
	Reason  Reason
	// Hint: the announcer may be ahead of us; ask it.
	Hint bool
	// Keep: the body that travels inside, if any, may be the right one, and is judged again at its turn.
	Keep bool
	// Announcement is set once it was decoded, Announcer once its signature was verified.
	Announcement *Announcement
	Announcer    *msp.Record
	// Err says what is wrong, for the debug log.
	Err error
}

// Position is where our copy of the chain stands, at one moment.
type Position struct {
	Height uint64                // number of the next block
	Head   []byte                // header hash of block Height-1
	Bundle *channelconfig.Bundle // configuration in force for block Height
}

// Chain is what Judge asks of our copy of the chain. All methods are safe for concurrent use and never wait for the ledger's
// writer.
type Chain interface {
	Position() Position
	// HashAt is the header hash of a committed block or of one on the header tip, nil if there is none.
	HashAt(number uint64) []byte
	// Distrusts says whether there is evidence against an announcer, so that its announcements count for nothing.
	Distrusts(announcer *msp.Identity) bool
}

// Judge gives the verdict on one announcement: unseal opens the control message (msp.Records.Unseal with this topic's
// purpose and scope). It verifies cheap things first. It is a pure function of its arguments.
func Judge(unseal func() (*msp.Sealed, error), chain Chain) Judgement {
	sealed, err := unseal()
	if err != nil {
		return Judgement{Verdict: Unsealed(err), Reason: BadAnnouncer, Err: err}
	}
	a, err := DecodeAnnouncement(sealed.Content)
	if err != nil {
		return Judgement{Verdict: Reject, Reason: Malformed, Announcer: sealed.Record, Err: err}
	}
	j := Judgement{Announcement: a, Announcer: sealed.Record}
	j.decide(chain)
	return j
}

// Unsealed is the verdict on a control message that could not be unsealed. Whoever passed on bytes that nobody signed is at
// fault; whoever passed on a record that has run out may only have another clock.
func Unsealed(err error) Verdict {
	if errors.Is(err, msp.ErrControl) || errors.Is(err, msp.ErrRecord) || errors.Is(err, msp.ErrSignature) {
		return Reject
	}
	return Ignore
}

func (j *Judgement) decide(chain Chain) {
	if chain.Distrusts(j.Announcer.Identity()) {
		j.Reason = Distrusted
		return
	}
	h, at := j.Announcement.Header, chain.Position()
	ours := chain.HashAt(h.Number)
	inside := h.Number >= at.Height && h.Number-at.Height < Window
	if bytes.Equal(ours, block.HeaderHash(h)) {
		j.Reason, j.Hint, j.Keep = Known, inside, inside
		return
	}
	if err := at.Bundle.Member(j.Announcer.Identity()); err != nil {
		j.Err, j.Reason = err, RefusedMember
		if errors.Is(err, channelconfig.ErrUnknownOrg) {
			j.Reason, j.Hint, j.Keep = UnknownMember, h.Number >= at.Height, inside
		}
		return
	}
	switch {
	case ours != nil:
		j.fork(chain, h, at.Bundle)
	case h.Number < at.Height:
		j.Reason = CannotDecide
	case !inside:
		j.Reason, j.Hint = TooFarAhead, true
	case h.Number == at.Height && !bytes.Equal(h.PreviousHash, at.Head):
		j.Reason = OtherChain
	case h.Number > at.Height && !bytes.Equal(h.PreviousHash, chain.HashAt(h.Number-1)):
		j.Reason, j.Hint, j.Keep = Unlinked, true, true
	case h.Number > at.Height && j.Announcement.LastConfig != at.Bundle.Number():
		j.Reason, j.Hint, j.Keep = NewerConfig, true, true
	default:
		j.verify(h, at.Bundle)
	}
}

// fork decides about another header than ours. If it links to our chain and the orderers have signed it as well, under the
// configuration that both were made under, they have signed two blocks with one number.
func (j *Judgement) fork(chain Chain, h *common.BlockHeader, bundle *channelconfig.Bundle) {
	j.Reason = Fork
	// A configuration block names itself, and is signed under the configuration before it. Below ours, another one was in force.
	named := j.Announcement.LastConfig
	if h.Number <= bundle.Number() || named != bundle.Number() && named != h.Number || !bytes.Equal(h.PreviousHash, chain.HashAt(h.Number-1)) {
		return
	}
	if j.Err = bundle.VerifySignatures(h, j.Announcement.Signatures); j.Err == nil {
		j.Reason = Evidence
	}
}

// verify decides by the orderers' signatures, for a header that links under the configuration in force.
func (j *Judgement) verify(h *common.BlockHeader, bundle *channelconfig.Bundle) {
	if j.Err = bundle.VerifySignatures(h, j.Announcement.Signatures); j.Err != nil {
		j.Verdict, j.Reason = Reject, BadSignatures
		return
	}
	j.Verdict, j.Reason, j.Hint, j.Keep = Accept, Valid, true, true
}
