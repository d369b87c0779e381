// SPDX-License-Identifier: Apache-2.0

package evidence_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// TestFalseRootIsFoundOnceTheBlockIsHere: before that nobody can know.
func TestFalseRootIsFoundOnceTheBlockIsHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 3, 20_000)
		witness := w.witness("")
		require.Equal(t, topics.Accept, w.hear(witness, w.announce(w.member, w.Blocks[3], falseRoot)).Verdict)
		honest := w.Member(t, w.Org2, "honest", devnet.Peer)
		w.hear(witness, w.announce(honest, w.Blocks[3], truly))
		settle(t, witness, synctest.Wait)
		require.Empty(t, witness.Findings())

		w.commit()
		witness.Committed()
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.Equal(t, []string{w.member.Signer.String()}, witness.Findings()[0].Names())
		require.Contains(t, w.log.String(), "level=WARN")
		require.Contains(t, w.log.String(), "number=3")

		require.True(t, witness.Distrusts(w.member.Signer.Identity))
		require.False(t, witness.Distrusts(honest.Signer.Identity))
		require.Equal(t, topics.Distrusted, w.hear(witness, w.announce(w.member, w.Blocks[3], truly)).Reason)
		time.Sleep(evidence.DistrustTime)
		require.False(t, witness.Distrusts(w.member.Signer.Identity))
	})
}

// TestLateAnnouncementsAreComparedAtOnce, and read the block once however many there are.
func TestLateAnnouncementsAreComparedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4, 20_000)
		witness := w.witness("")
		for i := range 8 {
			w.hear(witness, w.announce(w.Member(t, w.Org2, fmt.Sprint("honest", i), devnet.Peer), w.Blocks[3], truly))
		}
		w.hear(witness, w.announce(w.member, w.Blocks[3], falseRoot))
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.Equal(t, []string{w.member.Signer.String()}, witness.Findings()[0].Names())
	})
}

// TestSeenBodiesAreNotRead: what the relay has held against the header need not be read again; other claims are judged as ever.
func TestSeenBodiesAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 3, 20_000)
		witness := w.witness("")
		b, reads := w.Blocks[3], 0
		w.hear(witness, w.announce(w.member, b, truly))
		witness.Seen(b.Header, leaves.Root(body(t, b)), len(body(t, b)))
		w.commit()
		reads = w.ledger.reads
		settle(t, witness, synctest.Wait)
		require.Equal(t, reads+1, w.ledger.reads) // for its header's hash
		require.Empty(t, witness.Findings())

		liar := w.Member(t, w.Org2, "liar", devnet.Peer)
		w.hear(witness, w.announce(liar, b, falseRoot))
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.Equal(t, []string{liar.Signer.String()}, witness.Findings()[0].Names())
	})
}

func TestContradictionIsFoundAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, 3, 100)
		witness := w.witness("")
		j := w.hear(witness, w.announce(w.member, w.Blocks[4], falseRoot))
		require.Equal(t, topics.Reject, j.Verdict)
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.EqualValues(t, 4, witness.Findings()[0].Number)
	})
}

func TestForksAreFound(t *testing.T) {
	for name, show := range map[string]func(w *world, witness *evidence.Witness){
		"announced behind the committed block": func(w *world, witness *evidence.Witness) {
			w.commit()
			require.Equal(w.t, topics.Evidence, w.hear(witness, w.announce(w.member, w.fork(3), truly)).Reason)
		},
		"announced before it": func(w *world, witness *evidence.Witness) {
			require.Equal(w.t, topics.Valid, w.hear(witness, w.announce(w.member, w.fork(3), truly)).Reason)
			w.commit()
			witness.Committed()
		},
		"announced before it, and its body seen": func(w *world, witness *evidence.Witness) {
			rival := w.fork(3)
			w.hear(witness, w.announce(w.member, rival, truly))
			witness.Seen(rival.Header, leaves.Root(body(w.t, rival)), len(body(w.t, rival)))
			w.commit()
			witness.Committed()
		},
		"brought by a peer": func(w *world, witness *evidence.Witness) {
			w.commit()
			witness.Rival(w.fork(3), "Org2MSP", "peer")
		},
		"brought by our own source before it is committed": func(w *world, witness *evidence.Witness) {
			witness.Rival(w.fork(3), "", "")
			w.commit()
			witness.Committed()
		},
		"its body is forged": func(w *world, witness *evidence.Witness) {
			w.commit()
			rival := w.fork(3)
			rival.Data.Data[0] = []byte("forged")
			witness.Rival(rival, "Org2MSP", "peer")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 4, 3, 100)
				witness := w.witness("")
				show(w, witness)
				settle(t, witness, synctest.Wait)
				require.Len(t, witness.Findings(), 1)
				f := witness.Findings()[0]
				require.Equal(t, evidence.Fork, f.Kind)
				require.Equal(t, []string{w.Identity.String()}, f.Names())
				require.Contains(t, w.log.String(), "level=ERROR")
				require.False(t, witness.Distrusts(w.member.Signer.Identity), "who told us of it is an honest forwarder")
			})
		})
	}
}

// TestForkBehindOldConfiguration: the configuration that judges is the one in force at the number.
func TestForkBehindOldConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 3, 100)
		rival := w.fork(2)
		w.Configure(t, devnet.SetBatchSize(w.InForce().BatchSize()))
		w.Grow(t, 1, 100)
		w.ledger.blocks = w.Blocks
		witness := w.witness("")
		witness.Rival(rival, "Org2MSP", "peer")
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.Zero(t, witness.Findings()[0].Config)
	})
}

func TestNothingIsFound(t *testing.T) {
	for name, show := range map[string]func(w *world, witness *evidence.Witness){
		"a forged rival": func(w *world, witness *evidence.Witness) {
			rival := w.fork(2)
			rival.Header.DataHash[0] ^= 1
			witness.Rival(rival, "Org2MSP", "peer")
		},
		"a block of another chain": func(w *world, witness *evidence.Witness) {
			witness.Rival(w.Block(w.t, w.fork(1), w.Blocks[2].Data.Data...), "Org2MSP", "peer")
		},
		"our own block": func(w *world, witness *evidence.Witness) { witness.Rival(w.Blocks[2], "Org2MSP", "peer") },
		"no metadata": func(w *world, witness *evidence.Witness) {
			rival := w.fork(2)
			rival.Metadata = nil
			witness.Rival(rival, "Org2MSP", "peer")
		},
		"a lie of no member": func(w *world, witness *evidence.Witness) {
			w.hear(witness, w.announce(w.Member(w.t, w.Org1, "client", devnet.Client), w.Blocks[2], falseRoot))
		},
		"a block that never came": func(w *world, witness *evidence.Witness) {
			w.hear(witness, w.announce(w.member, w.Blocks[3], falseRoot))
		},
		"true announcements": func(w *world, witness *evidence.Witness) {
			w.hear(witness, w.announce(w.member, w.Blocks[2], truly))
			w.hear(witness, w.announce(w.member, w.Blocks[3], truly))
			w.commit()
			witness.Committed()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 4, 3, 20_000)
				witness := w.witness("")
				show(w, witness)
				settle(t, witness, synctest.Wait)
				require.Empty(t, witness.Findings())
				require.Empty(t, w.log.String())
			})
		})
	}
}

// TestEvidenceSurvivesARestart: each proof is verified again; what does not prove itself is refused and stays where it is.
func TestEvidenceSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4, 20_000)
		dir := filepath.Join(t.TempDir(), "evidence")
		witness := w.witness(dir)
		w.hear(witness, w.announce(w.member, w.Blocks[3], falseRoot))
		witness.Rival(w.fork(3), "Org2MSP", "peer")
		settle(t, witness, synctest.Wait)
		before := witness.Findings()
		require.Len(t, before, 2)

		again := w.witness(dir)
		require.Len(t, again.Findings(), 2)
		for _, f := range before {
			require.Equal(t, f.Proof.Bytes(), proofOf(t, again, f.ID))
		}
		require.True(t, again.Distrusts(w.member.Signer.Identity))
		again.Rival(w.Block(t, w.Blocks[2], w.Blocks[1].Data.Data...), "Org2MSP", "peer")
		w.hear(again, w.announce(w.Member(t, w.Org2, "other", devnet.Peer), w.Blocks[3], falseRoot))
		settle(t, again, synctest.Wait)
		require.Len(t, again.Findings(), 4)

		files, err := filepath.Glob(filepath.Join(dir, "*.evidence"))
		require.NoError(t, err)
		require.Len(t, files, 4, "and nothing else")
		for i, forge := range []func([]byte) []byte{
			func(raw []byte) []byte { return raw[:len(raw)/2] },
			func(raw []byte) []byte { raw[len(raw)-10] ^= 1; return raw },
			func([]byte) []byte { return nil },
			func([]byte) []byte { return make([]byte, evidence.MaxProof+1) },
		} {
			raw, err := os.ReadFile(files[i])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(files[i], forge(raw), 0o600))
		}
		w.log.Reset()
		require.Empty(t, w.witness(dir).Findings())
		require.Equal(t, 4, strings.Count(w.log.String(), "evidence refused"))
		require.FileExists(t, files[0])
	})
}

func proofOf(t *testing.T, witness *evidence.Witness, id string) []byte {
	for _, f := range witness.Findings() {
		if f.ID == id {
			return f.Proof.Bytes()
		}
	}
	require.Fail(t, "not there", id)
	return nil
}

// TestEvidenceOfAnotherChainIsRefused: the orderers' signatures do not cover the channel.
func TestEvidenceOfAnotherChainIsRefused(t *testing.T) {
	w := newWorld(t, 4, 4, 100)
	other := w.fork(2)
	a, b := w.Block(t, other, w.Blocks[3].Data.Data...), w.Block(t, other, w.Blocks[1].Data.Data...)
	p, err := evidence.ProveFork(w.place(0), attest(a), attest(b))
	require.NoError(t, err)
	_, err = p.Verify(w.InForce(), nil)
	require.NoError(t, err, "without the chain nobody can tell")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.evidence"), p.Bytes(), 0o600))
	require.Empty(t, w.witness(dir).Findings())
	require.Contains(t, w.log.String(), "not behind a block of this chain")
}

// TestFloodsKeepTheOldest: whoever makes more evidence than there is room for pushes none out.
func TestFloodsKeepTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4, 100)
		dir := t.TempDir()
		witness := w.witness(dir)
		first := w.fork(3)
		witness.Rival(first, "Org2MSP", "peer")
		settle(t, witness, synctest.Wait)
		id := witness.Findings()[0].ID
		for i := range 3 * evidence.MaxByOne {
			witness.Rival(w.fork(3), "Org2MSP", fmt.Sprint("peer", i))
			settle(t, witness, synctest.Wait)
		}
		require.Len(t, witness.Findings(), evidence.MaxByOne)
		require.Equal(t, id, witness.Findings()[0].ID)
		require.Equal(t, evidence.MaxByOne, strings.Count(w.log.String(), "level=ERROR"))
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, files, evidence.MaxByOne)
		again := proto.CloneOf(first)
		w.Sign(t, again, 0)
		witness.Rival(again, "Org2MSP", "peer")
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), evidence.MaxByOne, "one offence is kept once")
	})
}

// TestClaimsAreShared: what waits is bounded by source and organization, however much each of them says, and our own source
// has its place in any case.
func TestClaimsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 3, 100)
		witness := w.witness("")
		forged := func(org, source string) {
			b := w.fork(3)
			b.Header.DataHash[0] ^= 1
			witness.Rival(b, org, source)
		}
		for range 4 {
			forged("", "") // its own two places are taken; it says nothing true below
		}
		for org := range 20 {
			for i := range 20 {
				forged(fmt.Sprint("Org", org), fmt.Sprint(org, i/3))
			}
		}
		require.Equal(t, 2+64, evidence.Waiting(witness))
		w.commit()
		witness.Committed()
		settle(t, witness, synctest.Wait)
		require.Zero(t, evidence.Waiting(witness))
		require.Empty(t, witness.Findings())

		crowded := w.witness("")
		for i := range 20 {
			b := w.fork(3)
			b.Header.DataHash[0] ^= 1
			crowded.Rival(b, "Org1", fmt.Sprint(i))
		}
		require.Equal(t, 8, evidence.Waiting(crowded))
		crowded.Rival(w.fork(3), "Org2", "honest")
		crowded.Rival(w.fork(3), "", "")
		settle(t, crowded, synctest.Wait)
		require.Len(t, crowded.Findings(), 2)
	})
}

// TestDiskIsFull: what cannot be written is shown until the process ends, and the operator told.
func TestDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, 4, 100)
		file := filepath.Join(t.TempDir(), "file")
		witness := w.witness(filepath.Join(file, "evidence"))
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		witness.Rival(w.fork(3), "Org2MSP", "peer")
		settle(t, witness, synctest.Wait)
		require.Len(t, witness.Findings(), 1)
		require.Contains(t, w.log.String(), "evidence not written")
	})
}

// BenchmarkCompare answers what it costs to compare one announced root with the block, off the writer's path: one read, one
// hash over the body.
func BenchmarkCompare(b *testing.B) {
	for _, size := range []int{20 << 10, 1 << 20, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			w := newWorld(b, 2, 2, size)
			raw := w.announce(w.member, w.Blocks[1], truly)
			witness := w.witness("")
			j := w.hear(witness, raw)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				witness.Heard(j, raw)
				evidence.JudgeWaiting(witness)
			}
		})
	}
}

// BenchmarkHeard answers what an announcement costs the validator besides its verdict.
func BenchmarkHeard(b *testing.B) {
	w := newWorld(b, 2, 2, 20<<10)
	raw := w.announce(w.member, w.Blocks[1], truly)
	witness := w.witness("")
	j := w.hear(witness, raw)
	b.ReportAllocs()
	for b.Loop() {
		witness.Heard(j, raw)
	}
}
