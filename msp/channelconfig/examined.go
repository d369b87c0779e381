// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"bytes"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
)

// Examined is a block, and what can be said of it wherever it stands on the chain. It is bound to the block, which must
// not be changed any more, and to the configuration that it was examined under.
type Examined struct {
	block      *common.Block
	content    error // of the transactions, under any configuration
	bundle     *Bundle
	signatures error // under bundle; nil as well when content is not
}

// Examine makes those checks of Verifier.Verify that do not ask for the block's place on the chain and that cost the
// most: well-formed transactions, data hash, signatures under a configuration. Many may be made at one time, before it is
// known what the blocks before are like; the verdict is Verifier.VerifyExamined's.
func Examine(b *common.Block, under *Bundle) Examined {
	e := Examined{block: b, bundle: under, content: checkContent(b)}
	if e.content == nil {
		e.signatures = checkSignatures(b, under)
	}
	return e
}

// Block is what was examined.
func (e Examined) Block() *common.Block { return e.block }

// Content is what is wrong with the transactions under any configuration, or with the data hash that the header names; nil if
// nothing is.
func (e Examined) Content() error { return e.content }

// Refused says whether a check failed. Another configuration may think otherwise.
func (e Examined) Refused() bool { return e.content != nil || e.signatures != nil }

// verdict is the first error of the checks under a configuration.
func (e Examined) verdict(under *Bundle) error {
	switch {
	case e.content != nil:
		return e.content
	case e.bundle == under:
		return e.signatures
	}
	return checkSignatures(e.block, under)
}

func checkContent(b *common.Block) error {
	if err := block.WellFormed(b.GetData()); err != nil {
		return fmt.Errorf("block %d: %w", b.GetHeader().GetNumber(), err)
	}
	named, is := b.GetHeader().GetDataHash(), block.DataHash(b.GetData())
	if !bytes.Equal(named, is) {
		return fmt.Errorf("%w: the header of block %d names %s, its %d transactions hash to %x", ErrDataHash, b.GetHeader().GetNumber(), shown(named), len(b.GetData().GetData()), is)
	}
	return nil
}

func checkSignatures(b *common.Block, under *Bundle) error {
	var entry0 []byte
	if entries := b.GetMetadata().GetMetadata(); len(entries) > 0 {
		entry0 = entries[0]
	}
	return under.VerifySignatures(b.GetHeader(), entry0)
}
