// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

const scope = "/weft/1/channel"

// copyOf is our copy of a chain up to a height, with a tip above it.
type copyOf struct {
	at     topics.Position
	hashes map[uint64][]byte
	caught *msp.Identity
}

func (c copyOf) Position() topics.Position   { return c.at }
func (c copyOf) HashAt(number uint64) []byte { return c.hashes[number] }

func (c copyOf) Distrusts(id *msp.Identity) bool {
	return c.caught != nil && id.Key() == c.caught.Key()
}

// world is what the verdict table is tested in: our height is 6, block 1 is a configuration block, blocks 6 and 7 are on
// the tip only where a case says so.
type world struct {
	*blocktest.Chain
	t      *testing.T
	ours   copyOf
	member *blocktest.Member
}

const height = 6

func newWorld(t *testing.T) *world {
	w := &world{Chain: blocktest.New(t), t: t}
	w.Configure(t, devnet.SetBatchSize(w.InForce().BatchSize()))
	w.Grow(t, 9, 100)
	w.ours = copyOf{hashes: map[uint64][]byte{}}
	for _, b := range w.Blocks[:height] {
		w.ours.hashes[b.Header.Number] = block.HeaderHash(b.Header)
	}
	w.ours.at = topics.Position{Height: height, Head: w.ours.hashes[height-1], Bundle: w.InForce()}
	w.member = w.Member(t, w.Org1, "announcer", devnet.Peer)
	return w
}

// tip puts true blocks on the tip, from our height up to a number.
func (w *world) tip(to uint64) {
	for _, b := range w.Blocks[height : to+1] {
		w.ours.hashes[b.Header.Number] = block.HeaderHash(b.Header)
	}
}

// fork is a signed block with our history and another content.
func (w *world) fork(number uint64) *common.Block {
	b := w.Next(w.t, 100)
	return w.Block(w.t, w.Blocks[number-1], b.Data.Data...)
}

// at is the true block with that number.
func (w *world) at(number uint64) *common.Block { return proto.CloneOf(w.Blocks[number]) }

func (w *world) seal(m *blocktest.Member, b *common.Block) []byte {
	a, err := topics.Announce(b)
	require.NoError(w.t, err)
	content, err := a.Marshal()
	require.NoError(w.t, err)
	return m.Seal(w.t, topics.Purpose, scope, content)
}

func (w *world) judge(raw []byte) topics.Judgement { return w.judgeAt(raw, time.Now()) }

func (w *world) judgeAt(raw []byte, now time.Time) topics.Judgement {
	return topics.Judge(func() (*msp.Sealed, error) { return msp.NewRecords(8).Unseal(topics.Purpose, scope, raw, now) }, w.ours)
}

// judgement is what a row of the verdict table says.
type judgement struct {
	verdict topics.Verdict
	reason  topics.Reason
	then    string // "hint", "keep", both or none
}

func told(j topics.Judgement) judgement {
	then := ""
	if j.Keep {
		then += "keep"
	}
	if j.Hint {
		then += "hint"
	}
	return judgement{j.Verdict, j.Reason, then}
}

func TestVerdictTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct {
		name string
		make func(w *world) []byte
		want judgement
	}{
		{"no control message", func(w *world) []byte { return []byte("hello") },
			judgement{topics.Reject, topics.BadAnnouncer, ""}},
		{"nothing", func(w *world) []byte { return nil },
			judgement{topics.Reject, topics.BadAnnouncer, ""}},
		{"a byte changed", func(w *world) []byte {
			raw := w.seal(w.member, w.at(6))
			raw[len(raw)/2] ^= 1
			return raw
		}, judgement{topics.Reject, topics.BadAnnouncer, ""}},
		{"replayed from another channel", func(w *world) []byte {
			return w.member.Seal(w.t, topics.Purpose, scope+"2", content(w.t, w.at(6)))
		}, judgement{topics.Reject, topics.BadAnnouncer, ""}},
		{"replayed from another purpose", func(w *world) []byte {
			return w.member.Seal(w.t, "heartbeat", scope, content(w.t, w.at(6)))
		}, judgement{topics.Reject, topics.BadAnnouncer, ""}},
		{"content is no announcement", func(w *world) []byte { return w.member.Seal(w.t, topics.Purpose, scope, []byte{0xff}) },
			judgement{topics.Reject, topics.Malformed, ""}},
		{"last config beyond the block", func(w *world) []byte {
			a, err := topics.Announce(w.at(6))
			require.NoError(w.t, err)
			md := &common.Metadata{Value: marshal(w.t, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 7}})}
			a.Signatures = marshal(w.t, md)
			raw, err := a.Marshal()
			require.NoError(w.t, err)
			return w.member.Seal(w.t, topics.Purpose, scope, raw)
		}, judgement{topics.Reject, topics.Malformed, ""}},
		{"announcer was caught", func(w *world) []byte {
			w.ours.caught = w.member.Signer.Identity
			return w.seal(w.member, w.at(6))
		}, judgement{topics.Ignore, topics.Distrusted, ""}},
		{"committed already", func(w *world) []byte { return w.seal(w.member, w.at(5)) },
			judgement{topics.Ignore, topics.Known, ""}},
		{"on the tip already", func(w *world) []byte { w.tip(6); return w.seal(w.member, w.at(6)) },
			judgement{topics.Ignore, topics.Known, "keephint"}},
		{"organization unknown to us", func(w *world) []byte {
			return w.seal(w.Member(w.t, orderertest.Org(w.t, "Org9"), "peer9", devnet.Peer), w.at(6))
		}, judgement{topics.Ignore, topics.UnknownMember, "keephint"}},
		{"organization unknown, far ahead", func(w *world) []byte {
			b := w.at(6)
			b.Header.Number = height + topics.Window
			return w.seal(w.Member(w.t, orderertest.Org(w.t, "Org9"), "peer9", devnet.Peer), b)
		}, judgement{topics.Ignore, topics.UnknownMember, "hint"}},
		{"CA unknown to us", func(w *world) []byte {
			require.NoError(w.t, w.Org1.RotateCA(time.Now()))
			return w.seal(w.Member(w.t, w.Org1, "peer9", devnet.Peer), w.at(6))
		}, judgement{topics.Ignore, topics.UnknownMember, "keephint"}},
		{"announcer is a client", func(w *world) []byte {
			return w.seal(w.Member(w.t, w.Org1, "user9", devnet.Client), w.at(6))
		}, judgement{topics.Ignore, topics.RefusedMember, ""}},
		{"orderers signed two blocks, one committed", func(w *world) []byte { return w.seal(w.member, w.fork(5)) },
			judgement{topics.Ignore, topics.Evidence, ""}},
		{"orderers signed two blocks, one on the tip", func(w *world) []byte {
			b := w.fork(7)
			w.tip(7)
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.Evidence, ""}},
		{"another block than a committed one, not signed", func(w *world) []byte {
			b := w.fork(5)
			blocktest.SignAs(w.t, b, 1, w.member.Signer)
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.Fork, ""}},
		{"another block than a committed one, not linked", func(w *world) []byte {
			return w.seal(w.member, w.Block(w.t, w.fork(4), w.at(5).Data.Data...))
		}, judgement{topics.Ignore, topics.Fork, ""}},
		{"another block than a committed one, of another configuration", func(w *world) []byte {
			b := w.fork(5)
			w.Sign(w.t, b, 0)
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.Fork, ""}},
		{"ledger cannot be read", func(w *world) []byte { delete(w.ours.hashes, 5); return w.seal(w.member, w.at(5)) },
			judgement{topics.Ignore, topics.CannotDecide, ""}},
		{"beyond the window", func(w *world) []byte {
			b := w.at(6)
			b.Header.Number = height + topics.Window
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.TooFarAhead, "hint"}},
		{"at the end of numbers", func(w *world) []byte {
			b := w.at(6)
			b.Header.Number = 1<<64 - 1
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.TooFarAhead, "hint"}},
		{"last of the window", func(w *world) []byte {
			b := w.at(6)
			b.Header.Number = height + topics.Window - 1
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.Unlinked, "keephint"}},
		{"next block on another chain", func(w *world) []byte { return w.seal(w.member, w.Block(w.t, w.fork(5), w.at(6).Data.Data...)) },
			judgement{topics.Ignore, topics.OtherChain, ""}},
		{"does not link to the tip", func(w *world) []byte { w.tip(6); return w.seal(w.member, w.at(8)) },
			judgement{topics.Ignore, topics.Unlinked, "keephint"}},
		{"no tip to link to", func(w *world) []byte { return w.seal(w.member, w.at(7)) },
			judgement{topics.Ignore, topics.Unlinked, "keephint"}},
		{"of a newer configuration", func(w *world) []byte {
			w.tip(6)
			b := w.at(7)
			w.Sign(w.t, b, 6)
			return w.seal(w.member, b)
		}, judgement{topics.Ignore, topics.NewerConfig, "keephint"}},
		{"next block, not signed by orderers", func(w *world) []byte {
			b := w.at(6)
			blocktest.SignAs(w.t, b, 1, w.member.Signer)
			return w.seal(w.member, b)
		}, judgement{topics.Reject, topics.BadSignatures, ""}},
		{"next block, other content under the same signatures", func(w *world) []byte {
			b := w.fork(6)
			b.Metadata = w.at(6).Metadata
			return w.seal(w.member, b)
		}, judgement{topics.Reject, topics.BadSignatures, ""}},
		{"next block without signatures", func(w *world) []byte {
			b := w.at(6)
			blocktest.SignAs(w.t, b, 1)
			return w.seal(w.member, b)
		}, judgement{topics.Reject, topics.BadSignatures, ""}},
		{"linked to the tip, not signed by orderers", func(w *world) []byte {
			w.tip(6)
			b := w.at(7)
			blocktest.SignAs(w.t, b, 1, w.member.Signer)
			return w.seal(w.member, b)
		}, judgement{topics.Reject, topics.BadSignatures, ""}},
		{"next block", func(w *world) []byte { return w.seal(w.member, w.at(6)) },
			judgement{topics.Accept, topics.Valid, "keephint"}},
		{"next block, whatever configuration it names", func(w *world) []byte {
			b := w.at(6)
			w.Sign(w.t, b, 6)
			return w.seal(w.member, b)
		}, judgement{topics.Accept, topics.Valid, "keephint"}},
		{"linked to the tip", func(w *world) []byte { w.tip(7); return w.seal(w.member, w.at(8)) },
			judgement{topics.Accept, topics.Valid, "keephint"}},
		{"big body", func(w *world) []byte {
			return w.seal(w.member, w.Block(w.t, w.Blocks[5], w.Next(w.t, topics.MaxInline).Data.Data...))
		}, judgement{topics.Accept, topics.Valid, "keephint"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			j := w.judge(c.make(w))
			require.Equal(t, c.want, told(j), "%v", j.Err)
			seen[string(c.want.reason)] = true
			if j.Verdict == topics.Accept {
				require.Equal(t, w.member.Record.PeerID(), j.Announcer.PeerID())
				require.NoError(t, j.Err)
			}
		})
	}
	rows := spectest.Table(t, "announcement.md", "Verdicts")
	for _, row := range rows {
		require.True(t, seen[row[0]], "no case for row %s of the spec", row[0])
	}
	for reason := range seen {
		require.True(t, slices.ContainsFunc(rows, func(row []string) bool { return row[0] == reason }), "no row of the spec for %s", reason)
	}
}

func content(t *testing.T, b *common.Block) []byte {
	a, err := topics.Announce(b)
	require.NoError(t, err)
	raw, err := a.Marshal()
	require.NoError(t, err)
	return raw
}

// TestRecordOutOfTimeIsNoFault: whoever passes on a record that has run out may have another clock.
func TestRecordOutOfTimeIsNoFault(t *testing.T) {
	w := newWorld(t)
	raw := w.seal(w.member, w.at(6))
	j := w.judgeAt(raw, time.Now().Add(48*time.Hour))
	require.Equal(t, judgement{topics.Ignore, topics.BadAnnouncer, ""}, told(j))
	require.ErrorContains(t, j.Err, "expired")
}

func TestUnsealed(t *testing.T) {
	for err, want := range map[error]topics.Verdict{
		msp.ErrControl: topics.Reject, msp.ErrRecord: topics.Reject, msp.ErrSignature: topics.Reject,
		msp.ErrExpired: topics.Ignore, errors.New("other"): topics.Ignore,
	} {
		require.Equal(t, want, topics.Unsealed(err), "%v", err)
	}
}

// TestBodyInsideIsTheBlock: what comes with an accepted announcement passes the verifier.
func TestBodyInsideIsTheBlock(t *testing.T) {
	w := newWorld(t)
	j := w.judge(w.seal(w.member, w.at(6)))
	require.Equal(t, topics.Accept, j.Verdict)
	b := j.Announcement.Block()
	require.True(t, proto.Equal(w.at(6), b))
	require.NoError(t, channelconfig.NewVerifier(w.InForce(), w.Blocks[5].Header).Verify(b))
	require.True(t, bytes.Equal(block.HeaderHash(b.Header), block.HeaderHash(w.Blocks[6].Header)))
}

func BenchmarkJudge(b *testing.B) {
	var w *world
	var raw []byte
	require.True(b, testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "world", F: func(t *testing.T) {
		w = newWorld(t)
		raw = w.seal(w.member, w.at(6))
	}}}))
	records := msp.NewRecords(8)
	for b.Loop() {
		j := topics.Judge(func() (*msp.Sealed, error) { return records.Unseal(topics.Purpose, scope, raw, time.Now()) }, w.ours)
		require.Equal(b, topics.Accept, j.Verdict)
	}
}
