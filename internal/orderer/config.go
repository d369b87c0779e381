// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"

	"github.com/weft-p2p/weft/msp"
)

var (
	// ErrIdentity: the channel's policy for blocks does not accept what the identity signs.
	ErrIdentity = errors.New("orderer: the identity may not sign blocks of this channel")
	// ErrOtherChain: the ledger holds the chain of another genesis block.
	ErrOtherChain = errors.New("orderer: the ledger belongs to another channel")
	// ErrServing: Serve was called twice.
	ErrServing = errors.New("orderer: already served")
	// ErrStopped: Serve has returned; nothing is ordered any more.
	ErrStopped = errors.New("orderer: stopped")
)

// Ledger keeps the blocks. blocksync/ledger has one on disk, [Memory] one that forgets. Append is called by one goroutine; the other
// methods run beside it and beside each other. The blocks are shared: nobody changes them.
type Ledger interface {
	Height() uint64
	Append(blocks ...*common.Block) error
	Bytes(number uint64) ([]byte, error)
}

// Config is what an [Orderer] needs. Genesis, Identity and TLS are required.
type Config struct {
	Genesis    *common.Block
	Identity   *msp.SigningIdentity            // of an ordering organization; signs the blocks
	Consenters map[uint32]*msp.SigningIdentity // by ID: on a BFT channel a quorum of them signs each block
	TLS        tls.Certificate                 // of the server
	ClientAuth bool                            // mutual TLS: clients must show a certificate of a TLS root in the channel configuration

	Ledger       Ledger             // nil: a new Memory
	BatchSize    *orderer.BatchSize // nil: of the channel configuration in force
	BatchTimeout time.Duration      // 0: of the channel configuration in force
	TimeWindow   time.Duration      // 0: 15 min

	// OnBlock is called after each block was made, before any client gets it: its number, when it was signed, and its size in bytes. It runs
	// in the ordering goroutine and must return soon.
	OnBlock func(number uint64, at time.Time, size int)
	Log     *slog.Logger // nil: none
}

func (c *Config) normalize() error {
	if c.Genesis == nil || c.Identity == nil || len(c.TLS.Certificate) == 0 {
		return errors.New("orderer: Genesis, Identity and TLS are required")
	}
	if c.BatchTimeout < 0 || c.TimeWindow < 0 {
		return errors.New("orderer: a time cannot be negative")
	}
	if c.Ledger == nil {
		c.Ledger = NewMemory()
	}
	if c.OnBlock == nil {
		c.OnBlock = func(uint64, time.Time, int) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
