// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Change alters the channel group of a configuration that is about to become the next one.
type Change func(channel *common.ConfigGroup) error

// Update returns the configuration after current: the changes applied to a copy, the sequence one higher, and the
// versions of altered elements raised as Fabric's validator demands. current is left as it was.
func Update(current *common.Config, changes ...Change) (*common.Config, error) {
	next := proto.Clone(current).(*common.Config)
	for _, change := range changes {
		if err := change(next.GetChannelGroup()); err != nil {
			return nil, fmt.Errorf("change the configuration: %w", err)
		}
	}
	raiseVersions(current.GetChannelGroup(), next.GetChannelGroup())
	next.Sequence = current.GetSequence() + 1
	return next, nil
}

// UpdateEnvelope returns the CONFIG_UPDATE that leads from current to next, signed by every administrator and submitted
// by submitter: what a client sends to the ordering service, and the last_update of the config block that comes of it.
// It states the complete configuration on both sides, which Fabric takes like a minimal difference.
func UpdateEnvelope(channel string, current, next *common.Config, now time.Time, submitter Signer, admins ...Signer) (*common.Envelope, error) {
	return SignUpdate(&common.ConfigUpdate{
		ChannelId: channel, ReadSet: current.GetChannelGroup(), WriteSet: next.GetChannelGroup(),
	}, now, submitter, admins...)
}

// SignUpdate returns the CONFIG_UPDATE of any update, signed by every administrator and submitted by submitter (nil
// allowed: not signed).
func SignUpdate(content *common.ConfigUpdate, now time.Time, submitter Signer, admins ...Signer) (*common.Envelope, error) {
	raw, err := encode(content)
	if err != nil {
		return nil, err
	}
	update := &common.ConfigUpdateEnvelope{ConfigUpdate: raw}
	for _, admin := range admins {
		signature, err := configSignature(raw, admin)
		if err != nil {
			return nil, err
		}
		update.Signatures = append(update.Signatures, signature)
	}
	return configTransaction(common.HeaderType_CONFIG_UPDATE, content.GetChannelId(), update, submitter, now)
}

// configSignature signs signature header ‖ update, Fabric's rule for configuration updates.
func configSignature(update []byte, admin Signer) (*common.ConfigSignature, error) {
	by, err := signatureHeader(admin, rand.Reader)
	if err != nil {
		return nil, err
	}
	header, err := encode(by)
	if err != nil {
		return nil, err
	}
	signature, err := admin.Sign(append(bytes.Clone(header), update...))
	if err != nil {
		return nil, fmt.Errorf("sign a configuration update: %w", err)
	}
	return &common.ConfigSignature{SignatureHeader: header, Signature: signature}, nil
}

// ConfigEnvelope returns the one transaction of a later config block: config and the update that caused it (nil
// allowed), signed by the orderer (nil allowed: not signed).
func ConfigEnvelope(channel string, config *common.Config, lastUpdate *common.Envelope, orderer Signer, now time.Time) (*common.Envelope, error) {
	content := &common.ConfigEnvelope{Config: config, LastUpdate: lastUpdate}
	return configTransaction(common.HeaderType_CONFIG, channel, content, orderer, now)
}

func configTransaction(kind common.HeaderType, channel string, content proto.Message, signer Signer, now time.Time) (*common.Envelope, error) {
	by, err := signatureHeader(signer, rand.Reader)
	if err != nil {
		return nil, err
	}
	header := &common.ChannelHeader{
		Type: int32(kind), ChannelId: channel, Timestamp: &timestamppb.Timestamp{Seconds: now.Unix()},
	}
	return seal(header, by, content, signer)
}
