// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// update is an update of a configuration: what was read, what is written, who signed it.
//
// An element (a group, a value or a policy) is changed when it is written in another version than it was read in. The
// rules are Fabric's: what is read must be what is there; what is changed needs the next version and signatures that
// satisfy the modification policy in force, or version 0 when it is new; a written group says which members it has, and
// members that are not changed stay as they are.
type update struct {
	bundle      *Bundle
	read, write *common.ConfigGroup
	signers     []policy.Signer
	changes     int
}

// element is what groups, values and policies have in common.
type element interface {
	GetVersion() uint64
	GetModPolicy() string
}

// apply returns the channel group that an update makes of the bundle's configuration.
func (b *Bundle) apply(lastUpdate *common.Envelope) (*common.ConfigGroup, error) {
	u, err := b.parseUpdate(lastUpdate)
	if err != nil {
		return nil, err
	}
	current := b.config.GetChannelGroup()
	if u.read != nil {
		if err := verifyRead(u.read, current, pathChannel); err != nil {
			return nil, err
		}
	}
	if u.write != nil {
		if err := u.verifyWritten(current, u.read, u.write, pathChannel); err != nil {
			return nil, err
		}
	}
	if u.changes == 0 {
		return nil, errors.New("the update changes nothing")
	}
	return u.result(), nil
}

func (b *Bundle) parseUpdate(lastUpdate *common.Envelope) (*update, error) {
	envelope, err := updateEnvelope(lastUpdate)
	if err != nil {
		return nil, err
	}
	content := &common.ConfigUpdate{}
	if err := proto.Unmarshal(envelope.GetConfigUpdate(), content); err != nil {
		return nil, fmt.Errorf("update: %w", err)
	}
	if content.GetChannelId() != b.channelID {
		return nil, fmt.Errorf("the update is for channel %.64q", content.GetChannelId())
	}
	u := &update{bundle: b, read: content.GetReadSet(), write: content.GetWriteSet()}
	for _, set := range []*common.ConfigGroup{u.read, u.write} {
		if err := checkNames(set, pathChannel); err != nil {
			return nil, fmt.Errorf("update: %w", err)
		}
	}
	u.signers, err = b.updateSigners(envelope)
	return u, err
}

// updateEnvelope leads from a transaction of type CONFIG_UPDATE to the update and its signatures.
func updateEnvelope(lastUpdate *common.Envelope) (*common.ConfigUpdateEnvelope, error) {
	payload, header, envelope := &common.Payload{}, &common.ChannelHeader{}, &common.ConfigUpdateEnvelope{}
	if err := proto.Unmarshal(lastUpdate.GetPayload(), payload); err != nil {
		return nil, fmt.Errorf("payload of the update: %w", err)
	}
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), header); err != nil {
		return nil, fmt.Errorf("channel header of the update: %w", err)
	}
	if t := common.HeaderType(header.GetType()); t != common.HeaderType_CONFIG_UPDATE {
		return nil, fmt.Errorf("no update: a transaction of type %v", t)
	}
	if err := proto.Unmarshal(payload.GetData(), envelope); err != nil {
		return nil, fmt.Errorf("update envelope: %w", err)
	}
	return envelope, nil
}

// updateSigners returns whose signatures over an update hold. Each covers its own header and the update.
func (b *Bundle) updateSigners(envelope *common.ConfigUpdateEnvelope) ([]policy.Signer, error) {
	proofs := make([]proof, 0, len(envelope.GetSignatures()))
	for i, s := range envelope.GetSignatures() {
		header := &common.SignatureHeader{}
		if err := proto.Unmarshal(s.GetSignatureHeader(), header); err != nil {
			return nil, fmt.Errorf("header of the update's signature %d: %w", i+1, err)
		}
		id, err := msp.ParseCreator(header.GetCreator())
		data := slices.Concat(s.GetSignatureHeader(), envelope.GetConfigUpdate())
		proofs = append(proofs, proof{signer: id, fault: err, data: data, signature: s.GetSignature()})
	}
	signers, _ := b.signers(proofs)
	asked := make([]policy.Signer, len(signers))
	for i, s := range signers {
		asked[i] = s
	}
	return asked, nil
}

// verifyRead checks that every element that was read is there, in the version that was read.
func verifyRead(read, current *common.ConfigGroup, path string) error {
	if read.GetVersion() != current.GetVersion() {
		return fmt.Errorf("the update has read version %d of %s, which is at %d", read.GetVersion(), path, current.GetVersion())
	}
	if err := verifyReadElements(read.GetValues(), current.GetValues(), "value "+path); err != nil {
		return err
	}
	if err := verifyReadElements(read.GetPolicies(), current.GetPolicies(), "policy "+path); err != nil {
		return err
	}
	for name, child := range read.GetGroups() {
		existing, ok := current.GetGroups()[name]
		if !ok {
			return fmt.Errorf("the update has read %s/%s, which is not there", path, name)
		}
		if err := verifyRead(child, existing, path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func verifyReadElements[E element](read, current map[string]E, path string) error {
	for name, e := range read {
		existing, ok := current[name]
		if !ok {
			return fmt.Errorf("the update has read %s/%s, which is not there", path, name)
		}
		if e.GetVersion() != existing.GetVersion() {
			return fmt.Errorf("the update has read version %d of %s/%s, which is at %d", e.GetVersion(), path, name, existing.GetVersion())
		}
	}
	return nil
}

// verifyWritten checks what is changed in a written group and below it. read and current are nil where there is no such
// group; the path is that of current, and does not grow below it.
func (u *update) verifyWritten(current, read, write *common.ConfigGroup, path string) error {
	if err := verifyChange(u, path, current, current != nil, read, read != nil, write); err != nil {
		return err
	}
	for name, v := range write.GetValues() {
		existing, ok := current.GetValues()[name]
		before, wasRead := read.GetValues()[name]
		if err := verifyChange(u, path, existing, ok, before, wasRead, v); err != nil {
			return fmt.Errorf("value %s: %w", name, err)
		}
	}
	for name, p := range write.GetPolicies() {
		existing, ok := current.GetPolicies()[name]
		before, wasRead := read.GetPolicies()[name]
		if err := verifyChange(u, path, existing, ok, before, wasRead, p); err != nil {
			return fmt.Errorf("policy %s: %w", name, err)
		}
	}
	for name, g := range write.GetGroups() {
		existing, ok := current.GetGroups()[name]
		below := path
		if ok {
			below += "/" + name
		}
		if err := u.verifyWritten(existing, read.GetGroups()[name], g, below); err != nil {
			return err
		}
	}
	return nil
}

// verifyChange checks one written element, whose modification policy is named relative to the group at a path.
func verifyChange[E element](u *update, group string, current E, exists bool, read E, wasRead bool, write E) error {
	if !changed(read, wasRead, write) {
		return nil
	}
	u.changes++
	if err := checkModPolicy(write.GetModPolicy()); err != nil {
		return fmt.Errorf("in %s: %w", group, err)
	}
	if !exists {
		if write.GetVersion() != 0 {
			return fmt.Errorf("a new element in %s has version %d, it must be 0", group, write.GetVersion())
		}
		return nil
	}
	if want := current.GetVersion() + 1; write.GetVersion() != want {
		return fmt.Errorf("an element in %s is changed to version %d, the next is %d", group, write.GetVersion(), want)
	}
	name := current.GetModPolicy()
	if !strings.HasPrefix(name, "/") {
		name = group + "/" + name
	}
	return u.bundle.policies.Evaluate(name, u.signers)
}

func changed[E element](read E, wasRead bool, write E) bool {
	return !wasRead || read.GetVersion() != write.GetVersion()
}

func checkModPolicy(name string) error {
	if name == "" {
		return errors.New("a changed element has no modification policy")
	}
	for _, part := range strings.Split(strings.TrimPrefix(name, "/"), "/") {
		if err := checkName(part, "a modification policy"); err != nil {
			return err
		}
	}
	return nil
}
