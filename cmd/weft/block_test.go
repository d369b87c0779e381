// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

const recordings = "../../msp/channelconfig/testdata/mychannel"

// shared is where the complete recordings lie on a developer's machine.
const shared = "../../../shared/fabric"

func execute(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// chainDir copies recorded blocks 0 and 1 into a folder.
func chainDir(t *testing.T) string {
	dir := t.TempDir()
	for n := range uint64(2) {
		raw, err := os.ReadFile(filepath.Join(recordings, blockFile(n)))
		require.NoError(t, err)
		write(t, dir, blockFile(n), raw)
	}
	return dir
}

func write(t *testing.T, dir, name string, raw []byte) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	return path
}

// alter rewrites a block file.
func alter(t *testing.T, path string, change func(*common.Block)) {
	b, err := readBlock(path)
	require.NoError(t, err)
	change(b)
	raw, err := proto.Marshal(b)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
}

func TestVerifyChain(t *testing.T) {
	dir := chainDir(t)
	for _, other := range []string{"MANIFEST.tsv", "block-2.pb", "block-000002.pb.tmp", "block-x.pb", "000002.pb"} {
		write(t, dir, other, []byte("ignored"))
	}
	code, stdout, stderr := execute("block", "verify", "--chain", dir)
	require.Equal(t, exitOK, code)
	require.Equal(t, "block-000000.pb\tACCEPTED\t-\nblock-000001.pb\tACCEPTED\t-\n", stdout)
	require.Empty(t, stderr)
}

func TestVerifyChainBehindARejectedBlock(t *testing.T) {
	dir := chainDir(t)
	alter(t, filepath.Join(dir, blockFile(1)), func(b *common.Block) { b.Data.Data = b.Data.Data[:1] })
	write(t, dir, blockFile(2), []byte("never read"))
	code, stdout, stderr := execute("block", "verify", "--chain", dir)
	require.Equal(t, exitError, code)
	lines := strings.Split(stdout, "\n")
	require.Equal(t, "block-000000.pb\tACCEPTED\t-", lines[0])
	require.Regexp(t, "^block-000001.pb\tREJECTED\tchannelconfig: data hash does not match: .*its 1 transactions", lines[1])
	require.Equal(t, "block-000002.pb\tREJECTED\tnot judged: block 1 before it is rejected", lines[2])
	require.Equal(t, "weft: 2 of 3 blocks rejected\n", stderr)
}

func TestVerifyFiles(t *testing.T) {
	dir := chainDir(t)
	good := filepath.Join(dir, blockFile(1))
	copyOf := func(name string, change func(*common.Block)) string {
		raw, err := os.ReadFile(good)
		require.NoError(t, err)
		path := write(t, dir, name, raw)
		alter(t, path, change)
		return path
	}
	bad := copyOf("bad", func(b *common.Block) { b.Header.Number = 5 })
	attestation := copyOf("attestation", func(b *common.Block) { b.Data = nil })
	junk := write(t, dir, "junk\tname", []byte{0xff})
	missing := filepath.Join(dir, "missing")

	code, stdout, stderr := execute("block", "verify", "--chain", dir, "--at", "1", good, bad, good, attestation, junk, missing)
	require.Equal(t, exitError, code)
	require.Equal(t, "weft: 4 of 6 blocks rejected\n", stderr)
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	require.Len(t, lines, 6)
	for i, want := range []string{
		good + "\tACCEPTED\t-",
		bad + "\tREJECTED\tchannelconfig: wrong block number: block 5 where 1 is next",
		good + "\tACCEPTED\t-", // each on its own
		attestation + "\tREJECTED\tblock 1: block: malformed transactions: no transaction",
		filepath.Join(dir, "junk name") + "\tREJECTED\t",
		missing + "\tREJECTED\topen ",
	} {
		require.True(t, strings.HasPrefix(lines[i], want), lines[i])
		require.Equal(t, 2, strings.Count(lines[i], "\t"))
	}

	code, stdout, _ = execute("block", "verify", "--chain", dir, "--at", "1", "--attestation", attestation)
	require.Equal(t, exitOK, code)
	require.Equal(t, attestation+"\tACCEPTED\t-\n", stdout)
}

func TestVerifyErrors(t *testing.T) {
	empty, gap, noGenesis, notConfig, badHash, number := t.TempDir(), chainDir(t), chainDir(t), chainDir(t), chainDir(t), chainDir(t)
	raw, err := os.ReadFile(filepath.Join(recordings, blockFile(1)))
	require.NoError(t, err)
	write(t, gap, blockFile(7), raw)
	require.NoError(t, os.Remove(filepath.Join(noGenesis, blockFile(0))))
	write(t, notConfig, blockFile(0), raw)
	alter(t, filepath.Join(badHash, blockFile(0)), func(b *common.Block) { b.Header.DataHash[0] ^= 1 })
	alter(t, filepath.Join(number, blockFile(0)), func(b *common.Block) { b.Header.Number = 3 })
	broken := chainDir(t)
	alter(t, filepath.Join(broken, blockFile(1)), func(b *common.Block) { b.Metadata = nil })

	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"no folder":            {[]string{"--chain", filepath.Join(empty, "x")}, exitError, "chain: open"},
		"empty folder":         {[]string{"--chain", empty}, exitError, "holds no block-000000.pb"},
		"gap":                  {[]string{"--chain", gap}, exitError, "block-000002.pb is missing, the next file is block-000007.pb"},
		"no genesis":           {[]string{"--chain", noGenesis}, exitError, "block-000000.pb is missing"},
		"genesis no config":    {[]string{"--chain", notConfig}, exitError, "not a configuration block"},
		"genesis data hash":    {[]string{"--chain", badHash}, exitError, "the data hashes to"},
		"genesis number":       {[]string{"--chain", number}, exitError, "has number 3 instead of 0"},
		"chain too short":      {[]string{"--chain", chainDir(t), "--at", "5", "x"}, exitError, "ends with block 1, --at 5 needs all blocks up to 4"},
		"rejected on the way":  {[]string{"--chain", broken, "--at", "2", "x"}, exitError, "has 0 entries, it must have 5"},
		"no chain":             {nil, exitUsage, "--chain DIR is missing"},
		"file without at":      {[]string{"--chain", empty, "x"}, exitUsage, "a FILE needs --at N"},
		"at without file":      {[]string{"--chain", empty, "--at", "1"}, exitUsage, "--at needs one FILE"},
		"at genesis":           {[]string{"--chain", empty, "--at", "0", "x"}, exitUsage, "--at must be 1 or more"},
		"at not a number":      {[]string{"--chain", empty, "--at", "-1", "x"}, exitUsage, "invalid argument"},
		"attestation alone":    {[]string{"--chain", empty, "--attestation"}, exitUsage, "--attestation needs"},
		"unknown flag":         {[]string{"--unknown"}, exitUsage, "unknown flag: --unknown"},
		"unknown in the front": {[]string{"--chain"}, exitUsage, "flag needs an argument"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(append([]string{"block", "verify"}, tt.args...)...)
			require.Equal(t, tt.code, code, stderr)
			require.Empty(t, stdout)
			require.True(t, strings.HasPrefix(stderr, "weft: "), stderr)
			require.Contains(t, stderr, tt.want)
			require.Equal(t, 1, strings.Count(stderr, "weft: "), "an error is printed once")
		})
	}
}

func TestFileSizeLimit(t *testing.T) {
	dir := chainDir(t)
	path := filepath.Join(dir, "big")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(maxBlockFile+1)) // sparse
	require.NoError(t, f.Close())
	code, stdout, _ := execute("block", "verify", "--chain", dir, "--at", "1", path)
	require.Equal(t, exitError, code)
	require.Contains(t, stdout, "more than 134217728 bytes")
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	require.Equal(t, exitError, run(ctx, []string{"block", "verify", "--chain", chainDir(t)}, &out, &errs))
	require.Equal(t, "weft: interrupted\n", errs.String())
}

// Every verdict of Fabric's own verifier about the altered recordings.
func TestRecordedVerdicts(t *testing.T) {
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no complete recordings at " + shared)
	}
	for folder, chain := range map[string]string{"negative-raft": "mychannel", "negative-bft": "bftchannel"} {
		table, err := os.ReadFile(filepath.Join(shared, folder, "VERDICTS.tsv"))
		require.NoError(t, err)
		rows := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
		for _, row := range rows {
			columns := strings.Split(row, "\t")
			t.Run(folder+"/"+columns[0], func(t *testing.T) {
				file := filepath.Join(shared, folder, columns[0])
				args := []string{"block", "verify", "--chain", filepath.Join(shared, chain), "--at", columns[1], file}
				if columns[0] == "header-only.pb" {
					args = append(args, "--attestation")
				}
				code, stdout, _ := execute(args...)
				verdict, reason := expected(columns[3])
				require.Regexp(t, fmt.Sprintf("\t%s\t.*%s.*\n$", verdict, reason), stdout)
				require.Equal(t, verdict == accepted, code == exitOK)
			})
		}
	}
}

// expected translates what Fabric says.
func expected(fabric string) (verdict, reason string) {
	for says, reason := range map[string]string{
		"DataHash":     "data hash does not match",
		"PreviousHash": "previous hash does not match",
		"metadata":     "bad metadata",
		"well formed":  "malformed transactions",
		"policy":       "orderer signatures do not suffice",
	} {
		if strings.Contains(fabric, says) {
			return rejected, reason
		}
	}
	return accepted, "-"
}
