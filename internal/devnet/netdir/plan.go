// SPDX-License-Identifier: Apache-2.0

package netdir

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// maxPeers is what one machine can be expected to run as processes.
const maxPeers = 200

// Plan says what network to lay out. Everything listens on 127.0.0.1. Ports are counted up from a base, one for each peer, organization
// by organization.
type Plan struct {
	Orgs    int    // organizations with peers
	Peers   int    // peers of each
	Channel string // name of the one channel

	OrdererPort    int // of the ordering service
	BasePort       int // libp2p of the first peer, TCP and UDP
	OperationsPort int // operations listener of the first peer
}

// DefaultPlan is two organizations of two peers on ports that a stock peer and orderer of Fabric's samples leave free, but for the
// ordering service, which stands in for one.
func DefaultPlan() Plan {
	return Plan{Orgs: 2, Peers: 2, Channel: "mychannel", OrdererPort: 7050, BasePort: 7061, OperationsPort: 9543}
}

// Validate returns everything that cannot work, but for the name of the channel, which Init checks.
func (p Plan) Validate() error {
	if p.Orgs < 1 || p.Peers < 1 || p.Orgs > maxPeers || p.Peers > maxPeers || p.Orgs*p.Peers > maxPeers {
		return fmt.Errorf("%d organizations of %d peers: want at least one of each and at most %d peers in all", p.Orgs, p.Peers, maxPeers)
	}
	n := p.Orgs * p.Peers
	ranges := []portRange{{"the ordering service", p.OrdererPort, 1}, {"the peers", p.BasePort, n}, {"the operations listeners", p.OperationsPort, n}}
	var errs []error
	for i, r := range ranges {
		if r.first < 1 || r.first+r.count-1 > 65535 {
			errs = append(errs, fmt.Errorf("%s: ports must be between 1 and 65535", r))
		}
		for _, other := range ranges[:i] {
			if r.overlaps(other) {
				errs = append(errs, fmt.Errorf("%s and %s overlap", other, r))
			}
		}
	}
	return errors.Join(errs...)
}

// portRange is ports that belong to one kind of listener.
type portRange struct {
	name         string
	first, count int
}

func (r portRange) overlaps(other portRange) bool {
	return r.first < other.first+other.count && other.first < r.first+r.count
}

func (r portRange) String() string {
	if r.count == 1 {
		return fmt.Sprintf("port %d of %s", r.first, r.name)
	}
	return fmt.Sprintf("ports %d to %d of %s", r.first, r.first+r.count-1, r.name)
}

// Member is one peer of the network.
type Member struct {
	Org, Index int    // from 0
	Folder     string // name of its folder, as org1-peer0
	Address    string // host:port of libp2p
	Operations string // host:port of the operations listener
}

// Members are all peers, organization by organization.
func (p Plan) Members() []Member {
	var all []Member
	for org := range p.Orgs {
		for index := range p.Peers {
			all = append(all, Member{
				Org: org, Index: index, Folder: fmt.Sprintf("org%d-peer%d", org+1, index),
				Address: local(p.BasePort + len(all)), Operations: local(p.OperationsPort + len(all)),
			})
		}
	}
	return all
}

// first is the first peer of an organization: its anchor.
func (p Plan) first(org int) Member { return p.Members()[org*p.Peers] }

// waysIn are the addresses of the first two others of a peer's organization. One would do, until it dies before it has introduced those who
// know nobody else.
func (p Plan) waysIn(of Member) (addrs []string) {
	for _, m := range p.Members() {
		if m.Org == of.Org && m.Index != of.Index && len(addrs) < 2 {
			addrs = append(addrs, m.Address)
		}
	}
	return addrs
}

// OrdererAddress is host:port of the ordering service.
func (p Plan) OrdererAddress() string { return local(p.OrdererPort) }

// BlockFile is the name of the genesis block's file for peers.
func (p Plan) BlockFile() string { return p.Channel + ".block" }

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Names below the network's folder.
const (
	cryptoDir   = "crypto"
	ordererDir  = "orderer"
	ordererFile = "orderer.yaml"
	genesisFile = "genesis.block"
	dataDir     = "data"
)

// OrdererDir is the folder of the ordering service of the network in dir.
func OrdererDir(dir string) string { return filepath.Join(dir, ordererDir) }
