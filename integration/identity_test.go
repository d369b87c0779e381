// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/weft-p2p/weft"
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// logged counts the lines of a log from Info on.
type logged struct {
	slog.Handler
	mu    *sync.Mutex // guards lines
	lines *[]string
}

func newLogged() logged {
	return logged{slog.DiscardHandler, new(sync.Mutex), new([]string)}
}

func (l logged) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (l logged) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.lines = append(*l.lines, r.Level.String()+" "+r.Message)
	return nil
}

// since returns the lines from a number on, and how many there are.
func (l logged) since(number int) ([]string, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), (*l.lines)[number:]...), len(*l.lines)
}

// TestRenewalIsOneInfoLineAndNobodyElseNotices: the elected leader renews its certificate, with the same key and with a new
// one. No connection of anybody ends or begins, the leader stays the leader, and the only line from Info on in any log within
// a minute is its own.
func TestRenewalIsOneInfoLineAndNobodyElseNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 2, 3)
		logs := make([]logged, len(n.peers))
		for i, p := range n.peers {
			logs[i] = newLogged()
			p.options = []weft.Option{weft.WithLogger(slog.New(logs[i]))}
			p.start(elected())
		}
		time.Sleep(time.Minute)
		n.order(2, 2<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		leader := n.leaders()[0]
		id, expires := leader.host.ID(), time.Now().AddDate(1, 0, 0)
		for _, renew := range []func(){
			func() { leader.renew(expires) },
			func() {
				leader.node = n.enroll(leader.org, "peer0", devnet.Peer)
				leader.renew(expires)
			},
		} {
			leads, connections, before := n.leaders(), map[int]any{}, make([]int, len(n.peers))
			for i, p := range n.peers {
				connections[i] = p.connections()
				_, before[i] = logs[i].since(0)
			}
			renew()
			n.order(5, 2<<10, 100*time.Millisecond)
			time.Sleep(time.Minute)
			n.requireAll(time.Second, n.peers...)
			n.requireView(n.peers...)
			require.Equal(t, leads, n.leaders())
			require.Equal(t, id, leader.host.ID())
			for i, p := range n.peers {
				require.Equal(t, connections[i], any(p.connections()), "connections of peer %d", i)
				lines, _ := logs[i].since(before[i])
				if p == leader {
					require.Equal(t, []string{"INFO identity renewed"}, lines)
					continue
				}
				require.Empty(t, lines, "log of peer %d", i)
				require.Equal(t, leader.node.Certificate.Raw, n.member(p, id).Record.Identity().Certificate().Raw)
			}
		}
	})
}

// TestOnlyPeersActAsPeersUnlessNodeOUsAreOff: a node with the identity of a client, an administrator or an orderer does not
// start, and whoever shows such an identity by hand is refused; without NodeOUs any member may.
func TestOnlyPeersActAsPeersUnlessNodeOUsAreOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 2)
		free := n.newOrg("Free")
		free.DropNodeOUs(n.enroll(free, "boss", devnet.Client))
		n.startAll()
		n.configure(devnet.AddOrg(free))
		n.requireAll(time.Second, n.peers...)
		for i, role := range []devnet.Role{devnet.Client, devnet.Admin, devnet.Orderer} {
			s := n.newStranger(100+i, n.orgs[0])
			node := n.enroll(n.orgs[0], "other"+string(role), role)
			local, err := node.Local()
			require.NoError(t, err)
			require.ErrorIs(t, n.nodeOf(local), msp.ErrPrincipal, "a node that is a %s", role)

			record, err := msp.IssueRecord(s.key, local.Signer, 1, time.Now())
			require.NoError(t, err)
			s.connect(n.peers[0])
			require.Equal(t, hostpb.Status_STATUS_REFUSED, s.shows(n.peers[0], record), "%s", role)

			s = n.newStranger(200+i, n.orgs[0])
			local, err = n.enroll(free, "any"+string(role), role).Local()
			require.NoError(t, err)
			record, err = msp.IssueRecord(s.key, local.Signer, 1, time.Now())
			require.NoError(t, err)
			s.connect(n.peers[0])
			require.Equal(t, hostpb.Status_STATUS_VERIFIED, s.shows(n.peers[0], record), "%s without NodeOUs", role)
		}
	})
}

// nodeOf is what becomes of a new node with an identity that is no good.
func (n *testNet) nodeOf(local *msp.Local) error {
	p := n.add(n.orgs[0], len(n.peers))
	h := p.newHost()
	defer h.Close()
	_, err := weft.New(h, h.pubsub, local)
	return err
}

// shows authenticates by hand and returns the answer.
func (s *stranger) shows(p *testPeer, record *msp.Record) hostpb.Status {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	raw, err := s.host.NewStream(ctx, p.host.ID(), weftHost.AuthProtocol.ID)
	require.NoError(s.net.t, err)
	_, err = raw.Write(delimited(&hostpb.AuthRequest{Record: record.Bytes()}))
	require.NoError(s.net.t, err)
	answer := &hostpb.AuthResponse{}
	_ = raw.SetReadDeadline(time.Now().Add(3 * time.Second))
	if err := protodelim.UnmarshalFrom(bufio.NewReader(raw), answer); err != nil {
		return hostpb.Status_STATUS_UNSPECIFIED
	}
	return answer.Status
}

// TestNotYetValidIdentityIsGoodWhenItsTimeComes: fifteen minutes before by our clock, since clocks differ.
func TestNotYetValidIdentityIsGoodWhenItsTimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 1)
		n.startAll()
		s := n.newStranger(100, n.orgs[0])
		from := time.Now().Add(time.Hour).Truncate(time.Second)
		node, err := n.orgs[0].Renew(n.enroll(n.orgs[0], "early", devnet.Peer), from, from.Add(10*time.Hour))
		require.NoError(t, err)
		local, err := node.Local()
		require.NoError(t, err)
		require.ErrorIs(t, n.nodeOf(local), msp.ErrNotYetValid)
		record, err := msp.IssueRecord(s.key, local.Signer, 1, from)
		require.NoError(t, err)
		s.connect(n.peers[0])
		require.Equal(t, hostpb.Status_STATUS_UNSPECIFIED, s.shows(n.peers[0], record), "an hour before")
		time.Sleep(time.Until(from.Add(-msp.ClockSlack - time.Second)))
		s.connect(n.peers[0])
		require.Equal(t, hostpb.Status_STATUS_UNSPECIFIED, s.shows(n.peers[0], record), "a second before the slack")
		time.Sleep(2 * time.Second)
		s.connect(n.peers[0])
		require.Equal(t, hostpb.Status_STATUS_VERIFIED, s.shows(n.peers[0], record))
	})
}

// TestMemberCannotPassForAnotherOrganization: a member whose heartbeats are good sends one under the MSP ID of another
// organization, with the same certificate. It is no member then, for anybody.
func TestMemberCannotPassForAnotherOrganization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 2)
		n.startAll()
		n.requireView(n.peers...)
		liar := n.peers[1]
		signer, err := msp.NewSigningIdentity(n.orgs[1].MSPID, liar.node.CertPEM(), liar.node.Key)
		require.NoError(t, err)
		record, err := msp.IssueRecord(liar.key, signer, uint64(time.Now().Add(time.Minute).UnixNano()), time.Now())
		require.NoError(t, err)
		content, err := membership.Heartbeat{Sequence: 1 << 40, Channels: []membership.ChannelState{
			{Scope: n.topicNames()[0], Height: 1, HeadHash: make([]byte, 32), Leader: true},
		}}.Marshal()
		require.NoError(t, err)
		name := n.topicNames()[1]
		sealed, err := msp.Seal(membership.Purpose, name, record, signer, content)
		require.NoError(t, err)
		for _, p := range n.peers {
			if p != liar {
				s := liar.hold(p, topics.PushProtocol.ID, delimited(&topicspb.Push{Topic: name, Data: sealed}))
				require.NoError(t, s.CloseWrite())
			}
		}
		time.Sleep(time.Second)
		for _, p := range n.peers {
			if p != liar {
				require.Equal(t, n.orgs[0].MSPID, n.member(p, liar.host.ID()).MSPID, "as peer %d knows it", p.number)
			}
		}
	})
}
