// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"maps"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// raiseVersions sets the versions in next by Fabric's rule: an element that changed has one more than before, a new one
// starts at 0, and a group changes when its members come or go or its modification policy changes, not when something
// below it does.
func raiseVersions(current, next *common.ConfigGroup) {
	next.Version = current.GetVersion()
	if !sameMembers(current, next) || current.GetModPolicy() != next.GetModPolicy() {
		next.Version++
	}
	for key, value := range next.GetValues() {
		old := current.GetValues()[key]
		value.Version = old.GetVersion()
		if old != nil && !proto.Equal(old, value) {
			value.Version++
		}
	}
	for key, policy := range next.GetPolicies() {
		old := current.GetPolicies()[key]
		policy.Version = old.GetVersion()
		if old != nil && !proto.Equal(old, policy) {
			policy.Version++
		}
	}
	for key, group := range next.GetGroups() {
		if old := current.GetGroups()[key]; old != nil {
			raiseVersions(old, group)
		} else {
			resetVersions(group)
		}
	}
}

// resetVersions makes every element of group a new one.
func resetVersions(group *common.ConfigGroup) {
	group.Version = 0
	for value := range maps.Values(group.GetValues()) {
		value.Version = 0
	}
	for policy := range maps.Values(group.GetPolicies()) {
		policy.Version = 0
	}
	for child := range maps.Values(group.GetGroups()) {
		resetVersions(child)
	}
}

func sameMembers(a, b *common.ConfigGroup) bool {
	return sameKeys(a.GetValues(), b.GetValues()) &&
		sameKeys(a.GetPolicies(), b.GetPolicies()) &&
		sameKeys(a.GetGroups(), b.GetGroups())
}

func sameKeys[V any](a, b map[string]V) bool {
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if _, ok := b[key]; !ok {
			return false
		}
	}
	return true
}
