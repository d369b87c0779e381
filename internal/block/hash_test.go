// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math"
	"math/big"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/block"
)

// The vectors were made with encoding/asn1 and, independently, by hand.
func TestHeaderVectors(t *testing.T) {
	low, high := sequence(0x00), sequence(0x20)
	aa, bb := bytes.Repeat([]byte{0xaa}, 32), bytes.Repeat([]byte{0xbb}, 32)
	tests := map[string]struct {
		header *common.BlockHeader
		der    string // empty: only the hash is compared
		hash   string
	}{
		"genesis": {
			&common.BlockHeader{DataHash: low},
			"302702010004000420" + hex.EncodeToString(low),
			"afa2567803f7f3a839cf9d720474897a79c83a1da631906695fc89b4cd223517",
		},
		"one": {
			&common.BlockHeader{Number: 1, PreviousHash: low, DataHash: high},
			"30470201010420" + hex.EncodeToString(low) + "0420" + hex.EncodeToString(high),
			"f3299f1a21de3cdcb4f70415e097b18307e96fc748b453c1b9f2f63ad5bba106",
		},
		"top bit of a byte": {
			&common.BlockHeader{Number: 128, PreviousHash: aa, DataHash: bb},
			"3048020200800420" + hex.EncodeToString(aa) + "0420" + hex.EncodeToString(bb),
			"8dd91edc5cdfe1adc03a42381b5bc8690d451d734f3d405187bbce766bc88bd9",
		},
		"top bit of the number": {
			&common.BlockHeader{Number: 1 << 63, PreviousHash: aa, DataHash: bb},
			"304f02090080000000000000000420" + hex.EncodeToString(aa) + "0420" + hex.EncodeToString(bb),
			"96fe018c855cf57f8ccfeda25bd9293c55588a0e43c63e2bc4ff5c40ab36e121",
		},
		"largest, no hashes": {
			&common.BlockHeader{Number: math.MaxUint64},
			"300f020900ffffffffffffffff04000400",
			"0f867fa41161925c3205313d2156753c9ca578818e2e1b80a940aeff9317dafb",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.der, hex.EncodeToString(block.HeaderBytes(tt.header)))
			require.Equal(t, tt.hash, hex.EncodeToString(block.HeaderHash(tt.header)))
		})
	}
}

func TestHeaderBytesOfNilHeader(t *testing.T) {
	require.Equal(t, block.HeaderBytes(&common.BlockHeader{}), block.HeaderBytes(nil))
}

// The encoding by hand must be the one of encoding/asn1, which Fabric uses, whatever a hostile header holds.
func TestHeaderBytesEqualASN1(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &common.BlockHeader{
			Number:       rapid.Uint64().Draw(t, "number"),
			PreviousHash: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "previous"),
			DataHash:     make([]byte, rapid.SampledFrom([]int{0, 32, 127, 128, 255, 256, 65535, 65536}).Draw(t, "size")),
		}
		want, err := asn1.Marshal(struct {
			Number         *big.Int
			Previous, Data []byte
		}{new(big.Int).SetUint64(h.Number), h.PreviousHash, h.DataHash})
		require.NoError(t, err)
		require.Equal(t, want, block.HeaderBytes(h))
	})
}

func TestDataHashIsOverTheConcatenation(t *testing.T) {
	want := sha256.Sum256([]byte("onetwothree"))
	require.Equal(t, want[:], block.DataHash(&common.BlockData{Data: [][]byte{[]byte("one"), []byte("two"), []byte("three")}}))
	require.Equal(t, want[:], block.DataHash(&common.BlockData{Data: [][]byte{[]byte("onetwo"), nil, []byte("three")}}))
	empty := sha256.Sum256(nil)
	require.Equal(t, empty[:], block.DataHash(nil))
}

func sequence(first byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// FuzzHeaderBytes holds the hand-written encoding against encoding/asn1, and reads it back.
func FuzzHeaderBytes(f *testing.F) {
	f.Fuzz(func(t *testing.T, number uint64, previous, data []byte) {
		raw := block.HeaderBytes(&common.BlockHeader{Number: number, PreviousHash: previous, DataHash: data})
		var back struct {
			Number         *big.Int
			Previous, Data []byte
		}
		rest, err := asn1.Unmarshal(raw, &back)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, number, back.Number.Uint64())
		require.Equal(t, string(previous), string(back.Previous))
		require.Equal(t, string(data), string(back.Data))
		again, err := asn1.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, again, raw)
	})
}
