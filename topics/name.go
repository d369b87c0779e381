// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
)

// Prefix begins the name of every topic of weft.
const Prefix = "/weft/1/"

// Kind is what a topic carries; it is part of the topic's name.
type Kind string

// The kinds of topics.
const (
	Announcements Kind = "announcement" // of a channel: its blocks
	Members       Kind = "membership"   // of a channel: heartbeats of the members that other organizations may see
	Organization  Kind = "organization" // of an organization: heartbeats of all of its members
)

// nameSum and idSum are how many bytes of a SHA-256 a name and a message ID keep.
const (
	nameSum = 20
	idSum   = 20
)

var lower = base32.StdEncoding.WithPadding(base32.NoPadding)

// Name is the name of a topic. For a channel, scope is the channel ID and salt the genesis block's header hash; for an
// organization, scope is the MSP ID and salt the organization's secret. Names travel in clear to every pubsub neighbour, so
// they do not spell the channel: it is a hash, of
//
//	"weft/topic/1" 0x00 kind 0x00 scope 0x00 salt
func Name(kind Kind, scope string, salt []byte) string {
	h := sha256.New()
	h.Write([]byte("weft/topic/1\x00" + string(kind) + "\x00" + scope + "\x00"))
	h.Write(salt)
	return Prefix + strings.ToLower(lower.EncodeToString(h.Sum(nil)[:nameSum]))
}

// MessageID is the message ID of every topic of weft: the first 20 bytes of SHA-256(topic 0x00 data). It covers every byte,
// because gossipsub marks an ID as seen before the validator runs: were a byte left out, a forged copy that comes first
// would shadow the true message. It does not look at author or sequence number, so it is the same under every signing policy.
func MessageID(m *pubsubpb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write([]byte{0})
	h.Write(m.GetData())
	return string(h.Sum(nil)[:idSum])
}
