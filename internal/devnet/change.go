// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
)

// ErrNoGroup means that a configuration lacks the group that a change is about.
var ErrNoGroup = errors.New("devnet: no such group in the configuration")

// AddOrg adds an application organization; ErrChannel when its group key is taken.
func AddOrg(org *Org, anchors ...string) Change {
	return func(channel *common.ConfigGroup) error {
		application, err := subgroup(channel, applicationGroup)
		if err != nil {
			return err
		}
		group, err := OrgGroup(org, anchors...)
		b := editGroup(application)
		b.child(org.Name, group, err)
		return b.err
	}
}

// RemoveOrg takes an application organization away by its group key.
func RemoveOrg(name string) Change {
	return func(channel *common.ConfigGroup) error {
		application, err := subgroup(channel, applicationGroup)
		if err != nil {
			return err
		}
		if _, err := subgroup(application, name); err != nil {
			return err
		}
		delete(application.Groups, name)
		return nil
	}
}

// SetMSP writes the present MSP of the organization (a new root, a new revocation list) wherever it is a member.
func SetMSP(org *Org) Change {
	return func(channel *common.ConfigGroup) error {
		found := false
		for _, section := range []string{applicationGroup, ordererGroup} {
			group := channel.GetGroups()[section].GetGroups()[org.Name]
			if group == nil {
				continue
			}
			found = true
			b := editGroup(group)
			b.msp(org)
			if b.err != nil {
				return b.err
			}
		}
		if !found {
			return fmt.Errorf("%w: organization %q", ErrNoGroup, org.Name)
		}
		return nil
	}
}

// SetAnchors replaces the anchor peers (host:port) of the application organization with this group key; none removes
// the value.
func SetAnchors(name string, anchors ...string) Change {
	return func(channel *common.ConfigGroup) error {
		application, err := subgroup(channel, applicationGroup)
		if err != nil {
			return err
		}
		org, err := subgroup(application, name)
		if err != nil {
			return err
		}
		delete(org.Values, anchorsKey)
		b := editGroup(org)
		b.anchors(anchors)
		return b.err
	}
}

// SetBatchSize changes how many transactions and bytes a block may hold.
func SetBatchSize(size *orderer.BatchSize) Change {
	return func(channel *common.ConfigGroup) error {
		group, err := subgroup(channel, ordererGroup)
		if err != nil {
			return err
		}
		b := editGroup(group)
		b.value(batchSizeKey, size)
		return b.err
	}
}

// SetConsensusState takes the ordering service into maintenance, or back to normal.
func SetConsensusState(state orderer.ConsensusType_State) Change {
	return func(channel *common.ConfigGroup) error {
		group, err := subgroup(channel, ordererGroup)
		if err != nil {
			return err
		}
		consensus := &orderer.ConsensusType{}
		if err := readValue(group, consensusKey, consensus); err != nil {
			return err
		}
		consensus.State = state
		b := editGroup(group)
		b.value(consensusKey, consensus)
		return b.err
	}
}

func subgroup(group *common.ConfigGroup, key string) (*common.ConfigGroup, error) {
	if child := group.GetGroups()[key]; child != nil {
		return child, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNoGroup, key)
}
