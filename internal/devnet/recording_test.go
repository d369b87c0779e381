// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

func TestReadTransactions(t *testing.T) {
	recording, err := devnet.ReadTransactions("testdata/raft")
	require.NoError(t, err)
	require.Equal(t, "mychannel", recording.ChannelID)
	require.True(t, proto.Equal(configOf(t, readBlock(t, "testdata/raft/block-000017.pb")), recording.Config))
	recorded := readBlock(t, "testdata/raft/block-000064.pb").GetData().GetData()
	require.Len(t, recording.Transactions, len(recorded))
	for i, tx := range recording.Transactions {
		raw, err := proto.Marshal(tx)
		require.NoError(t, err)
		require.Equal(t, recorded[i], raw, "the bytes that the client signed")
	}
}

func TestReadTransactionsRefuses(t *testing.T) {
	raft, err := os.ReadFile("testdata/raft/block-000000.pb")
	require.NoError(t, err)
	bft, err := os.ReadFile("testdata/bft/block-000000.pb")
	require.NoError(t, err)
	ordinary, err := os.ReadFile("testdata/raft/block-000064.pb")
	require.NoError(t, err)
	for name, files := range map[string]map[string][]byte{
		"an empty folder":   {},
		"no config block":   {"block-000064.pb": ordinary},
		"two channels":      {"block-000000.pb": raft, "block-000001.pb": bft},
		"one number twice":  {"block-000000.pb": raft, "block-0000000.pb": raft},
		"what is no block":  {"block-000000.pb": []byte("no protobuf")},
		"a cut transaction": {"block-000000.pb": spoiled(t)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), content, 0o600))
			}
			_, err := devnet.ReadTransactions(dir)
			require.ErrorIs(t, err, devnet.ErrRecording)
		})
	}
	_, err = devnet.ReadTransactions(filepath.Join(t.TempDir(), "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// spoiled is a block whose transaction is cut in half.
func spoiled(t *testing.T) []byte {
	t.Helper()
	b := readBlock(t, "testdata/raft/block-000000.pb")
	b.Data.Data[0] = b.Data.Data[0][:len(b.Data.Data[0])/2]
	raw, err := proto.Marshal(b)
	require.NoError(t, err)
	return raw
}
