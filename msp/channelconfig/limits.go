// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"
	"regexp"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// Limits of a configuration. One organization takes about 10 KB, more with a long revocation list. There is no limit of
// elements besides the size: Fabric has none, and whoever may write an organization's group could stop the channel with it.
const (
	MaxConfigSize = 16 << 20 // bytes of the configuration transaction
	maxName       = 249      // bytes of a channel ID or of the name of an element; Fabric's limit
)

// recursionLimit is how deep protobuf messages may be nested in a configuration: groups nest three deep, two messages
// each.
const recursionLimit = 32

// Fabric's rules for names.
var (
	channelName = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)
	elementName = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)
)

func checkChannelID(id string) error {
	if len(id) > maxName || !channelName.MatchString(id) {
		return fmt.Errorf("channel ID %.64q must be a letter and then letters, digits, dots and dashes, all lower case, up to %d", id, maxName)
	}
	return nil
}

// checkNames looks at the names of the elements of a group and of all groups below it.
func checkNames(g *common.ConfigGroup, path string) error {
	for name := range g.GetValues() {
		if err := checkName(name, path); err != nil {
			return err
		}
	}
	for name := range g.GetPolicies() {
		if err := checkName(name, path); err != nil {
			return err
		}
	}
	for name, child := range g.GetGroups() {
		if err := checkName(name, path); err != nil {
			return err
		}
		if err := checkNames(child, path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name, path string) error {
	if len(name) > maxName || name == "." || name == ".." || !elementName.MatchString(name) {
		return fmt.Errorf("name %.64q in %s must be letters, digits, dots and dashes, up to %d", name, path, maxName)
	}
	return nil
}
