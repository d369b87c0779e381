// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// judged is where the chains lie about which a Fabric peer's code has judged.
const judged = "testdata/judged"

// verdict is what Fabric says of one block in one place of a chain.
type verdict struct {
	chain, at, form, what    string
	deliver, commit, because string
	raw                      []byte
}

// TestVerdictsAsFabric asks our verifier about every block of testdata/judged. Along a chain, the altered blocks of a place
// come in any order, and none of them moves or upsets the verifier.
func TestVerdictsAsFabric(t *testing.T) {
	var v *channelconfig.Verifier
	var here []verdict // the altered ones before the next block of the chain
	judgeAll := func() {
		rand.Shuffle(len(here), func(i, j int) { here[i], here[j] = here[j], here[i] })
		for _, w := range here {
			w.compare(t, v)
		}
		here = nil
	}
	for _, w := range verdicts(t) {
		b := w.block(t)
		switch w.form {
		case formGenesis:
			judgeAll()
			bundle, err := channelconfig.FromBlock(b)
			require.NoError(t, err)
			v = channelconfig.NewVerifier(bundle, b.GetHeader())
		case formChain:
			judgeAll()
			w.compare(t, v)
			require.NoError(t, v.Advance(b), "%s, block %s: %s", w.chain, w.at, w.what)
		default:
			here = append(here, w)
		}
	}
	judgeAll()
}

// compare requires our verdict to be Fabric's. Fabric judges a configuration block twice: what its deliver client takes its
// committer may still refuse, and the peer then stops there. Our verifier answers for both. Where a peer halts because it
// lacks a capability, there is nothing to agree with.
func (w verdict) compare(t *testing.T, v *channelconfig.Verifier) {
	t.Helper()
	b, want, got := w.block(t), w.deliver, "accepted"
	if w.commit == "refused" && block.IsConfig(b) {
		want = "rejected"
	}
	if w.commit == "halts" {
		return
	}
	var err error
	if w.form == formAttestation {
		err = v.VerifyAttestation(b)
	} else {
		err = v.Verify(b)
	}
	if err != nil {
		got = "rejected"
	}
	if got != want {
		t.Errorf("%s, block %s, %s: %s\nFabric: %s, %s: %s\nwe say: %v", w.chain, w.at, w.form, w.what, w.deliver, w.commit, w.because, err)
	}
}

func (w verdict) block(t testing.TB) *common.Block {
	b := &common.Block{}
	require.NoError(t, proto.Unmarshal(w.raw, b))
	return b
}

// verdicts reads the table and finds the blocks by their hashes.
func verdicts(t testing.TB) []verdict {
	t.Helper()
	blocks := judgedBlocks(t)
	table, err := os.ReadFile(filepath.Join(judged, "VERDICTS.tsv"))
	require.NoError(t, err)
	var all []verdict
	for line := range strings.Lines(string(table)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, col, 8)
		if col[0] == "chain" {
			continue
		}
		raw, there := blocks[col[2]]
		require.True(t, there, "no block %s", col[2])
		all = append(all, verdict{col[0], col[1], col[3], col[4], col[5], col[6], col[7], raw})
	}
	require.NotEmpty(t, all)
	return all
}

// judgedBlocks reads the archive, a list of blocks with their lengths, and names each by half of its SHA-256.
func judgedBlocks(t testing.TB) map[string][]byte {
	text := readArchive(t, filepath.Join(judged, "blocks.gz"))
	blocks := make(map[string][]byte)
	for len(text) > 0 {
		n, size := binary.Uvarint(text)
		require.Positive(t, size)
		text = text[size:]
		require.LessOrEqual(t, n, uint64(len(text)))
		sum := sha256.Sum256(text[:n])
		blocks[hex.EncodeToString(sum[:8])] = text[:n]
		text = text[n:]
	}
	return blocks
}

// TestPoliciesAsFabric compares what signatures satisfy what policies with the verdicts of Fabric's own policies.
func TestPoliciesAsFabric(t *testing.T) {
	var table policyTable
	f, err := os.Open(filepath.Join(judged, "policies.json.gz"))
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(r).Decode(&table))
	config := &common.Config{}
	require.NoError(t, proto.Unmarshal(table.Config, config))
	bundle, err := channelconfig.New(table.Channel, 0, config)
	require.NoError(t, err)
	require.Len(t, table.Verdicts, len(table.Policies))
	for i, path := range table.Policies {
		var got []byte
		for _, set := range table.Sets {
			if bundle.Evaluate(path, set) == nil {
				got = append(got, '1')
			} else {
				got = append(got, '0')
			}
		}
		require.Equal(t, table.Verdicts[i], string(got), path)
	}
}
