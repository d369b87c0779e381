// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"fmt"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// Memory is a [Ledger] that lasts as long as the process.
type Memory struct {
	mu     sync.RWMutex // guards blocks
	blocks []*common.Block
}

// NewMemory returns an empty ledger.
func NewMemory() *Memory { return &Memory{} }

// Height returns the number of the next block.
func (m *Memory) Height() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(len(m.blocks))
}

// Append adds blocks that must be the next ones.
func (m *Memory) Append(blocks ...*common.Block) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range blocks {
		if want := uint64(len(m.blocks)); b.GetHeader().GetNumber() != want {
			return fmt.Errorf("orderer: block %d is not the next one, %d", b.GetHeader().GetNumber(), want)
		}
		m.blocks = append(m.blocks, b)
	}
	return nil
}

// Bytes returns a block that is below the height, marshalled.
func (m *Memory) Bytes(number uint64) ([]byte, error) {
	b, err := m.Block(number)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(b)
}

// Block returns a block that is below the height.
func (m *Memory) Block(number uint64) (*common.Block, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if number >= uint64(len(m.blocks)) {
		return nil, fmt.Errorf("orderer: no block %d below height %d", number, len(m.blocks))
	}
	return m.blocks[number], nil
}
