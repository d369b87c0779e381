// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// The blocks in testdata were made by a Fabric 3.1 network: mychannel by raft, bftchannel by SmartBFT. Those named
// "attested" are without data, to put a verifier behind them; those named "at" were altered, and the verdicts about
// them are the ones of Fabric's own verifier.

// recorded reads a block of testdata.
func recorded(t testing.TB, name string) *common.Block {
	t.Helper()
	return readBlock(t, filepath.Join("testdata", name))
}

func readBlock(t testing.TB, path string) *common.Block {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	b := &common.Block{}
	require.NoError(t, proto.Unmarshal(raw, b))
	return b
}

// position returns a verifier under the configuration in one recorded block and behind another.
func position(t testing.TB, config, last string) *channelconfig.Verifier {
	t.Helper()
	bundle, err := channelconfig.FromBlock(recorded(t, config))
	require.NoError(t, err)
	return channelconfig.NewVerifier(bundle, recorded(t, last).GetHeader())
}

// raftAt42 stands behind a configuration block of mychannel, bftAt8 behind one of bftchannel.
func raftAt42(t testing.TB) *channelconfig.Verifier {
	return position(t, "mychannel/block-000041.pb", "mychannel/block-000041.pb")
}

func bftAt8(t testing.TB) *channelconfig.Verifier {
	return position(t, "bftchannel/block-000007.pb", "bftchannel/block-000007.pb")
}

func TestRecordedBlocks(t *testing.T) {
	tests := []struct{ config, last, block string }{
		{"mychannel/block-000000.pb", "mychannel/block-000000.pb", "mychannel/block-000001.pb"},
		{"mychannel/block-000041.pb", "mychannel/block-000041.pb", "mychannel/block-000042.pb"},
		{"mychannel/block-000041.pb", "mychannel/attested-000047.pb", "mychannel/block-000048.pb"},
		{"mychannel/block-000048.pb", "mychannel/block-000048.pb", "mychannel/block-000049.pb"},
		{"bftchannel/block-000007.pb", "bftchannel/block-000007.pb", "bftchannel/block-000008.pb"},
		{"bftchannel/block-000007.pb", "bftchannel/attested-000012.pb", "bftchannel/block-000013.pb"},
	}
	for _, tt := range tests {
		t.Run(tt.block, func(t *testing.T) {
			v := position(t, tt.config, tt.last)
			b := recorded(t, tt.block)
			require.Equal(t, v.Next(), b.GetHeader().GetNumber())
			require.NoError(t, v.Verify(b))
			require.NoError(t, v.VerifyHeader(b.GetHeader(), b.GetMetadata().GetMetadata()[0]))
			b.Data = nil
			require.NoError(t, v.VerifyAttestation(b))
		})
	}
}

// The configuration of a verified block judges the blocks behind it.
func TestRecordedConfigTakesEffect(t *testing.T) {
	v := position(t, "mychannel/block-000041.pb", "mychannel/attested-000047.pb")
	require.EqualValues(t, 3, v.Bundle().Sequence())
	require.EqualValues(t, 10, v.Bundle().BatchSize().GetMaxMessageCount())

	config := recorded(t, "mychannel/block-000048.pb")
	require.NoError(t, v.Verify(config))
	require.EqualValues(t, 48, v.Next(), "Verify does not move")
	require.NoError(t, v.Advance(config))

	require.EqualValues(t, 49, v.Next())
	require.EqualValues(t, 48, v.Bundle().Number())
	require.EqualValues(t, 4, v.Bundle().Sequence())
	require.EqualValues(t, 5, v.Bundle().BatchSize().GetMaxMessageCount())
	require.NoError(t, v.Verify(recorded(t, "mychannel/block-000049.pb")))
}

func TestRecordedVerdicts(t *testing.T) {
	raft := position(t, "mychannel/block-000041.pb", "mychannel/attested-000043.pb")
	bft := position(t, "bftchannel/block-000007.pb", "bftchannel/attested-000010.pb")
	tests := []struct {
		v    *channelconfig.Verifier
		file string
		want error
	}{
		{raft, "mychannel/at-44-header-only.pb", nil},
		{raft, "mychannel/at-44-txfilter-filled.pb", nil},
		{raft, "mychannel/at-44-fork-signed-by-orderer0.pb", nil}, // only the next block shows it
		{raft, "mychannel/at-44-signed-by-org1-user.pb", channelconfig.ErrSignatures},
		{raft, "mychannel/at-44-signed-by-forged-orderer.pb", channelconfig.ErrSignatures},
		{raft, "mychannel/at-44-last-config-altered.pb", channelconfig.ErrSignatures},
		{raft, "mychannel/at-44-prev-hash-flipped-resigned.pb", channelconfig.ErrPreviousHash},
		{raft, "mychannel/at-44-other-channel-same-number.pb", channelconfig.ErrPreviousHash},
		{bft, "bftchannel/at-11-good.pb", nil},
		{bft, "bftchannel/at-11-good-quorum-with-junk.pb", nil},
		{bft, "bftchannel/at-11-only-2-signatures.pb", channelconfig.ErrSignatures},
		{bft, "bftchannel/at-11-same-signature-repeated.pb", channelconfig.ErrSignatures},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			require.ErrorIs(t, tt.v.VerifyAttestation(recorded(t, tt.file)), tt.want)
		})
	}
}

// shared is where the complete recordings lie on a developer's machine.
const shared = "../../../shared/fabric"

func TestCompleteRecordings(t *testing.T) {
	for channel, length := range map[string]int{"mychannel": 67, "bftchannel": 16} {
		t.Run(channel, func(t *testing.T) {
			if _, err := os.Stat(shared); err != nil {
				t.Skip("no complete recordings at " + shared)
			}
			path := func(n int) string { return filepath.Join(shared, channel, fmt.Sprintf("block-%06d.pb", n)) }
			genesis := readBlock(t, path(0))
			bundle, err := channelconfig.FromBlock(genesis)
			require.NoError(t, err)
			v := channelconfig.NewVerifier(bundle, genesis.GetHeader())
			for n := 1; n < length; n++ {
				b := readBlock(t, path(n))
				require.NoError(t, v.Verify(b))
				require.NoError(t, v.Advance(b))
			}
		})
	}
}
