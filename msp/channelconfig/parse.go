// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// FromBlock parses a configuration block. It proves nothing about the block: that is Verifier's work, or the caller's
// for a genesis block. The error is ErrNotConfig or ErrConfig.
func FromBlock(b *common.Block) (*Bundle, error) {
	bundle, _, err := fromBlock(b)
	return bundle, err
}

func fromBlock(b *common.Block) (*Bundle, *common.ConfigEnvelope, error) {
	if b.GetHeader() == nil {
		return nil, nil, fmt.Errorf("%w: the block has no header", ErrNotConfig)
	}
	number := b.GetHeader().GetNumber()
	if !block.IsConfig(b) {
		return nil, nil, fmt.Errorf("%w: block %d has %d transactions, it must have one, of type CONFIG", ErrNotConfig, number, len(b.GetData().GetData()))
	}
	tx := b.GetData().GetData()[0]
	channelID, err := block.ChannelID(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: block %d: %w", ErrConfig, number, err)
	}
	envelope, err := decode(tx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: block %d: %w", ErrConfig, number, err)
	}
	bundle, err := New(channelID, number, envelope.GetConfig())
	return bundle, envelope, err
}

// decode leads from a configuration transaction to the configuration in it.
func decode(tx []byte) (*common.ConfigEnvelope, error) {
	if len(tx) > MaxConfigSize {
		return nil, fmt.Errorf("transaction of %d bytes, the limit is %d", len(tx), MaxConfigSize)
	}
	envelope, payload, config := &common.Envelope{}, &common.Payload{}, &common.ConfigEnvelope{}
	if err := proto.Unmarshal(tx, envelope); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if err := proto.Unmarshal(envelope.GetPayload(), payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: recursionLimit}).Unmarshal(payload.GetData(), config); err != nil {
		return nil, fmt.Errorf("configuration envelope: %w", err)
	}
	return config, nil
}

// New makes the bundle of a configuration that is in force from block number on, for those who have no configuration
// block. It keeps c, which must not be changed afterwards. The error is ErrConfig.
func New(channelID string, number uint64, c *common.Config) (*Bundle, error) {
	p := &parser{
		b: &Bundle{
			channelID:    channelID,
			number:       number,
			config:       c,
			msps:         make(map[string]*msp.MSP),
			mspIDs:       make(map[string]string),
			capabilities: make(map[string]map[string]*common.Capability),
			creators:     creators{known: make(map[string]*msp.Identity)},
		},
		definitions: make(map[string]definition),
	}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("%w: block %d of channel %.64q: %w", ErrConfig, number, channelID, err)
	}
	return p.b, nil
}

// parser fills a bundle, group by group.
type parser struct {
	b           *Bundle
	definitions map[string]definition // by MSP ID
}

func (p *parser) parse() error {
	if err := checkChannelID(p.b.channelID); err != nil {
		return err
	}
	root := p.b.config.GetChannelGroup()
	if root == nil {
		return errors.New("there is no channel group")
	}
	if err := checkNames(root, pathChannel); err != nil {
		return err
	}
	if err := checkCapabilityLevels(root); err != nil {
		return err
	}
	for _, step := range []func(*common.ConfigGroup) error{p.parseChannel, p.parseOrderer, p.parseApplication, p.compilePolicies} {
		if err := step(root); err != nil {
			return err
		}
	}
	p.b.endpoints = endpoints(p.b.ordererOrgs, p.b.channel.addresses.GetAddresses())
	return nil
}

// compilePolicies wants a policy for blocks: Fabric's peers refuse a configuration without one.
func (p *parser) compilePolicies(root *common.ConfigGroup) (err error) {
	if _, there := root.GetGroups()[LevelOrderer].GetPolicies()[blockValidation]; !there {
		return fmt.Errorf("there is no policy %s", PolicyBlockValidation)
	}
	p.b.policies, err = policy.Compile(root)
	return err
}

// decodeValues decodes the values of a group into the messages of known. A value that known does not name is an error,
// Fabric's rule: a program that does not know a value must not guess what it changes.
func decodeValues(g *common.ConfigGroup, path string, known map[string]proto.Message) error {
	for name, value := range g.GetValues() {
		m, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown value %s/%s: a newer version of weft may know it", path, name)
		}
		if err := proto.Unmarshal(value.GetValue(), m); err != nil {
			return fmt.Errorf("value %s/%s: %w", path, name, err)
		}
	}
	return nil
}
