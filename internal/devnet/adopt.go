// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"
)

// Adopt returns a genesis block for a channel that another ordering service ran: its application section as it stands in
// config, with c.Orgs as further organizations, and channel and orderer sections made anew around c.Orderers. Empty
// settings of c (consensus type, batch) are taken from config; a BFT channel stays BFT with these orderers as its
// consenters unless c.Consensus says otherwise, and a channel with capability V3_0 keeps it. Nobody here holds the keys
// of the recorded administrators, so the majority of Admins may be out of reach: a development orderer that changes the
// configuration does not ask them. ErrChannel when config is unusable or a further organization takes the name or MSP ID
// of one that is there.
func Adopt(config *common.Config, c Channel, now time.Time) (*common.Block, error) {
	old := config.GetChannelGroup()
	if err := c.inherit(old); err != nil {
		return nil, err
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	application, ok := old.GetGroups()[applicationGroup]
	if !ok {
		return nil, fmt.Errorf("%w: the configuration of %s has no application section", ErrChannel, c.ID)
	}
	application = proto.Clone(application).(*common.ConfigGroup)
	resetVersions(application)
	return c.block(editGroup(application), now)
}

// inherit fills what c leaves open from the channel group old.
func (c *Channel) inherit(old *common.ConfigGroup) error {
	group := old.GetGroups()[ordererGroup]
	size, timeout, consensus := &orderer.BatchSize{}, &orderer.BatchTimeout{}, &orderer.ConsensusType{}
	capabilities := &common.Capabilities{}
	for _, err := range []error{
		readValue(group, batchSizeKey, size),
		readValue(group, batchTimeoutKey, timeout),
		readValue(group, consensusKey, consensus),
		readValue(old, capabilitiesKey, capabilities),
	} {
		if err != nil {
			return err
		}
	}
	if c.BatchTimeout == 0 && timeout.GetTimeout() != "" {
		var err error
		if c.BatchTimeout, err = time.ParseDuration(timeout.GetTimeout()); err != nil {
			return fmt.Errorf("%w: batch timeout: %w", ErrChannel, err)
		}
	}
	c.BatchSize = cmp.Or(c.BatchSize, size.GetMaxMessageCount())
	c.MaxBytes = cmp.Or(c.MaxBytes, size.GetAbsoluteMaxBytes())
	c.PreferredMaxBytes = cmp.Or(c.PreferredMaxBytes, size.GetPreferredMaxBytes())
	if c.Consensus == "" && consensus.GetType() == BFT {
		c.Consensus = BFT
	}
	if _, v3 := capabilities.GetCapabilities()[V3_0]; v3 {
		c.Capability = V3_0
	}
	return nil
}

// distinctMSPs refuses two different definitions of one MSP ID, as Fabric does.
func distinctMSPs(root *common.ConfigGroup) error {
	known := make(map[string][]byte)
	for _, section := range root.GetGroups() {
		for name, group := range section.GetGroups() {
			outer, conf := &mspproto.MSPConfig{}, &mspproto.FabricMSPConfig{}
			if err := readValue(group, mspKey, outer); err != nil {
				return err
			}
			if err := proto.Unmarshal(outer.GetConfig(), conf); err != nil {
				return fmt.Errorf("%w: MSP of %q: %w", ErrChannel, name, err)
			}
			raw, seen := known[conf.GetName()]
			if seen && !bytes.Equal(raw, outer.GetConfig()) {
				return fmt.Errorf("%w: two definitions of MSP %q", ErrChannel, conf.GetName())
			}
			known[conf.GetName()] = outer.GetConfig()
		}
	}
	return nil
}

// readValue decodes a value of group into m, which stays empty when there is none.
func readValue(group *common.ConfigGroup, key string, m proto.Message) error {
	if err := proto.Unmarshal(group.GetValues()[key].GetValue(), m); err != nil {
		return fmt.Errorf("%w: value %s: %w", ErrChannel, key, err)
	}
	return nil
}
