// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/orderer"
)

func TestJoinRestartLeave(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 4)
	core := n.core(t, n.Org1, "peer0")
	first := start(t, daemon.Config{Core: core})
	id := first.Node().ID()
	list, err := first.Channels(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)

	joined, err := first.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	require.Equal(t, n.Channel, joined.Channel)
	first.reach(t, n.Channel, 4)
	s, err := first.Channel(t.Context(), n.Channel)
	require.NoError(t, err)
	last := fetch(t, first.Client, n.Channel, "newest")
	require.Equal(t, block.HeaderHash(last.Header), s.CurrentBlockHash)
	require.Equal(t, last.Header.PreviousHash, s.PreviousBlockHash)
	require.Equal(t, admin.Running, s.State)
	require.Equal(t, "static", s.Mode)
	require.Equal(t, id.String(), s.Leader)
	require.Equal(t, n.address, s.Source.Endpoint)
	require.EqualValues(t, 3, s.Source.Blocks)
	first.stop()
	require.NoFileExists(t, daemon.SocketPath(core.DataDir()))

	second := start(t, daemon.Config{Core: core})
	require.Equal(t, id, second.Node().ID())
	second.reach(t, n.Channel, 4)
	n.Fill(t, n.service, 6)
	second.reach(t, n.Channel, 6)
	require.NoError(t, second.Leave(t.Context(), n.Channel))
	_, err = second.Channel(t.Context(), n.Channel)
	require.ErrorIs(t, err, admin.ErrNotFound)
	second.stop()

	third := start(t, daemon.Config{Core: core})
	list, err = third.Channels(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	again, err := third.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	require.EqualValues(t, 6, again.Height, "the blocks stayed")
}

func fetch(t *testing.T, c *admin.Client, channel, which string) *common.Block {
	t.Helper()
	raw, err := c.Block(t.Context(), channel, which, nil)
	require.NoError(t, err)
	b := &common.Block{}
	require.NoError(t, proto.Unmarshal(raw, b))
	return b
}

func TestFollowerGetsBlocksFromItsLeader(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 3)
	leader := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	_, err := leader.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	leader.reach(t, n.Channel, 3)

	core := follow(n.core(t, n.Org1, "peer1"))
	core.Bootstrap = []string{leader.ListenAddress()}
	follower := start(t, daemon.Config{Core: core})
	_, err = follower.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	follower.reach(t, n.Channel, 3)
	n.Fill(t, n.service, 5)
	follower.reach(t, n.Channel, 5)

	s, err := follower.Channel(t.Context(), n.Channel)
	require.NoError(t, err)
	require.Equal(t, "standby", s.Mode)
	require.False(t, s.Leads)
	require.Nil(t, s.Source)
	require.Equal(t, leader.Node().ID().String(), s.Leader)
	require.Len(t, s.Peers, 1)
	require.True(t, s.Peers[0].Connected)
	peers, err := follower.Peers(t.Context())
	require.NoError(t, err)
	require.Len(t, peers, 2)
	require.True(t, peers[0].Self, "the node itself is the first")
	require.Equal(t, follower.Node().ID().String(), peers[0].ID)
	require.Equal(t, n.Channel, peers[0].Channels[0].Channel)
	require.Equal(t, n.Org1.MSPID, peers[1].MSPID)
	require.Equal(t, n.Channel, peers[1].Channels[0].Channel)
	for _, p := range peers {
		require.WithinDuration(t, time.Now().AddDate(10, 0, 0), p.Expires, 10*24*time.Hour, "end of the certificate")
	}
	open, most := n.service.Streams()
	require.Equal(t, [2]int{1, 1}, [2]int{open, most}, "one stream for the organization")
	status, body := get(t, follower, "/healthz")
	require.Equal(t, http.StatusOK, status, body)
}

func TestBlocksByPosition(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 3)
	d := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	d.reach(t, n.Channel, 3)
	for which, number := range map[string]uint64{"oldest": 0, "config": 0, "newest": 2, "0": 0, "1": 1, "2": 2} {
		require.Equal(t, number, fetch(t, d.Client, n.Channel, which).Header.Number, which)
	}
	for which, kind := range map[string]error{"3": admin.ErrNotFound, "-1": admin.ErrInvalid, "last": admin.ErrInvalid, "99999999999999999999": admin.ErrInvalid} {
		_, err := d.Block(t.Context(), n.Channel, which, nil)
		require.ErrorIs(t, err, kind, which)
	}
	_, err = d.Block(t.Context(), "other", "0", nil)
	require.ErrorIs(t, err, admin.ErrNotFound)
}

func TestJoinAtStart(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 2)
	file := filepath.Join(n.dir, "genesis.block")
	require.NoError(t, os.WriteFile(file, n.genesisBytes(t), 0o600))
	cfg := daemon.Config{Core: n.core(t, n.Org1, "peer0"), Join: []string{file}}
	first := start(t, cfg)
	first.reach(t, n.Channel, 2)
	first.stop()
	second := start(t, cfg) // it is joined already
	second.reach(t, n.Channel, 2)
	second.stop()

	other := newNetwork(t)
	require.NoError(t, os.WriteFile(file, other.genesisBytes(t), 0o600))
	d, err := daemon.New(cfg)
	require.NoError(t, err)
	require.ErrorContains(t, d.Run(t.Context()), "leave it first")
}

func TestTheSecondDaemonGetsNoAddressOfTheFirst(t *testing.T) {
	n := newNetwork(t)
	first := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer udp.Close()
	_, port, err := net.SplitHostPort(udp.LocalAddr().String())
	require.NoError(t, err)
	for name, change := range map[string]struct {
		core func(*coreyaml.Config)
		says string
	}{
		"libp2p": {func(c *coreyaml.Config) { c.ListenAddresses = []string{first.ListenAddress()} }, "change weft.listenAddresses"},
		"QUIC": {func(c *coreyaml.Config) {
			c.ListenAddresses = append(c.ListenAddresses, "/ip4/0.0.0.0/udp/"+port+"/quic-v1")
		}, "change weft.listenAddresses"},
		"operations": {func(c *coreyaml.Config) { c.Operations.ListenAddress = first.OperationsAddress().String() }, "weft.operations.listenAddress"},
	} {
		t.Run(name, func(t *testing.T) {
			core := n.core(t, n.Org1, "peer1")
			change.core(core)
			_, err := daemon.New(daemon.Config{Core: core})
			require.ErrorContains(t, err, change.says)
			require.ErrorContains(t, err, "in use")
			start(t, daemon.Config{Core: n.core(t, n.Org1, "peer1")}).stop() // nothing is held
		})
	}
}

// get asks the operations listener.
func get(t *testing.T, r running, path string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + r.OperationsAddress().String() + path)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 2)
	d := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	d.reach(t, n.Channel, 2)
	status, body := get(t, d, "/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, name := range []string{"gossip_state_height{channel=\"orders\"} 2", "go_goroutines", "process_open_fds", "libp2p_"} {
		require.Contains(t, body, name)
	}

	core := n.core(t, n.Org1, "peer1")
	core.MetricsProvider = "disabled"
	status, _ = get(t, start(t, daemon.Config{Core: core}), "/metrics")
	require.Equal(t, http.StatusNotFound, status)
}

// visible gives a peer an address that other organizations are told.
func visible(t *testing.T, c *coreyaml.Config) *coreyaml.Config {
	t.Helper()
	c.ExternalEndpoint = freeAddress(t)
	host, port, err := net.SplitHostPort(c.ExternalEndpoint)
	require.NoError(t, err)
	c.ListenAddresses = []string{"/ip4/" + host + "/tcp/" + port}
	return c
}

func TestOtherOrganizationsAreToldOfALeave(t *testing.T) {
	n, log := newNetwork(t), newListener()
	n.order(t, 3)
	first := start(t, daemon.Config{Core: visible(t, n.core(t, n.Org1, "peer0")), Log: log.logger()})
	core := follow(visible(t, n.core(t, n.Org2, "peer0")))
	core.Bootstrap = []string{first.ListenAddress()}
	second := start(t, daemon.Config{Core: core})
	for _, d := range []running{first, second} {
		_, err := d.Join(t.Context(), n.genesisBytes(t))
		require.NoError(t, err)
		d.reach(t, n.Channel, 3)
	}
	log.await(t, "joined.peers=["+second.Node().ID().String()+"]")
	peers, err := first.Peers(t.Context())
	require.NoError(t, err)
	require.Len(t, peers, 2)
	require.Equal(t, n.Org2.MSPID, peers[1].MSPID)
	require.Equal(t, core.ExternalAddrs(), peers[1].Addresses)

	require.NoError(t, second.Leave(t.Context(), n.Channel))
	log.await(t, "left.peers=["+second.Node().ID().String()+"]")
}

func TestOrdererThatWantsAClientCertificate(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 3, func(c *orderer.Config) { c.ClientAuth = true })
	cert, key, err := n.Org1.TLS("peer0", nil, time.Now())
	require.NoError(t, err)
	core := n.core(t, n.Org1, "peer0")
	core.Deliver.ClientCert, core.Deliver.ClientKey = filepath.Join(n.dir, "client.crt"), filepath.Join(n.dir, "client.key")
	require.NoError(t, os.WriteFile(core.Deliver.ClientCert, cert, 0o600))
	require.NoError(t, os.WriteFile(core.Deliver.ClientKey, key, 0o600))
	d := start(t, daemon.Config{Core: core})
	_, err = d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	d.reach(t, n.Channel, 3)
}
