// SPDX-License-Identifier: Apache-2.0

package evidence_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
	"github.com/weft-p2p/weft/topics/evidence/pb"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

func TestForkNamesWhoSignedBoth(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	p, err := evidence.ProveFork(w.place(0), attest(w.Blocks[3]), attest(w.fork(3)))
	require.NoError(t, err)
	again, err := evidence.Decode(p.Bytes())
	require.NoError(t, err)
	f, err := again.Verify(w.InForce(), nil)
	require.NoError(t, err)
	require.Equal(t, evidence.Fork, f.Kind)
	require.EqualValues(t, 3, f.Number)
	require.Equal(t, []string{w.Identity.String()}, f.Names())
	require.Equal(t, w.Identity.Key(), f.Culprits[0].Key())
	require.Contains(t, f.Hashes, block.HeaderHash(w.Blocks[3].Header))
}

// TestForkByTwoOrderers: when nobody has signed both headers nobody is named as the culprit, but who signed which is.
func TestForkByTwoOrderers(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	other := orderertest.Signer(t, orderertest.Enroll(t, w.Ordering, "orderer1", devnet.Orderer))
	rival := w.fork(3)
	blocktest.SignAs(t, rival, 0, other)
	f := mustProve(t, w, attest(w.Blocks[3]), attest(rival))
	require.Empty(t, f.Culprits)
	require.Len(t, f.Signers[0], 1)
	require.Len(t, f.Signers[1], 1)
	require.NotEqual(t, f.Signers[0][0].Key(), f.Signers[1][0].Key())
}

// TestForkBlamesOrderersAlone: a signature that somebody else puts beside the orderers' makes no culprit of him.
func TestForkBlamesOrderersAlone(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	a, b := proto.CloneOf(w.Blocks[3]), w.fork(3)
	blocktest.SignAs(t, a, 0, w.Identity, w.member.Signer)
	blocktest.SignAs(t, b, 0, w.Identity, w.member.Signer)
	require.Equal(t, []string{w.Identity.String()}, mustProve(t, w, attest(a), attest(b)).Names())
}

func mustProve(t *testing.T, w *world, a, b evidence.Attestation) *evidence.Finding {
	t.Helper()
	p, err := evidence.ProveFork(w.place(0), a, b)
	require.NoError(t, err)
	f, err := p.Verify(w.InForce(), nil)
	require.NoError(t, err)
	return f
}

func TestWhatIsNoFork(t *testing.T) {
	w := newWorld(t, 5, 5, 100)
	unsigned := w.fork(3)
	blocktest.SignAs(t, unsigned, 0, w.member.Signer)
	tampered := w.fork(3)
	tampered.Header.DataHash[0] ^= 1
	elsewhere := w.Block(t, w.fork(2), w.Blocks[3].Data.Data...)
	for name, pair := range map[string][2]*common.Block{
		"one block twice":         {w.Blocks[3], w.Blocks[3]},
		"two numbers":             {w.Blocks[3], w.Blocks[4]},
		"two previous hashes":     {w.Blocks[3], elsewhere},
		"signed by no orderer":    {w.Blocks[3], unsigned},
		"header altered":          {w.Blocks[3], tampered},
		"orderer signed it twice": {w.Blocks[3], signedAgain(t, w, w.Blocks[3])},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := evidence.ProveFork(w.place(0), attest(pair[0]), attest(pair[1]))
			require.NoError(t, err)
			_, err = p.Verify(w.InForce(), nil)
			require.ErrorIs(t, err, evidence.ErrNotProven)
		})
	}
}

func signedAgain(t *testing.T, w *world, b *common.Block) *common.Block {
	b = proto.CloneOf(b)
	w.Sign(t, b, 0)
	return b
}

func TestProofsAreJudgedUnderTheirConfiguration(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	p, err := evidence.ProveFork(w.place(0), attest(w.Blocks[3]), attest(w.fork(3)))
	require.NoError(t, err)
	w.Configure(t, devnet.SetBatchSize(w.InForce().BatchSize()))
	_, err = p.Verify(w.InForce(), nil)
	require.ErrorIs(t, err, evidence.ErrOtherConfig)
	_, err = p.Verify(blocktest.New(t).InForce(), nil)
	require.ErrorIs(t, err, evidence.ErrNotProven, "another network of the same name")
	later, err := evidence.ProveFork(w.place(4), attest(w.Blocks[3]), attest(w.fork(3)))
	require.NoError(t, err)
	_, err = later.Verify(w.InForce(), nil)
	require.ErrorIs(t, err, evidence.ErrNotProven, "a configuration that came later")
}

func TestFalseAnnouncementNamesTheAnnouncer(t *testing.T) {
	w := newWorld(t, 4, 4, 20_000)
	for name, alter := range map[string]func(*topics.Announcement){
		"root": falseRoot,
		"size": func(a *topics.Announcement) { a.BodySize++ },
	} {
		t.Run(name, func(t *testing.T) {
			p, err := evidence.ProveFalse(w.place(0), w.announce(w.member, w.Blocks[3], alter), body(t, w.Blocks[3]))
			require.NoError(t, err)
			f, err := p.Verify(w.InForce(), nil)
			require.NoError(t, err)
			require.Equal(t, evidence.FalseAnnouncement, f.Kind)
			require.EqualValues(t, 3, f.Number)
			require.Equal(t, []string{w.member.Signer.String()}, f.Names())
		})
	}
}

// TestAnnouncementThatContradictsItself needs no body: the one inside is not the announced one.
func TestAnnouncementThatContradictsItself(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	message := w.announce(w.member, w.Blocks[3], falseRoot)
	p, err := evidence.ProveFalse(w.place(0), message, nil)
	require.NoError(t, err)
	f, err := p.Verify(w.InForce(), nil)
	require.NoError(t, err)
	require.Equal(t, []string{w.member.Signer.String()}, f.Names())
}

// TestBigBodiesAreGiven: a body that is too big for a proof comes from the block.
func TestBigBodiesAreGiven(t *testing.T) {
	w := newWorld(t, 3, 3, evidence.MaxBody+1)
	p, err := evidence.ProveFalse(w.place(0), w.announce(w.member, w.Blocks[2], falseRoot), body(t, w.Blocks[2]))
	require.NoError(t, err)
	require.Less(t, len(p.Bytes()), 100_000)
	_, err = p.Verify(w.InForce(), nil)
	require.ErrorIs(t, err, evidence.ErrNoBody)
	_, err = p.Verify(w.InForce(), body(t, w.Blocks[1]))
	require.ErrorIs(t, err, evidence.ErrNotProven)
	_, err = p.Verify(w.InForce(), body(t, w.Blocks[2]))
	require.NoError(t, err)
}

func TestWhatIsNoFalseAnnouncement(t *testing.T) {
	w := newWorld(t, 4, 4, 20_000)
	b := w.Blocks[3]
	stranger := w.Member(t, orderertest.Org(t, "Org9"), "peer9", devnet.Peer)
	client := w.Member(t, w.Org1, "client", devnet.Client)
	altered := w.announce(w.member, b, falseRoot)
	altered[len(altered)-1] ^= 1
	elsewhere := topics.Name(topics.Announcements, "other", w.genesisHash())
	// The data hash does not show where a transaction ends, so a boundary that is moved must not make a liar of anybody.
	two := w.Block(t, w.Blocks[2], w.Blocks[1].Data.Data[0], w.Blocks[2].Data.Data[0])
	moved := &common.Block{Data: &common.BlockData{Data: [][]byte{bytes.Join(two.Data.Data, nil)}}}
	for name, c := range map[string]struct{ message, body []byte }{
		"it is true":                         {w.announce(w.member, b, truly), body(t, b)},
		"it is true, with its body":          {w.announce(w.member, w.fork(3), truly), nil},
		"another body":                       {w.announce(w.member, b, truly), body(t, w.Blocks[2])},
		"a moved boundary":                   {w.announce(w.member, two, truly), body(t, moved)},
		"not canonical":                      {w.announce(w.member, b, truly), append(body(t, b), 0x10, 1)},
		"announcer is no member":             {w.announce(stranger, b, falseRoot), body(t, b)},
		"announcer is no peer":               {w.announce(client, b, falseRoot), body(t, b)},
		"signature does not hold":            {altered, body(t, b)},
		"of another channel":                 {w.member.Seal(t, topics.Purpose, elsewhere, content(t, b, falseRoot)), body(t, b)},
		"of another purpose":                 {w.member.Seal(t, "heartbeat", w.scope(), content(t, b, falseRoot)), body(t, b)},
		"record by its digest":               {brief(t, w, content(t, b, falseRoot)), body(t, b)},
		"by a cutting rule that comes later": {w.member.Seal(t, topics.Purpose, w.scope(), ruled(t, b)), body(t, b)},
		"no announcement":                    {w.member.Seal(t, topics.Purpose, w.scope(), []byte("hello")), body(t, b)},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := evidence.ProveFalse(w.place(0), c.message, c.body)
			require.NoError(t, err)
			_, err = p.Verify(w.InForce(), nil)
			require.ErrorIs(t, err, evidence.ErrNotProven)
		})
	}
}

func content(t *testing.T, b *common.Block, alter func(*topics.Announcement)) []byte {
	a, err := topics.Announce(b)
	require.NoError(t, err)
	alter(a)
	raw, err := a.Marshal()
	require.NoError(t, err)
	return raw
}

func ruled(t *testing.T, b *common.Block) []byte {
	var m topicspb.Announcement
	require.NoError(t, proto.Unmarshal(content(t, b, falseRoot), &m))
	m.Rule++
	raw, err := proto.Marshal(&m)
	require.NoError(t, err)
	return raw
}

func brief(t *testing.T, w *world, content []byte) []byte {
	raw, err := msp.SealBrief(topics.Purpose, w.scope(), w.member.Record, w.member.Signer, content)
	require.NoError(t, err)
	return raw
}

func TestDecodeHoldsLimits(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	p, err := evidence.ProveFork(w.place(0), attest(w.Blocks[3]), attest(w.fork(3)))
	require.NoError(t, err)
	lie := &pb.FalseAnnouncement{Message: []byte{1}}
	for name, alter := range map[string]func(*pb.Proof){
		"no channel":         func(m *pb.Proof) { m.Channel = "" },
		"long channel":       func(m *pb.Proof) { m.Channel = string(make([]byte, 250)) },
		"short genesis hash": func(m *pb.Proof) { m.GenesisHash = m.GenesisHash[1:] },
		"neither":            func(m *pb.Proof) { m.Fork = nil },
		"both":               func(m *pb.Proof) { m.FalseAnnouncement = lie },
		"one header":         func(m *pb.Proof) { m.Fork.Second = nil },
		"genesis header":     func(m *pb.Proof) { m.Fork.First.Number = 0 },
		"long hash":          func(m *pb.Proof) { m.Fork.First.DataHash = make([]byte, 33) },
		"many signatures":    func(m *pb.Proof) { m.Fork.First.Signatures = make([]byte, block.MaxSignaturesSize+1) },
		"no message":         func(m *pb.Proof) { m.Fork, m.FalseAnnouncement = nil, &pb.FalseAnnouncement{} },
		"long message": func(m *pb.Proof) {
			m.Fork, m.FalseAnnouncement = nil, &pb.FalseAnnouncement{Message: make([]byte, msp.MaxControl+1)}
		},
		"long body": func(m *pb.Proof) {
			m.Fork, m.FalseAnnouncement = nil, &pb.FalseAnnouncement{Message: []byte{1}, Body: make([]byte, evidence.MaxBody+1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m pb.Proof
			require.NoError(t, proto.Unmarshal(p.Bytes(), &m))
			alter(&m)
			raw, err := proto.Marshal(&m)
			require.NoError(t, err)
			_, err = evidence.Decode(raw)
			require.ErrorIs(t, err, evidence.ErrMalformed)
		})
	}
	_, err = evidence.Decode(make([]byte, evidence.MaxProof+1))
	require.ErrorIs(t, err, evidence.ErrMalformed)
	_, err = evidence.Decode([]byte("hello"))
	require.ErrorIs(t, err, evidence.ErrMalformed)
	most := &pb.FalseAnnouncement{Message: make([]byte, msp.MaxControl), Body: make([]byte, evidence.MaxBody)}
	raw, err := proto.Marshal(&pb.Proof{Channel: "c", GenesisHash: make([]byte, 32), FalseAnnouncement: most})
	require.NoError(t, err)
	_, err = evidence.Decode(raw)
	require.NoError(t, err, "the most that is allowed")
}

// FuzzProof: whatever the bytes, a proof is refused or names the one who signed.
func FuzzProof(f *testing.F) {
	w := newWorld(f, 4, 4, 100)
	seed := func(p *evidence.Proof, err error) {
		require.NoError(f, err)
		f.Add(p.Bytes())
	}
	seed(evidence.ProveFork(w.place(0), attest(w.Blocks[3]), attest(w.fork(3))))
	seed(evidence.ProveFalse(w.place(0), w.announce(w.member, w.Blocks[3], falseRoot), nil))
	seed(evidence.ProveFalse(w.place(0), w.announce(w.member, w.Blocks[3], truly), body(f, w.Blocks[3])))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := evidence.Decode(raw)
		if err != nil {
			require.ErrorIs(t, err, evidence.ErrMalformed)
			return
		}
		found, err := p.Verify(w.InForce(), nil)
		if err != nil {
			return
		}
		for _, name := range found.Names() {
			require.Contains(t, []string{w.Identity.String(), w.member.Signer.String()}, name)
		}
	})
}

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	require.Equal(t, map[string]string{
		"MaxProof": fmt.Sprint(evidence.MaxProof), "MaxBody": fmt.Sprint(evidence.MaxBody), "MaxFindings": fmt.Sprint(evidence.MaxFindings),
		"MaxByOrg": fmt.Sprint(evidence.MaxByOrg), "MaxByOne": fmt.Sprint(evidence.MaxByOne), "MaxBytes": fmt.Sprint(evidence.MaxBytes),
	}, spectest.Values(t, "evidence.md", "Limits"))
}
