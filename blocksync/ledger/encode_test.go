// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

// TestBlocksLieAsProtobufWritesThem: whatever a block has, and however long its parts are beside the buffer.
func TestBlocksLieAsProtobufWritesThem(t *testing.T) {
	tx := func(size int) []byte { return make([]byte, size) }
	unknown := protoreflect.RawFields{0x7a, 0x02, 'h', 'i'} // field 15
	for name, b := range map[string]*common.Block{
		"nothing but a header": {Header: &common.BlockHeader{}},
		"no transaction":       {Header: &common.BlockHeader{DataHash: tx(32)}, Data: &common.BlockData{}},
		"an empty one":         {Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{{}, tx(1)}}},
		"as long as buffered":  {Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{tx(ledger.WriteBuffer - 1), tx(ledger.WriteBuffer), tx(3)}}},
		"longer":               {Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{tx(5), tx(ledger.WriteBuffer + 1), tx(3 * ledger.WriteBuffer)}}},
		"long metadata":        {Header: &common.BlockHeader{}, Metadata: &common.BlockMetadata{Metadata: [][]byte{tx(2 * ledger.WriteBuffer), {}, tx(9)}}},
		"fields of the future": {Header: &common.BlockHeader{}, Data: &common.BlockData{Data: [][]byte{tx(9)}}, Metadata: &common.BlockMetadata{}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "fields of the future" {
				for _, m := range []proto.Message{b, b.Header, b.Data, b.Metadata} {
					m.ProtoReflect().SetUnknown(unknown)
				}
			}
			l := open(t, t.TempDir(), ledger.Options{})
			next := proto.CloneOf(b)
			next.Header.Number = 1
			require.NoError(t, l.Append(b, next))
			for n, b := range []*common.Block{b, next} {
				want, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
				require.NoError(t, err)
				got, err := l.Bytes(uint64(n))
				require.NoError(t, err)
				require.Equal(t, want, got, "block %d", n)
			}
		})
	}
}
