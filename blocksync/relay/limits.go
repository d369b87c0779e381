// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// Judgements. The sources are the measurements behind ADR 025; docs/spec/relay.md has those that others depend on.
const (
	// piecesPerRelay is how many pieces a relay gets of one block: it forwards a piece when it has all of it, so that the last
	// piece of a block is late by the time that a relay needs to send one piece to everybody.
	piecesPerRelay = 5
	// pieceMin and pieceMax bound a piece, in bytes. Below, frames cost more than they spare; above, the last one is late.
	pieceMin, pieceMax = 1 << 10, 16 << 10
	// nearRTT is the round trip to half of the members up to which they are near: bandwidth is plenty then, and what a block
	// costs is the processor time of its frames (ADR 031). A piece has pieceNear bytes there, and the source sends up to
	// directBytesNear itself. quietNear is how late a piece may be at least.
	nearRTT                    = 5 * time.Millisecond
	pieceNear, directBytesNear = 32 << 10, 1 << 20
	quietNear                  = 150 * time.Millisecond
	// directBytes is how much the source sends to everybody itself rather than over relays: peers times size. So small a
	// block is through sooner than it could be forwarded, and no relay can hold it up.
	directBytes = 192 << 10

	// introduceAbove is from how many members on the source does not tell each itself: it tells one in about the square root
	// of their number, and these tell the others. maxIntroduced bounds what one is asked to tell.
	introduceAbove, maxIntroduced = 150, 64
	// introduceBig is the same for bodies of bigBody bytes or more, where a hop takes less time than to tell everybody ourselves,
	// at tellTime each: 3.3 KB at 80 Mbit/s. What the source sends of 1 MB to 100 members would else stand in its uplink for
	// more than 100 ms, which is when queue management begins to drop: 183 ms to all rather than 262 over simulated QUIC. It
	// costs where the uplink is fast, which the source does not know: 89 ms rather than 64 at 1 Gbit/s.
	introduceBig, bigBody, tellTime = 64, 512 << 10, time.Second / 3000
	// headStart is how long the pieces of a block wait behind such announcements.
	headStart = 10 * time.Millisecond
	// tiersAbove is from how many members on a relay sends a piece to one member of each row of the view, who passes it on to
	// the others: to send it to everybody would take longer than another hop.
	tiersAbove = 500
	// unknownAfter is how long a piece of an unknown block waits before its sender is asked for the announcement.
	unknownAfter = 20 * time.Millisecond

	// tick is how often overdue pieces are looked for, and collect how long complaints are gathered before they are answered.
	tick, collect = 10 * time.Millisecond, 10 * time.Millisecond
	// quietRTTs and quietPerMB are how late a piece may be behind one that was sent after it: too small, and complaints about
	// what is on its way bring copies that make everything later still.
	quietRTTs, quietMin, quietPerMB = 2, 20 * time.Millisecond, 50 * time.Millisecond
	quietMax                        = time.Second
	// quietHidden is quietRTTs for hidden members: their organization keeps back for a while what it passes on.
	quietHidden = quietRTTs + 1
	// askAgain is how soon a piece is asked for again when nothing comes in, askAgainBusy when something does.
	askAgain, askAgainBusy = 250 * time.Millisecond, 2 * time.Second
	// askTogether keeps what is asked for again in few messages, and askMost bounds it: by then ranges have been asked for.
	askTogether, askMost = 50 * time.Millisecond, 12
	// A part restPart of a block is little: it is asked for before it is overdue, restTimes at most, of one member for each restEach
	// leaves. What is lost on the way is few bytes then, and no answer is long.
	restPart, restTimes, restEach = 16, 4, 16 << 10
	// giveUp is how long nothing may come in before range requests are to take over, four times what is overdue at least.
	giveUp = 500 * time.Millisecond

	// directWanters is how many complaints about a piece are answered by the source itself; more get it by another relay.
	directWanters = 2
	// backlogMax is how much may wait in all queues, or in that of who is to get it, before more is repaired, in bytes.
	backlogMax = 256 << 10
	// servedAgain is how soon a member gets the same piece again, serveMost how often in all.
	servedAgain, serveMost = 125 * time.Millisecond, 4

	// parityMin is from how many bytes on a body may get parity: the last hop of a smaller one is a packet. A part parityShare of its
	// leaves is added. Its pieces have parityPiece leaves, and those of the parity. maxGuards bounds how many roots of parity one body may have.
	parityMin, parityShare, parityPiece, maxGuards = 64 << 10, 10, 2, 2
	// So many blocks in a row must be lossy for parity to be added, and so many calm for it not to be any more.
	lossyBlocks, calmBlocks = 2, 8
	// sightTime is how long reports are waited for.
	sightTime = 2 * time.Second
	// What more than a part lossPart of the members lack of a relay is not lost on the way to them.
	lossPart = 5

	// tailAfter is how soon a relay is told that it was sent everything, and tailTimes how often, as much and half a round trip later.
	tailAfter, tailTimes = 10 * time.Millisecond, 6

	// parkTime and parkBytes bound pieces that come before what they can be judged by; one peer may fill a quarter.
	parkTime, parkBytes = time.Second, 4 << 20
	// heldBytes is how many bytes of unfinished bodies a channel holds, announcerBytes of those of one announcer. The biggest
	// body that can be announced has 100 MiB.
	heldBytes, announcerBytes = 256 << 20, 128 << 20
	// linger is how long a finished body is there for others' complaints, and lingerBytes how much of it.
	linger, lingerBytes = 3 * time.Second, 64 << 20
	// lingerMost is how long complaints keep it there.
	lingerMost = time.Minute
	// queueBytes is how much of older blocks may wait for one peer. What is above is dropped, oldest block first: the peer is
	// slower than the stream of blocks, and asks for ranges.
	queueBytes = 8 << 20
	// repairShare is how many new pieces may pass before a repair that waits.
	repairShare = 3
	// maxControl is how many control frames wait for one peer; a peer that takes none gets no more.
	maxControl = 1024
	// rootsPerOrg is how many roots an organization may have announced of one number.
	rootsPerOrg = 2
	// Window is how far above the height a block may be to be relayed.
	Window = 256
	// behind is how far below the height it may be: whoever got it another way still forwards what others count on.
	behind = 16
	// maxForged is how many forged pieces a peer may send before its pieces are not looked at any more, for forgedTime. Each is
	// a fault, so that it is barred when it goes on.
	maxForged, forgedTime = 8, 10 * time.Second
	// maxTargets is how many members a receiver passes a piece on to because the relay cannot reach them.
	maxTargets = 8

	// behindTime is for how long a member that cannot judge an announcement gets no pieces to forward: it is catching up, and each
	// block would wait until it has said so again. Who completes a block of ours has caught up.
	behindTime = 10 * time.Second

	// Scores: a relay's weight is its share of pieces. Below dropWeight it gets none but probes.
	dropWeight, raise, maxFails = 0.3, 0.05, 6
	// reportQuiets is how long the source waits for reports before it judges its relays, in times that a piece may be late.
	reportQuiets = 3

	// guestShare is the part of a visible member's pieces that a guest relays: a visible member sends each of its own to one member of
	// every organization, hidden ones as well, and a guest to the visible ones, who have to pass it on.
	guestShare = 0.2
	// swapLeast is among how many organizations hidden members serve each other's visible ones.
	swapLeast = 8
	// guestsAbove is from how many members on, where some are guests, pieces go along rows though everybody visible is connected: to send each to
	// every organization would take longer, and guests may be connected to some visible members only.
	guestsAbove = 150
	// forlornPart is of what part of a block a hidden member of ours complains when we send it our blocks ourselves, for forlornTime.
	forlornPart, forlornTime = 4, 10 * time.Minute

	// lendersAtOnce is how many members are asked at one time for what is missing, where no announcer and no partner answers.
	lendersAtOnce = 4

	// takersPart is of what part of the members more have to relay nothing for these to be served last.
	takersPart = 8

	// declineEach is how many bytes of a block there have to be for each member for a leader that stands by to ask them not to send it; it
	// watches one in watchPart of watchRuns parts of the block, and the last.
	declineEach, watchRuns, watchPart = 1 << 10, 32, 8

	// stagger is what each rank waits at least before it announces a block as well.
	stagger = 60 * time.Millisecond
	// remembered is how many blocks' first announcers decide the rank.
	remembered = 16
)
