// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
)

// ErrChannel means that a channel description cannot become a configuration.
var ErrChannel = errors.New("devnet: bad channel description")

// channelID is Fabric's rule for channel names; they are at most 249 characters long.
var channelID = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,248}$`)

// Capabilities of a channel.
const (
	V2_0 = "V2_0"
	V3_0 = "V3_0"
)

// Channel describes a channel to make. Zero values of the batch settings stand for those of Fabric's samples.
type Channel struct {
	ID         string
	Orgs       []*Org
	Anchors    map[string][]string // MSP ID -> host:port
	Orderers   []OrderingNode      // at least one
	Consensus  string              // Raft (default) or BFT
	Capability string              // V2_0 (default) or V3_0; BFT is always V3_0

	BatchSize         uint32        // transactions a block, default 10
	BatchTimeout      time.Duration // default 1 s
	MaxBytes          uint32        // absolute limit of a block's data, default 10 MiB
	PreferredMaxBytes uint32        // default 2 MiB
}

// OrderingNode is a consenter and endpoint of the ordering service.
type OrderingNode struct {
	Org      *Org
	Address  string // host:port, for Deliver and consensus alike
	TLSCert  []byte // PEM, of server and client
	Identity []byte // PEM of the enrollment certificate; BFT blocks are signed with it
}

// Genesis returns block 0 of the channel as configtxgen makes it: unsigned, five metadata entries, the first one holding
// an empty OrdererBlockMetadata value. ErrChannel when the description is incomplete or contradictory.
func Genesis(c Channel, now time.Time) (*common.Block, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	application := newGroup()
	application.capability("V2_5")
	application.implicitBasics()
	application.implicit(endorsement, endorsement, common.ImplicitMetaPolicy_MAJORITY)
	application.implicit(lifecycle, endorsement, common.ImplicitMetaPolicy_MAJORITY)
	return c.block(application, now)
}

// block adds the organizations of c to an application group and wraps everything into block 0.
func (c *Channel) block(application *groupBuilder, now time.Time) (*common.Block, error) {
	for _, org := range c.Orgs {
		group, err := OrgGroup(org, c.Anchors[org.MSPID]...)
		application.child(org.Name, group, err)
	}
	root := newGroup()
	root.value("HashingAlgorithm", &common.HashingAlgorithm{Name: "SHA256"})
	root.value("BlockDataHashingStructure", &common.BlockDataHashingStructure{Width: math.MaxUint32})
	root.capability(c.Capability)
	root.implicitBasics()
	group, err := application.result()
	root.child(applicationGroup, group, err)
	group, err = c.ordering()
	root.child(ordererGroup, group, err)
	channel, err := root.result()
	if err != nil {
		return nil, err
	}
	if err := distinctMSPs(channel); err != nil {
		return nil, err
	}
	return genesisBlock(c.ID, channel, now)
}

// complete fills in defaults and checks what the builders take for granted.
func (c *Channel) complete() error {
	c.Consensus = cmp.Or(c.Consensus, Raft)
	c.Capability = cmp.Or(c.Capability, V2_0)
	c.BatchSize = cmp.Or(c.BatchSize, 10)
	c.BatchTimeout = cmp.Or(c.BatchTimeout, time.Second)
	c.MaxBytes = cmp.Or(c.MaxBytes, 10<<20)
	c.PreferredMaxBytes = min(cmp.Or(c.PreferredMaxBytes, 2<<20), c.MaxBytes)
	if c.Consensus == BFT {
		c.Capability = V3_0
	}
	switch {
	case !channelID.MatchString(c.ID):
		return fmt.Errorf("%w: name %q: use lower-case letters, digits, dots and hyphens", ErrChannel, c.ID)
	case len(c.Orderers) == 0:
		return fmt.Errorf("%w: %s has no orderer", ErrChannel, c.ID)
	case c.Consensus != Raft && c.Consensus != BFT:
		return fmt.Errorf("%w: consensus type %q: use %s or %s", ErrChannel, c.Consensus, Raft, BFT)
	case c.BatchTimeout < 0:
		return fmt.Errorf("%w: batch timeout %s of %s is negative", ErrChannel, c.BatchTimeout, c.ID)
	case c.Capability != V2_0 && c.Capability != V3_0:
		return fmt.Errorf("%w: capability %q: use %s or %s", ErrChannel, c.Capability, V2_0, V3_0)
	}
	return nil
}

// ordering is the Orderer group.
func (c *Channel) ordering() (*common.ConfigGroup, error) {
	b := newGroup()
	b.value(batchSizeKey, &orderer.BatchSize{
		MaxMessageCount: c.BatchSize, AbsoluteMaxBytes: c.MaxBytes, PreferredMaxBytes: c.PreferredMaxBytes,
	})
	b.value(batchTimeoutKey, &orderer.BatchTimeout{Timeout: c.BatchTimeout.String()})
	b.value("ChannelRestrictions", &orderer.ChannelRestrictions{})
	b.capability(V2_0)
	b.implicitBasics()
	if c.Consensus == BFT {
		b.bft(c.Orderers)
	} else {
		b.raft(c.Orderers)
	}
	orgs, endpoints := c.ordererOrgs()
	for _, org := range orgs {
		group, err := OrdererOrgGroup(org, endpoints[org.Name]...)
		b.child(org.Name, group, err)
	}
	return b.result()
}

// ordererOrgs returns the organizations of the orderers, each once, with their addresses by name.
func (c *Channel) ordererOrgs() ([]*Org, map[string][]string) {
	var orgs []*Org
	endpoints := make(map[string][]string)
	for _, o := range c.Orderers {
		if _, known := endpoints[o.Org.Name]; !known {
			orgs = append(orgs, o.Org)
		}
		endpoints[o.Org.Name] = append(endpoints[o.Org.Name], o.Address)
	}
	return orgs, endpoints
}
