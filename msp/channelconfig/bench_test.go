// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// What it costs to verify a block of 62 KB under raft (one signature) and BFT (three), and one of 1 MB; nothing of the
// data may be copied.
func BenchmarkVerify(b *testing.B) {
	n := newNetwork(b, devnet.Raft)
	var txs []*common.Envelope
	for range 256 {
		txs = append(txs, &common.Envelope{Payload: make([]byte, 4096), Signature: make([]byte, 70)})
	}
	for name, at := range map[string]struct {
		v *channelconfig.Verifier
		b *common.Block
	}{
		"raft":     {raftAt42(b), recorded(b, "mychannel/block-000042.pb")},
		"bft":      {bftAt8(b), recorded(b, "bftchannel/block-000008.pb")},
		"raft-1MB": {n.verifier(), n.block(n.verifier(), txs...)},
	} {
		b.Run(name, func(b *testing.B) {
			require.NoError(b, at.v.Verify(at.b))
			b.ReportAllocs()
			for b.Loop() {
				if err := at.v.Verify(at.b); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a configuration block costs more: parsing four organizations and compiling their policies.
func BenchmarkFromBlock(b *testing.B) {
	config := recorded(b, "mychannel/block-000048.pb")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := channelconfig.FromBlock(config); err != nil {
			b.Fatal(err)
		}
	}
}
