// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

// Whatever is in a block file, reading and adopting it ends in a result or an error.
func FuzzRecording(f *testing.F) {
	for _, file := range []string{"testdata/raft/block-000000.pb", "testdata/raft/block-000064.pb", "testdata/bft/block-000000.pb"} {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(raw)
	}
	org, err := devnet.NewOrg("Dev", start)
	require.NoError(f, err)
	orderers := []devnet.OrderingNode{{Org: org, Address: "127.0.0.1:7050"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "block-000000.pb"), raw, 0o600))
		recording, err := devnet.ReadTransactions(dir)
		if err != nil {
			require.ErrorIs(t, err, devnet.ErrRecording)
			return
		}
		adopt(t, recording.Config, orderers)
	})
}

func FuzzAdopt(f *testing.F) {
	for _, dir := range []string{"testdata/raft", "testdata/bft"} {
		recording, err := devnet.ReadTransactions(dir)
		require.NoError(f, err)
		raw, err := proto.Marshal(recording.Config)
		require.NoError(f, err)
		f.Add(raw)
	}
	org, err := devnet.NewOrg("Dev", start)
	require.NoError(f, err)
	orderers := []devnet.OrderingNode{{Org: org, Address: "127.0.0.1:7050"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		config := &common.Config{}
		if proto.Unmarshal(raw, config) != nil {
			return
		}
		adopt(t, config, orderers)
	})
}

func adopt(t *testing.T, config *common.Config, orderers []devnet.OrderingNode) {
	t.Helper()
	genesis, err := devnet.Adopt(config, devnet.Channel{ID: "mychannel", Orderers: orderers}, start)
	if err != nil {
		require.ErrorIs(t, err, devnet.ErrChannel)
		return
	}
	require.NotEmpty(t, genesis.GetData().GetData())
}
