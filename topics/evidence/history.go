// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

// verify verifies a proof against our chain: besides what anybody can see, that the configuration was in force there, and
// that a fork is one of this chain.
func (w *Witness) verify(p *Proof) (*Finding, error) {
	at := p.Place()
	if at.Channel != w.Channel || !bytes.Equal(at.Genesis, w.Genesis) {
		return nil, fmt.Errorf("%w: of another channel", ErrNotProven)
	}
	config, err := w.configuration(at.Config)
	if err != nil {
		return nil, err
	}
	f, err := p.Verify(config, nil)
	if errors.Is(err, ErrNoBody) {
		f, err = w.verifyBody(p, config)
	}
	if err != nil || f.Kind != Fork {
		return f, err
	}
	return f, w.links(f)
}

// verifyBody verifies a proof whose body is too big to be in it.
func (w *Witness) verifyBody(p *Proof, config *channelconfig.Bundle) (*Finding, error) {
	sealed, err := p.unseal()
	if err != nil {
		return nil, err
	}
	a, err := topics.DecodeHead(sealed.Content)
	if err != nil {
		return nil, err
	}
	body, err := w.body(a.Header.Number)
	if err != nil {
		return nil, err
	}
	return p.Verify(config, body)
}

// links says why a fork is none of this chain.
func (w *Witness) links(f *Finding) error {
	previous, err := w.Ledger.HeaderHash(f.Number - 1)
	if err != nil {
		return err
	}
	config, err := w.inForce(f.Number)
	if err != nil {
		return err
	}
	if !bytes.Equal(previous, f.Proof.m.Fork.First.PreviousHash) || config.Number() != f.Config {
		return fmt.Errorf("%w: not behind a block of this chain, or under another configuration", ErrNotProven)
	}
	return nil
}

// inForce is the configuration under which the block with a number was made, or is to be.
func (w *Witness) inForce(number uint64) (*channelconfig.Bundle, error) {
	before, err := w.block(number - 1)
	if err != nil {
		return nil, err
	}
	if block.IsConfig(before) {
		return w.configuration(number - 1)
	}
	config, err := block.LastConfig(before)
	if err != nil {
		return nil, err
	}
	return w.configuration(config)
}

// configuration is that of a configuration block.
func (w *Witness) configuration(number uint64) (*channelconfig.Bundle, error) {
	if w.config != nil && w.config.Number() == number {
		return w.config, nil
	}
	b, err := w.block(number)
	if err != nil {
		return nil, err
	}
	config, err := channelconfig.FromBlock(b)
	if err != nil {
		return nil, err
	}
	w.config = config
	return config, nil
}

func (w *Witness) block(number uint64) (*common.Block, error) {
	raw, err := w.Ledger.Bytes(number)
	if err != nil {
		return nil, err
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("block %d: %w", number, err)
	}
	return b, nil
}
