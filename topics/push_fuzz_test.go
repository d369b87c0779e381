// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/pb"
)

// FuzzPush: what passes is within the limits, what does not is an offence.
func FuzzPush(f *testing.F) {
	f.Add([]byte{10, 1, 'a', 18, 1, 'b'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &pb.Push{}
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		if err := topics.CheckPush(m); err != nil {
			require.ErrorIs(t, err, stream.ErrViolation)
			return
		}
		require.LessOrEqual(t, len(m.Topic), topics.MaxTopic)
		require.LessOrEqual(t, len(m.Data), topics.MaxMessage)
	})
}

func TestPushLimits(t *testing.T) {
	for name, c := range map[string]struct {
		topic, data int
		ok          bool
	}{
		"at the limits":      {topics.MaxTopic, topics.MaxMessage, true},
		"topic one too long": {topics.MaxTopic + 1, 1, false},
		"data one too long":  {1, topics.MaxMessage + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := topics.CheckPush(&pb.Push{Topic: strings.Repeat("t", c.topic), Data: make([]byte, c.data)})
			require.Equal(t, c.ok, err == nil)
		})
	}
}
