// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"maps"
	"time"

	"gopkg.in/yaml.v3"
)

// setter puts a value into the Config that is being read. Its error says what to write instead.
type setter func(*yaml.Node) error

// draft is a Config that is being read, with what is only needed to finish it.
type draft struct {
	Config
	dir string // of core.yaml: what relative file names are relative to

	listen     []string // weft.listenAddresses as written
	clientAuth bool     // peer.tls.clientAuthRequired
	cert, key  string   // peer.tls.cert.file, peer.tls.key.file
	provider   string   // metrics.provider as written
}

// newDraft holds the defaults. They are Fabric's where the key is.
func newDraft(dir string) *draft {
	return &draft{dir: dir, Config: Config{
		MSPPath: absolute(dir, "msp"), FileSystemPath: defaultFileSystemPath,
		Gossip: Gossip{
			AliveTimeInterval: 5 * time.Second, MsgExpirationFactor: 20,
			Election: Election{
				StartupGracePeriod: 15 * time.Second, MembershipSampleInterval: time.Second,
				LeaderAliveThreshold: 10 * time.Second, LeaderElectionDuration: 5 * time.Second,
				Turn: 500 * time.Millisecond, LeaderBeat: time.Second, Pullers: 1,
				Settle: 500 * time.Millisecond, MaxLag: 256, MaxLagTime: 10 * time.Second, LookAfter: 30 * time.Second,
			},
		},
		Deliver: Deliver{
			ReconnectBackoffThreshold: time.Hour, ReconnectTotalTimeThreshold: time.Hour,
			MinimalReconnectInterval: 100 * time.Millisecond, BlockCensorshipTimeout: 30 * time.Second, ConnTimeout: 3 * time.Second,
			KeepaliveInterval: 60 * time.Second, KeepaliveTimeout: 20 * time.Second,
		},
		Operations:      Operations{ListenAddress: DefaultOperationsAddress},
		ListenAddresses: []string{"/ip4/0.0.0.0/tcp/7061", "/ip4/0.0.0.0/udp/7061/quic-v1"},
		FullMesh:        DefaultFullMesh, Members: DefaultMembers, Parity: true,
	}, provider: "prometheus", cert: absolute(dir, "tls/server.crt"), key: absolute(dir, "tls/server.key")}
}

// fields are the keys that mean something here, as they are spelled.
func (d *draft) fields() map[string]setter {
	all := d.fabricFields()
	maps.Copy(all, d.deliverFields())
	maps.Copy(all, d.weftFields())
	return all
}

func (d *draft) fabricFields() map[string]setter {
	g, e := &d.Gossip, &d.Gossip.Election
	return map[string]setter{
		"peer.id":             text(&d.ID),
		"peer.localMspId":     text(&d.MSPID),
		"peer.mspConfigPath":  d.path(&d.MSPPath),
		"peer.fileSystemPath": d.path(&d.FileSystemPath),

		"peer.gossip.useLeaderElection":      flag(&g.UseLeaderElection),
		"peer.gossip.orgLeader":              flag(&g.OrgLeader),
		"peer.gossip.aliveTimeInterval":      duration(&g.AliveTimeInterval),
		"peer.gossip.aliveExpirationTimeout": duration(&g.AliveExpirationTimeout),
		"peer.gossip.msgExpirationFactor":    number(&g.MsgExpirationFactor),
		"peer.gossip.propagatePeerNum":       atMost(maxNeighbours, &g.PropagatePeerNum),

		"peer.gossip.election.startupGracePeriod":       duration(&e.StartupGracePeriod),
		"peer.gossip.election.membershipSampleInterval": duration(&e.MembershipSampleInterval),
		"peer.gossip.election.leaderAliveThreshold":     duration(&e.LeaderAliveThreshold),
		"peer.gossip.election.leaderElectionDuration":   duration(&e.LeaderElectionDuration),

		"peer.tls.clientAuthRequired": boolean(&d.clientAuth),
		"peer.tls.clientCert.file":    d.path(&d.Deliver.ClientCert),
		"peer.tls.clientKey.file":     d.path(&d.Deliver.ClientKey),
		"peer.tls.cert.file":          d.path(&d.cert),
		"peer.tls.key.file":           d.path(&d.key),

		"metrics.provider": oneOf(&d.provider, "prometheus", "statsd", "disabled"),
	}
}

func (d *draft) weftFields() map[string]setter {
	e, o := &d.Gossip.Election, &d.Operations
	return map[string]setter{
		"weft.dataDir":           d.path(&d.dataDir),
		"weft.listenAddresses":   checked(list(&d.listen), &d.listen, listenable),
		"weft.endpoint":          checkedText(&d.Endpoint, dialable),
		"weft.externalEndpoint":  checkedText(&d.ExternalEndpoint, dialable),
		"weft.bootstrap":         checked(list(&d.Bootstrap), &d.Bootstrap, dialable),
		"weft.orgSecret":         text((*string)(&d.OrgSecret)),
		"weft.anchorOverrides":   d.anchorOverrides,
		"weft.relay.fullMeshMax": between(&d.FullMesh, 2, 2000),
		"weft.relay.parity":      unlessEmpty(&d.Parity),
		"weft.members":           number(&d.Members),

		"weft.election.turn":       duration(&e.Turn),
		"weft.election.leaderBeat": duration(&e.LeaderBeat),
		"weft.election.pullers":    number(&e.Pullers),
		"weft.election.settle":     duration(&e.Settle),
		"weft.election.maxLag":     number(&e.MaxLag),
		"weft.election.maxLagTime": duration(&e.MaxLagTime),
		"weft.election.lookAfter":  duration(&e.LookAfter),

		"weft.deliver.listeners":             d.deliverListeners,
		"weft.deliver.limits.streams":        number(&d.DeliverLimits.Streams),
		"weft.deliver.limits.addressStreams": number(&d.DeliverLimits.AddressStreams),
		"weft.deliver.limits.message":        number(&d.DeliverLimits.Message),

		"weft.operations.listenAddress":           checkedText(&o.ListenAddress, listenPort),
		"weft.operations.tls.enabled":             boolean(&o.TLS.Enabled),
		"weft.operations.tls.cert.file":           d.path(&o.TLS.Cert),
		"weft.operations.tls.key.file":            d.path(&o.TLS.Key),
		"weft.operations.tls.clientAuthRequired":  boolean(&o.TLS.ClientAuthRequired),
		"weft.operations.tls.clientRootCAs.files": d.paths(&o.TLS.ClientRootCAs),
	}
}

// deliverFields are those of the delivery client.
func (d *draft) deliverFields() map[string]setter {
	return map[string]setter{
		"peer.deliveryclient.reConnectBackoffThreshold":   duration(&d.Deliver.ReconnectBackoffThreshold),
		"peer.deliveryclient.reconnectTotalTimeThreshold": duration(&d.Deliver.ReconnectTotalTimeThreshold),
		"peer.deliveryclient.minimalReconnectInterval":    duration(&d.Deliver.MinimalReconnectInterval),
		"peer.deliveryclient.blockCensorshipTimeoutKey":   duration(&d.Deliver.BlockCensorshipTimeout),
		"peer.deliveryclient.connTimeout":                 duration(&d.Deliver.ConnTimeout),
		"peer.deliveryclient.policy":                      oneOf(&d.Deliver.Policy, "cluster", "simple"),
		"peer.deliveryclient.addressOverrides":            d.addressOverrides,
		"peer.keepalive.deliveryClient.interval":          duration(&d.Deliver.KeepaliveInterval),
		"peer.keepalive.deliveryClient.timeout":           duration(&d.Deliver.KeepaliveTimeout),
	}
}
