// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

// mesh counts a host's neighbours in the one mesh there is, as pubsub tells of it.
type mesh struct {
	mu         sync.Mutex // guards neighbours
	neighbours map[string]bool
}

func (m *mesh) Trace(e *pb.TraceEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.GetType() {
	case pb.TraceEvent_GRAFT:
		m.neighbours[string(e.GetGraft().GetPeerID())] = true
	case pb.TraceEvent_PRUNE:
		delete(m.neighbours, string(e.GetPrune().GetPeerID()))
	}
}

func (m *mesh) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.neighbours)
}

// TestDegree: fourteen hosts, all connected, keep as many neighbours in the mesh as they are told to, and hear all that anybody
// says, at the least degree too.
func TestDegree(t *testing.T) {
	for _, c := range []struct{ degree, least, most int }{{host.MinDegree, 2, 5}, {0, 3, 6}, {6, 5, 8}} {
		t.Run(fmt.Sprint(c.degree), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) { gossipAt(t, s, c.degree, c.least, c.most) })
		})
	}
}

func gossipAt(t *testing.T, s *sim, degree, least, most int) {
	const hosts = 14
	members := new(allowOnly)
	var all []*host.Host
	var meshes []*mesh
	for range hosts {
		m := &mesh{neighbours: map[string]bool{}}
		h := s.host(func(cfg *host.Config) {
			cfg.Degree, cfg.PubSubOptions = degree, []pubsub.Option{
				pubsub.WithEventTracer(m), pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.Data) }),
			}
		})
		attach(t, h.Guard, members)
		members.set(h.ID(), true)
		for _, other := range all {
			connect(t, h, other)
		}
		all, meshes = append(all, h), append(meshes, m)
	}
	var says []*pubsub.Topic
	var hears []*inbox
	for _, h := range all {
		topic, heard := join(t, h.PubSub, weftTopic)
		says, hears = append(says, topic), append(hears, heard)
	}
	time.Sleep(20 * time.Second)
	var sizes []int
	for _, m := range meshes {
		sizes = append(sizes, m.size())
	}
	t.Logf("neighbours: %v", sizes)
	require.GreaterOrEqual(t, slices.Min(sizes), least)
	require.LessOrEqual(t, slices.Max(sizes), most)

	var said []string
	for i, topic := range says {
		said = append(said, fmt.Sprintf("message %02d", i))
		require.NoError(t, topic.Publish(t.Context(), []byte(said[i])))
	}
	time.Sleep(time.Second)
	for _, heard := range hears {
		require.ElementsMatch(t, said, heard.all())
	}
}
