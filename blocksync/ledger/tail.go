// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
)

// sum is SHA-256: a header hash, or the hash of a transaction ID. IDs come from clients and may have any length.
type sum [sha256.Size]byte

// txRef says that a block holds a transaction.
type txRef struct {
	id     sum
	number uint64
}

// batch collects the entries of consecutive blocks before they count.
type batch struct {
	entries []entry
	txs     []txRef
}

func (p *batch) reset() { p.entries, p.txs = p.entries[:0], p.txs[:0] }

// add notes a block. Envelopes that name no transaction, or cannot be decoded, cannot be looked up.
func (p *batch) add(loc location, b *common.Block) {
	p.entries = append(p.entries, entry{loc, sum(block.HeaderHash(b.GetHeader()))})
	for _, envelope := range b.GetData().GetData() {
		if id, err := block.TxID(envelope); err == nil && len(id) > 0 {
			p.txs = append(p.txs, txRef{txKey(id), b.GetHeader().GetNumber()})
		}
	}
}

func txKey(id []byte) sum { return sha256.Sum256(id) }

// tail is the part of the index that is not in the index file yet.
type tail struct {
	first   uint64 // block number of entries[0]
	entries []entry
	hashes  map[sum]uint64
	txs     map[sum]uint64
	bytes   int64
}

func newTail(first uint64) *tail {
	return &tail{first: first, hashes: map[sum]uint64{}, txs: map[sum]uint64{}}
}

func (t *tail) height() uint64 { return t.first + uint64(len(t.entries)) }

// size counts what a flush would write.
func (t *tail) size() int { return 2*len(t.entries) + len(t.txs) }

// add appends a batch. The first block that holds a transaction keeps it, as in Fabric, which marks the second one invalid.
func (t *tail) add(p *batch) {
	for _, e := range p.entries {
		t.hashes[e.hash] = t.height()
		t.entries = append(t.entries, e)
		t.bytes += headerSize + int64(e.length)
	}
	for _, tx := range p.txs {
		if _, known := t.txs[tx.id]; !known {
			t.txs[tx.id] = tx.number
		}
	}
}
