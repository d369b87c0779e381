// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"path/filepath"
	"time"
)

// Defaults of weft's own keys.
const (
	DefaultOperationsAddress = "127.0.0.1:9543" // a stock peer has 9443
	DefaultFullMesh          = 300
	DefaultMembers           = 64
)

// Bounds of peer.gossip.propagatePeerNum. A mesh of fewer neighbours falls apart; more is a full mesh of most networks.
const minNeighbours, maxNeighbours = 3, 64

// defaultFileSystemPath is where a stock core.yaml keeps a peer's data.
const defaultFileSystemPath = "/var/hyperledger/production"

// Config is a checked configuration. File names in it are absolute or relative to the working directory.
type Config struct {
	File string // the core.yaml that was read

	ID             string // peer.id: for people alone
	MSPID          string // peer.localMspId
	MSPPath        string // peer.mspConfigPath: folder with the local MSP
	FileSystemPath string // peer.fileSystemPath

	Gossip     Gossip
	Deliver    Deliver
	Operations Operations

	// DeliverListeners are where Deliver clients are served (weft.deliver.listeners), within DeliverLimits.
	DeliverListeners []DeliverListener
	DeliverLimits    DeliverLimits

	// MetricsProvider is "prometheus" or "disabled" (metrics.provider; statsd counts as disabled, with a warning).
	MetricsProvider string

	// ListenAddresses are the multiaddrs of libp2p (weft.listenAddresses).
	ListenAddresses []string
	// Endpoint and ExternalEndpoint say how the own organization and the others reach us: host:port or a multiaddr,
	// or "" (weft.endpoint, weft.externalEndpoint). See [Config.InternalAddrs] and [Config.ExternalAddrs].
	Endpoint, ExternalEndpoint string
	// Bootstrap are members of the own organization, each host:port or a multiaddr (weft.bootstrap).
	Bootstrap []string
	// OrgSecret salts the name of the organization's topic; "" for the default (weft.orgSecret).
	OrgSecret Secret
	// AnchorOverrides maps host:port of anchor peers to the weft nodes beside them (weft.anchorOverrides).
	AnchorOverrides map[string]string
	// FullMesh is up to how many members there is a connection to each (weft.relay.fullMeshMax).
	FullMesh int
	// Parity: where packets are lost, blocks of ours may have parity (weft.relay.parity).
	Parity bool
	// Members is the number of members that limits are made for (weft.members).
	Members int

	// Notes say which settings of the file have no effect here, and why. They are to be logged once, as information.
	Notes []string
	// Warnings name settings that work and are seldom what was meant.
	Warnings []string

	dataDir string // weft.dataDir, or ""
}

// Gossip is what means the same here of peer.gossip.
type Gossip struct {
	UseLeaderElection, OrgLeader *bool // nil: not given; see [Config.LeaderMode]

	AliveTimeInterval      time.Duration // 5 s
	AliveExpirationTimeout time.Duration // 5 x AliveTimeInterval
	MsgExpirationFactor    int           // 20

	// PropagatePeerNum is how many neighbours gossip has, and how many peers are asked for what is missing; 0: not given.
	PropagatePeerNum int

	Election Election
}

// Election is peer.gossip.election and weft.election.
type Election struct {
	StartupGracePeriod       time.Duration // 15 s
	MembershipSampleInterval time.Duration // 1 s
	LeaderAliveThreshold     time.Duration // 10 s
	LeaderElectionDuration   time.Duration // 5 s

	Turn       time.Duration // how long each better candidate is waited for when a leader has gone; 500 ms
	LeaderBeat time.Duration // how often a leader beats on its organization's topic; 1 s
	Pullers    int           // how many members of the organization pull at the same time; 1
	Settle     time.Duration // how long a view must bring nobody new before it counts as complete; 500 ms
	MaxLag     int           // how many blocks a peer may be behind before it counts as behind; 256
	MaxLagTime time.Duration // how long a leader may be behind without getting nearer; 10 s
	LookAfter  time.Duration // after how long without a block members look at the ordering service themselves; 0: never; 30 s
}

// Deliver is how a leader talks to the ordering service: peer.deliveryclient, peer.keepalive.deliveryClient and peer.tls.
type Deliver struct {
	ReconnectBackoffThreshold   time.Duration // longest pause between two attempts; 1 h
	ReconnectTotalTimeThreshold time.Duration // how long a leader by election tries before it gives up; 1 h
	MinimalReconnectInterval    time.Duration // first pause between two attempts; 100 ms
	BlockCensorshipTimeout      time.Duration // how long an orderer may withhold a block that is known to exist; 30 s
	ConnTimeout                 time.Duration // 3 s
	KeepaliveInterval           time.Duration // 60 s
	KeepaliveTimeout            time.Duration // 20 s
	Policy                      string        // on BFT channels: "cluster", also "": headers come from other orderers; "simple": they do not

	AddressOverrides []AddressOverride

	// ClientCert and ClientKey are PEM files for orderers that want mutual TLS. Both are "" unless
	// peer.tls.clientAuthRequired is true.
	ClientCert, ClientKey string
}

// AddressOverride replaces an orderer endpoint of channel configurations.
type AddressOverride struct {
	From, To    string // host:port
	CACertsFile string // PEM file with the roots that To is trusted by; "" for those of the channel configuration
}

// Operations is where /metrics and the like are served: weft.operations.
type Operations struct {
	ListenAddress string // host:port
	TLS           OperationsTLS
}

// OperationsTLS is weft.operations.tls. All names are PEM files.
type OperationsTLS struct {
	Enabled            bool
	Cert, Key          string
	ClientAuthRequired bool
	ClientRootCAs      []string
}

// LeaderMode says who decides whether this peer pulls blocks from the ordering service for its organization.
type LeaderMode int

// Leader modes.
const (
	Unspecified LeaderMode = iota // never returned
	Static                        // always this peer
	Dynamic                       // the organization's peers elect one
	Standby                       // never this peer
)

func (m LeaderMode) String() string {
	switch m {
	case Static:
		return "static"
	case Dynamic:
		return "dynamic"
	case Standby:
		return "standby"
	}
	return "unspecified"
}

// LeaderMode follows from peer.gossip.orgLeader and peer.gossip.useLeaderElection: true for the one is Static, true for the other
// is Dynamic, which is also the default; useLeaderElection false without a static leader is Standby. Load refuses both.
func (c *Config) LeaderMode() LeaderMode {
	switch elect := c.Gossip.UseLeaderElection; {
	case c.Gossip.OrgLeader != nil && *c.Gossip.OrgLeader:
		return Static
	case elect == nil || *elect:
		return Dynamic
	}
	return Standby
}

// DataDir is the folder of all that weft keeps: weft.dataDir, by default "weft" below peer.fileSystemPath.
func (c *Config) DataDir() string {
	if c.dataDir != "" {
		return c.dataDir
	}
	return filepath.Join(c.FileSystemPath, "weft")
}
