// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
)

// channelID is the demo's own channel; recorded transactions bring theirs.
const channelID = "demochannel"

// material is everything that has to exist before a network can start: organizations, identities, what is to be ordered.
type material struct {
	dir      string
	orgs     []*devnet.Org
	ordering *devnet.Org
	signer   *msp.SigningIdentity // of the ordering service
	tls      tls.Certificate      // of its server
	tlsPEM   []byte
	recorded *devnet.Recording // nil: random transactions
}

// newMaterial makes organizations and identities below dir and reads what was recorded.
func newMaterial(o Options, dir string) (*material, error) {
	m := &material{dir: dir}
	if o.Transactions != "" {
		var err error
		if m.recorded, err = devnet.ReadTransactions(o.Transactions); err != nil {
			return nil, err
		}
	}
	for i := range o.Orgs {
		name := fmt.Sprintf("Org%d", i+1)
		if m.recorded != nil {
			name = fmt.Sprintf("Weft%d", i+1) // the recorded channel has an Org1 of its own
		}
		org, err := devnet.NewOrg(name, time.Now())
		if err != nil {
			return nil, err
		}
		m.orgs = append(m.orgs, org)
	}
	return m, m.makeOrderer()
}

func (m *material) makeOrderer() (err error) {
	if m.ordering, err = devnet.NewOrg("WeftOrderer", time.Now()); err != nil {
		return err
	}
	local, err := m.enroll(m.ordering, "orderer0", devnet.Orderer)
	if err != nil {
		return err
	}
	m.signer = local.Signer
	cert, key, err := m.ordering.TLS("orderer0", []string{"127.0.0.1"}, time.Now())
	if err != nil {
		return err
	}
	m.tlsPEM = cert
	m.tls, err = tls.X509KeyPair(cert, key)
	return err
}

// enroll issues an identity, writes its MSP folder as Fabric lays it out, and loads it from there.
func (m *material) enroll(org *devnet.Org, name string, role devnet.Role) (*msp.Local, error) {
	node, err := org.Enroll(name, role, time.Now())
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(m.dir, org.Domain, name, "msp")
	if err := node.WriteMSP(dir); err != nil {
		return nil, err
	}
	return msp.Load(dir, org.MSPID)
}

// trust are the TLS roots of the ordering service.
func (m *material) trust() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(m.ordering.TLSRoot())
	return pool
}

// genesis makes the channel: the demo's own, or the recorded one with the demo's organizations in it.
func (m *material) genesis(o Options, orderer net.Addr, anchors map[string][]string) (*common.Block, error) {
	c := devnet.Channel{
		ID: channelID, Orgs: m.orgs, Anchors: anchors,
		Orderers:  []devnet.OrderingNode{{Org: m.ordering, Address: orderer.String(), TLSCert: m.tlsPEM, Identity: m.signerPEM()}},
		Consensus: devnet.Raft,
	}
	if m.recorded != nil {
		c.ID = m.recorded.ChannelID
		return devnet.Adopt(m.recorded.Config, c, time.Now())
	}
	c.BatchSize, c.BatchTimeout = perBlock, 2*time.Second
	c.PreferredMaxBytes = uint32(max(2*o.BlockSize, 2<<20))
	c.MaxBytes = uint32(max(4*o.BlockSize, 10<<20))
	return devnet.Genesis(c, time.Now())
}

func (m *material) signerPEM() []byte { return certPEM(m.signer.Certificate()) }
