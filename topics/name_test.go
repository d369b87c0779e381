// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/topics"
)

func salt() []byte {
	s := make([]byte, 32)
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

func TestNamesAreThoseOfTheSpec(t *testing.T) {
	for _, row := range spectest.Table(t, "topics.md", "Vectors of names") {
		require.Equal(t, row[2], topics.Name(topics.Kind(row[0]), row[1], salt()))
	}
}

func TestNamesDifferInEveryPart(t *testing.T) {
	name := topics.Name(topics.Announcements, "mychannel", salt())
	require.Len(t, name, 40)
	require.True(t, strings.HasPrefix(name, topics.Prefix))
	require.NotContains(t, name, "mychannel")
	for _, other := range []string{
		topics.Name(topics.Members, "mychannel", salt()),
		topics.Name(topics.Announcements, "mychannel2", salt()),
		topics.Name(topics.Announcements, "mychannel", salt()[1:]),
		topics.Name(topics.Announcements, "mychanne", append([]byte("l"), salt()...)),
	} {
		require.NotEqual(t, name, other)
	}
}

func TestMessageIDsAreThoseOfTheSpec(t *testing.T) {
	topic := topics.Name(topics.Announcements, "mychannel", salt())
	for _, row := range spectest.Table(t, "topics.md", "Vectors of message IDs") {
		data, err := hex.DecodeString(row[0])
		require.NoError(t, err)
		require.Equal(t, row[1], hex.EncodeToString([]byte(topics.MessageID(&pubsubpb.Message{Topic: &topic, Data: data}))))
	}
}

func TestMessageIDCoversTopicAndDataAlone(t *testing.T) {
	id := func(topic, data string) string {
		return topics.MessageID(&pubsubpb.Message{Topic: &topic, Data: []byte(data)})
	}
	topic, data := "/weft/1/a", []byte("data")
	authored := &pubsubpb.Message{Topic: &topic, Data: data, From: []byte("me"), Seqno: []byte{1}, Signature: []byte{2}, Key: []byte{3}}
	require.Equal(t, id(topic, "data"), topics.MessageID(authored))
	require.NotEqual(t, id(topic, "data"), id(topic, "date"))
	require.NotEqual(t, id(topic, "data"), id("/weft/1/b", "data"))
	require.NotEqual(t, id("a", "bc"), id("ab", "c"))
	require.NotEmpty(t, topics.MessageID(&pubsubpb.Message{}))
}

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	require.Equal(t, map[string]string{
		"MaxMessage": strconv.Itoa(topics.MaxMessage), "MaxTopic": strconv.Itoa(topics.MaxTopic), "Window": strconv.Itoa(topics.Window),
		"validatorTimeout": topics.ValidatorTimeout.String(), "validatorConcurrency": strconv.Itoa(topics.ValidatorConcurrency),
		"judgeRate": strconv.Itoa(topics.JudgeRate), "judgeBurst": strconv.Itoa(topics.JudgeBurst),
		"orgJudgeRate": strconv.Itoa(topics.OrgJudgeRate), "orgJudgeBurst": strconv.Itoa(topics.OrgJudgeBurst),
	}, spectest.Values(t, "topics.md", "Limits"))
	require.Equal(t, map[string]string{
		"Inline": strconv.Itoa(topics.Inline), "MaxInline": strconv.Itoa(topics.MaxInline), "MaxBody": strconv.Itoa(topics.MaxBody), "MaxProtected": strconv.Itoa(topics.MaxProtected),
		"MaxSignatures": strconv.Itoa(topics.MaxSignatures), "MaxSignatureBytes": strconv.Itoa(topics.MaxSignatureBytes),
	}, spectest.Values(t, "announcement.md", "Limits"))
	p := topics.PushProtocol
	require.Equal(t, map[string]string{
		"ID": string(p.ID), "Service": p.Service, "Memory": strconv.Itoa(p.Memory), "MaxMessage": strconv.Itoa(p.MaxMessage),
		"MaxTopic": strconv.Itoa(topics.MaxTopic), "MaxData": strconv.Itoa(topics.MaxMessage), "Deadline": p.Deadline.String(),
		"Rate": strconv.Itoa(int(p.Rate)), "Burst": strconv.Itoa(p.Burst), "Streams": strconv.Itoa(p.Streams),
		"OrgRate": strconv.Itoa(int(p.OrgRate)), "OrgBurst": strconv.Itoa(p.OrgBurst), "PeerStreams": strconv.Itoa(p.PeerStreams), "pushWaiting": strconv.Itoa(topics.PushWaiting),
		"pushParallel": strconv.Itoa(topics.PushParallel),
	}, spectest.Values(t, "push.md", "Limits"))
}
