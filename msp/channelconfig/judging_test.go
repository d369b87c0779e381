// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
)

// TestMakeJudged makes the chains of testdata/judged anew, with new keys, into the directory that WEFT_JUDGED names:
// NAME.blocks and the list of cases, to which a Fabric adds its verdicts.
func TestMakeJudged(t *testing.T) {
	dir := os.Getenv("WEFT_JUDGED")
	if dir == "" {
		t.Skip("WEFT_JUDGED names no directory to write to")
	}
	var list, all bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		c := &chainMaker{TB: t, name: name, now: time.Now().Truncate(time.Second)}
		scenarios[name](c)
		c.write(dir, &list, &all)
	}
	writeArchive(t, filepath.Join(dir, "blocks.gz"), all.Bytes())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cases.tsv"), list.Bytes(), 0o600))
}

var scenarios = map[string]func(*chainMaker){
	"organizations": makeOrganizations,
	"revocation":    makeRevocation,
	"rotation":      makeRotation,
	"policies":      makePolicies,
	"expired":       makeExpired,
	"keys":          makeKeys,
	"nodeous":       makeNodeOUs,
	"capabilities":  makeCapabilities,
	"early":         makeEarly,
	"configs":       makeConfigs,
	"bft":           makeBFT,
	"bft-configs":   makeBFTConfigs,
}

// Forms of a case.
const (
	formGenesis     = "genesis"     // stands at the start of the chain
	formChain       = "chain"       // is accepted, and the chain goes on behind it
	formBlock       = "block"       // is only judged, as the next block
	formAttestation = "attestation" // is only judged, without data
)

// goOn appends a block to the chain.
func (c *chainMaker) goOn(b *common.Block, what string) *common.Block {
	c.add(b, formChain, what)
	if block.IsConfig(b) {
		c.config, c.lastConfig = configIn(c, b), c.number
	}
	c.number, c.previous = c.number+1, block.HeaderHash(b.Header)
	return b
}

// change appends a configuration block.
func (c *chainMaker) change(what string, by []*devnet.Node, changes ...devnet.Change) {
	c.goOn(c.configured(changes, by...), what)
}

// judge lets a block be judged where the chain stands.
func (c *chainMaker) judge(b *common.Block, what string) { c.add(b, formBlock, what) }

func (c *chainMaker) attest(b *common.Block, what string) { c.add(b, formAttestation, what) }

func (c *chainMaker) add(b *common.Block, form, what string) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	require.NoError(c, err)
	sum := sha256.Sum256(raw)
	key := hex.EncodeToString(sum[:8])
	number := c.number
	if form == formGenesis {
		number = 0
	}
	fmt.Fprintf(&c.cases, "%s\t%d\t%s\t%s\t%s\n", c.name, number, key, form, what)
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.raw.Write(binary.AppendUvarint(nil, uint64(len(raw))))
	c.raw.Write(raw)
}

func (c *chainMaker) write(dir string, list, all *bytes.Buffer) {
	list.Write(c.cases.Bytes())
	for _, b := range c.branches {
		b.write(dir, list, all)
	}
	all.Write(c.raw.Bytes())
	require.NoError(c, os.WriteFile(filepath.Join(dir, c.name+".blocks"), c.raw.Bytes(), 0o600))
}
