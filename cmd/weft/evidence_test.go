// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/evidence"
)

// TestEvidence: a node shows what it kept, a forged file it does not; what it exports is proven anywhere, by the config block.
func TestEvidence(t *testing.T) {
	b := newBench(t)
	folder := filepath.Join(b.dir, "data", "evidence", "orders")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	write(t, folder, "1.evidence", forkOf(t, b).Bytes())
	write(t, folder, "2.evidence", []byte("nonsense"))
	startNodeCommand(t, "--join", b.genesis)
	t.Chdir(t.TempDir())
	succeed(t, "channel", "getinfo", "-c", "orders", "--wait-height", "1")

	who := fmt.Sprintf("%s/%q", b.Identity.MSPID(), b.Identity.Certificate().Subject.CommonName)
	lines := strings.Split(succeed(t, "evidence", "-c", "orders"), "\n")
	require.Len(t, lines, 3, lines)
	require.Contains(t, lines[1], "fork")
	require.Contains(t, lines[1], who)
	var l evidenceList
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "evidence", "-c", "orders", "--export", "proofs", "--output", "json")), &l))
	require.Len(t, l.Files, 1)
	require.Len(t, l.Evidence[0].Headers, 2)
	require.Contains(t, l.Evidence[0].Culprits[0].Certificate, "BEGIN CERTIFICATE")

	verdict := succeed(t, "evidence", "verify", l.Files[0], "--config", b.genesis)
	require.Contains(t, verdict, "Proven: the ordering service has signed two blocks 1,")
	require.Contains(t, verdict, "Culprits: "+who)
	code, _, stderr := execute("evidence", "-c", "other")
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "is not joined")
}

// forkOf is the proof that the ordering service has signed two blocks 1.
func forkOf(t *testing.T, b *bench) *evidence.Proof {
	t.Helper()
	var two [2]evidence.Attestation
	for i := range two {
		data := &common.BlockData{Data: [][]byte{{byte(i)}}}
		signed := &common.Block{Data: data, Header: &common.BlockHeader{Number: 1, PreviousHash: block.HeaderHash(b.Genesis.Header), DataHash: block.DataHash(data)}}
		blocktest.SignAs(t, signed, 0, b.Identity)
		two[i] = evidence.Attestation{Header: signed.Header, Signatures: signed.Metadata.Metadata[0]}
	}
	p, err := evidence.ProveFork(evidence.Place{Channel: b.Channel, Genesis: block.HeaderHash(b.Genesis.Header), Found: time.Now()}, two[0], two[1])
	require.NoError(t, err)
	return p
}

func TestEvidenceVerify(t *testing.T) {
	c := blocktest.New(t)
	c.Grow(t, 1, evidence.MaxBody+1)
	c.Configure(t, devnet.SetBatchSize(c.InForce().BatchSize()))
	dir := t.TempDir()
	files := map[string]string{}
	for i, b := range c.Blocks {
		raw, err := proto.Marshal(b)
		require.NoError(t, err)
		files[fmt.Sprint(i)] = write(t, dir, fmt.Sprint(i), raw)
	}
	a, err := topics.Announce(c.Blocks[1])
	require.NoError(t, err)
	a.Root[0] ^= 1
	content, err := a.Marshal()
	require.NoError(t, err)
	genesis := block.HeaderHash(c.Genesis.Header)
	liar := c.Member(t, c.Org1, "liar", devnet.Peer)
	p, err := evidence.ProveFalse(evidence.Place{Channel: c.Channel, Genesis: genesis},
		liar.Seal(t, topics.Purpose, topics.Name(topics.Announcements, c.Channel, genesis), content), nil)
	require.NoError(t, err)
	proof, nonsense := write(t, dir, "proof", p.Bytes()), write(t, dir, "nonsense", []byte("nonsense"))

	verdict := succeed(t, "evidence", "verify", proof, "--config", files["0"], "--block", files["1"])
	require.Contains(t, verdict, `Culprits: Org1MSP/"liar`)
	require.Contains(t, succeed(t, "evidence", "verify", proof, "--config", files["0"], "--block", files["1"], "--output", "json"), `"kind":"false_announcement"`)
	for name, refused := range map[string]struct {
		args []string
		says string
		code int
	}{
		"no config":       {[]string{proof}, "--config BLOCK", exitUsage},
		"no file":         {[]string{"--config", files["0"]}, "accepts 1 arg", exitUsage},
		"no block":        {[]string{proof, "--config", files["0"]}, "give the file with that block as --block", exitError},
		"another block":   {[]string{proof, "--config", files["0"], "--block", files["2"]}, "not proven", exitError},
		"another config":  {[]string{proof, "--config", files["2"], "--block", files["1"]}, "under configuration block 0, this is", exitError},
		"no config block": {[]string{proof, "--config", files["1"]}, files["1"], exitError},
		"no proof":        {[]string{nonsense, "--config", files["0"]}, "malformed", exitError},
		"nothing there":   {[]string{proof + "x", "--config", files["0"]}, "no such file", exitError},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := execute(append([]string{"evidence", "verify"}, refused.args...)...)
			require.Equal(t, refused.code, code, stderr)
			require.Contains(t, stderr, refused.says)
		})
	}
}
