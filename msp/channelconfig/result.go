// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// result builds what a verified update makes of the current channel group.
func (u *update) result() *common.ConfigGroup {
	current := u.bundle.config.GetChannelGroup()
	r := &result{fill: hasOrdererCapabilities(current) || hasOrdererCapabilities(u.write)}
	return r.group(current, u.read, u.write)
}

// result puts a group together: changed elements as they are written, the others as they were.
type result struct {
	// fill gives elements without a modification policy one, Admins: Fabric repairs configurations of its version 1.0 in
	// this way as soon as the orderer group has capabilities.
	fill bool
}

func hasOrdererCapabilities(root *common.ConfigGroup) bool {
	_, ok := root.GetGroups()[LevelOrderer].GetValues()["Capabilities"]
	return ok
}

// group builds one group; any of the three may be nil. The members are those of the group as it is written, if it is
// changed, else those that it had.
func (r *result) group(current, read, write *common.ConfigGroup) *common.ConfigGroup {
	is := current
	if write != nil && changed(read, read != nil, write) {
		is = write
	}
	out := &common.ConfigGroup{Version: is.GetVersion(), ModPolicy: r.modPolicy(is.GetModPolicy())}
	out.ProtoReflect().SetUnknown(is.ProtoReflect().GetUnknown())
	out.Groups = make(map[string]*common.ConfigGroup, len(is.GetGroups()))
	for name := range is.GetGroups() {
		out.Groups[name] = r.group(current.GetGroups()[name], read.GetGroups()[name], write.GetGroups()[name])
	}
	out.Values = make(map[string]*common.ConfigValue, len(is.GetValues()))
	for name := range is.GetValues() {
		v := proto.CloneOf(choose(name, current.GetValues(), read.GetValues(), write.GetValues()))
		v.ModPolicy = r.modPolicy(v.GetModPolicy())
		out.Values[name] = v
	}
	out.Policies = make(map[string]*common.ConfigPolicy, len(is.GetPolicies()))
	for name := range is.GetPolicies() {
		p := proto.CloneOf(choose(name, current.GetPolicies(), read.GetPolicies(), write.GetPolicies()))
		p.ModPolicy = r.modPolicy(p.GetModPolicy())
		out.Policies[name] = p
	}
	return out
}

func (r *result) modPolicy(name string) string {
	if name == "" && r.fill {
		return policy.Admins
	}
	return name
}

// choose returns an element as it is written, if it is changed, else as it was. One of the two is there: what is written
// in the version that was read was found in the current configuration.
func choose[E element](name string, current, read, write map[string]E) E {
	before, wasRead := read[name]
	if after, ok := write[name]; ok && changed(before, wasRead, after) {
		return after
	}
	return current[name]
}
