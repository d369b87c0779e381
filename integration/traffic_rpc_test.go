// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"sync"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/topics"
)

// TestHeartbeatsAreNotCopies: what pubsub says of heartbeats alone is not counted as spreading blocks; all else is.
func TestHeartbeatsAreNotCopies(t *testing.T) {
	blocks, other := "blocks", "members"
	message := func(topic string) *pb.Message { return &pb.Message{Topic: &topic, Data: []byte("said on " + topic)} }
	heartbeats := new(sync.Map)
	heartbeats.Store(topics.MessageID(message(other)), true)
	ids := func(topic string) []string { return []string{topics.MessageID(message(topic))} }
	for name, c := range map[string]struct {
		publish []*pb.Message
		control *pb.ControlMessage
		counted bool
	}{
		"heartbeat":                    {[]*pb.Message{message(other)}, nil, false},
		"announcement":                 {[]*pb.Message{message(blocks)}, nil, true},
		"both":                         {[]*pb.Message{message(other), message(blocks)}, nil, true},
		"offer of a heartbeat":         {nil, &pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: &other, MessageIDs: ids(other)}}}, false},
		"offer of an announcement":     {nil, &pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: &blocks, MessageIDs: ids(blocks)}}}, true},
		"no heartbeat, please":         {nil, &pb.ControlMessage{Idontwant: []*pb.ControlIDontWant{{MessageIDs: ids(other)}}}, false},
		"no announcement, please":      {nil, &pb.ControlMessage{Idontwant: []*pb.ControlIDontWant{{MessageIDs: ids(blocks)}}}, true},
		"an announcement is asked for": {nil, &pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: ids(blocks)}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := listener{traffic: newTraffic(), announcements: blocks, heartbeats: heartbeats}
			l.RecvRPC(&pubsub.RPC{RPC: pb.RPC{Publish: c.publish, Control: c.control}})
			require.Equal(t, c.counted, l.traffic.heartbeats == 0)
		})
	}
}
