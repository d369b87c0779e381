// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// Bundle is the configuration of a channel. Immutable, safe for concurrent use; what its methods return is shared and
// must not be changed.
type Bundle struct {
	channelID string
	number    uint64
	version   msp.Version
	config    *common.Config
	channel   *channelValues
	orderer   *ordererValues

	msps        map[string]*msp.MSP
	orgs        []Org
	ordererOrgs []OrdererOrg
	endpoints   []Endpoint
	consenters  map[uint32]*msp.Identity // nil where the identity cannot be parsed; empty unless the channel is BFT
	policies    *policy.Tree
	mspIDs      map[string]string // path of an organization's group -> MSP ID, Idemix included

	capabilities map[string]map[string]*common.Capability // level -> name
	acls         map[string]*peer.APIResource             // resource of peers -> policy

	creators creators
}

// Org is an application organization of a channel.
type Org struct {
	Name    string // of its group in the configuration; not the MSP ID
	MSPID   string
	MSP     *msp.MSP
	Anchors []Anchor
}

// Anchor is the address of an anchor peer as the configuration names it: a stock peer's gRPC endpoint.
type Anchor struct {
	Host string
	Port int
}

// OrdererOrg is an organization that runs ordering nodes.
type OrdererOrg struct {
	Name      string
	MSPID     string
	MSP       *msp.MSP
	Endpoints []string // host:port; empty when the channel uses global addresses
}

// Endpoint is the address of an ordering node, with the certificates that its TLS certificate must chain to.
type Endpoint struct {
	Address  string   // host:port
	MSPID    string   // of the organization that runs it; "" for a global address
	TLSRoots [][]byte // PEM, roots and intermediates
}

// ChannelID returns the channel that the configuration is for.
func (b *Bundle) ChannelID() string { return b.channelID }

// Number returns the number of the configuration block.
func (b *Bundle) Number() uint64 { return b.number }

// Sequence returns how many configurations came before this one.
func (b *Bundle) Sequence() uint64 { return b.config.GetSequence() }

// Config returns the configuration itself.
func (b *Bundle) Config() *common.Config { return b.config }

// Orgs returns the application organizations, sorted by name. Organizations with an Idemix MSP are left out: their
// members are clients, never peers.
func (b *Bundle) Orgs() []Org { return b.orgs }

// OrdererOrgs returns the organizations that run ordering nodes, sorted by name.
func (b *Bundle) OrdererOrgs() []OrdererOrg { return b.ordererOrgs }

// Endpoints returns where the channel's blocks can be pulled from, by Fabric's rule: when any orderer organization names
// endpoints, those endpoints, each with its organization's TLS certificates; else the channel's global addresses, each
// with the TLS certificates of all orderer organizations.
func (b *Bundle) Endpoints() []Endpoint { return b.endpoints }

// Consenters returns the ordering nodes of a BFT channel; raft keeps its nodes in the consensus metadata.
func (b *Bundle) Consenters() []*common.Consenter { return b.orderer.consenters.GetConsenterMapping() }

// ConsensusType returns "etcdraft" or "BFT", as the configuration says it.
func (b *Bundle) ConsensusType() string { return b.orderer.consensus.GetType() }

// Maintenance reports whether the ordering service is in maintenance: then only its own organizations may read from it and write to it, so
// that its consensus type can be changed (Fabric's rule).
func (b *Bundle) Maintenance() bool {
	return b.orderer.consensus.GetState() == orderer.ConsensusType_STATE_MAINTENANCE
}

// BatchSize returns the limits that orderers cut blocks by.
func (b *Bundle) BatchSize() *orderer.BatchSize { return b.orderer.batchSize }

// BatchTimeout returns how long orderers wait for a block to fill.
func (b *Bundle) BatchTimeout() time.Duration { return b.orderer.batchTimeout }

// Capability says whether a capability such as "V2_0" is on at a level: LevelChannel, LevelOrderer or LevelApplication.
func (b *Bundle) Capability(level, name string) bool {
	_, on := b.capabilities[level][name]
	return on
}

// ACL returns the absolute path of the policy that the configuration sets for a resource of peers, such as "event/Block"; usual when it
// sets none. A path in the configuration that is not absolute starts at the application group (Fabric's rule).
func (b *Bundle) ACL(resource, usual string) string {
	switch ref := b.acls[resource].GetPolicyRef(); {
	case ref == "":
		return usual
	case strings.HasPrefix(ref, "/"):
		return ref
	default:
		return pathApplication + "/" + ref
	}
}

// MSP returns the MSP with an ID, of an application or an orderer organization; nil when the channel has none.
func (b *Bundle) MSP(mspID string) *msp.MSP { return b.msps[mspID] }
