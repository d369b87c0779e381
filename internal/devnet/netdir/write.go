// SPDX-License-Identifier: Apache-2.0

package netdir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

// writer writes one network below dir.
type writer struct {
	dir  string
	plan Plan
	now  time.Time

	orgs     []*devnet.Org
	ordering *devnet.Org
	orderer  devnet.OrderingNode
}

func write(ctx context.Context, dir string, p Plan, now time.Time) error {
	w := &writer{dir: dir, plan: p, now: now}
	for _, step := range []func(context.Context) error{w.organizations, w.orderingService, w.channel, w.peers} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// organizations makes all organizations, with an administrator and a user of each.
func (w *writer) organizations(context.Context) (err error) {
	if w.ordering, err = devnet.NewOrg("Orderer", w.now); err != nil {
		return err
	}
	for i := range w.plan.Orgs {
		org, err := devnet.NewOrg(fmt.Sprintf("Org%d", i+1), w.now)
		if err != nil {
			return err
		}
		w.orgs = append(w.orgs, org)
	}
	for _, org := range append([]*devnet.Org{w.ordering}, w.orgs...) {
		if err := org.WriteMSP(w.path(w.orgDir(org), "msp")); err != nil {
			return err
		}
		if err := w.enroll(org, "Admin@"+org.Domain, devnet.Admin, w.path(w.orgDir(org), "users", "Admin@"+org.Domain)); err != nil {
			return err
		}
	}
	for _, org := range w.orgs {
		if err := w.enroll(org, user(org), devnet.Client, w.path(w.userDir(org))); err != nil {
			return err
		}
	}
	return nil
}

// orderingService makes the folder of the ordering service, without the genesis block, which names its certificates.
func (w *writer) orderingService(context.Context) error {
	name := "orderer0." + w.ordering.Domain
	node, err := w.ordering.Enroll(name, devnet.Orderer, w.now)
	if err != nil {
		return err
	}
	if err := node.WriteMSP(w.path(ordererDir, "msp")); err != nil {
		return err
	}
	cert, err := w.tls(w.ordering, name, w.path(ordererDir))
	if err != nil {
		return err
	}
	w.orderer = devnet.OrderingNode{Org: w.ordering, Address: w.plan.OrdererAddress(), TLSCert: cert, Identity: node.CertPEM()}
	settings, err := encodeOrderer(ordererSettings{
		ListenAddress: w.plan.OrdererAddress(), Genesis: genesisFile, Data: dataDir,
		Identity: identity{MSPID: w.ordering.MSPID, MSP: "msp"},
		TLS:      keyPair{Cert: filepath.Join("tls", "server.crt"), Key: filepath.Join("tls", "server.key")},
		Client:   identity{MSPID: w.orgs[0].MSPID, MSP: filepath.Join("..", w.userDir(w.orgs[0]), "msp")},
	})
	if err != nil {
		return err
	}
	return writeFile(w.path(ordererDir, ordererFile), settings, 0o644)
}

// channel makes the genesis block. The anchor of each organization is its first peer.
func (w *writer) channel(context.Context) error {
	anchors := make(map[string][]string, len(w.orgs))
	for i, org := range w.orgs {
		anchors[org.MSPID] = []string{w.plan.first(i).Address}
	}
	genesis, err := devnet.Genesis(devnet.Channel{
		ID: w.plan.Channel, Orgs: w.orgs, Anchors: anchors, Orderers: []devnet.OrderingNode{w.orderer},
	}, w.now)
	if err != nil {
		return err
	}
	return w.block(genesis, filepath.Join(ordererDir, genesisFile), w.plan.BlockFile())
}

func (w *writer) block(b *common.Block, names ...string) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := writeFile(w.path(name), raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// peers makes identity, certificates and folder of every peer.
func (w *writer) peers(ctx context.Context) error {
	for _, m := range w.plan.Members() {
		if err := ctx.Err(); err != nil {
			return err
		}
		org := w.orgs[m.Org]
		name := fmt.Sprintf("peer%d.%s", m.Index, org.Domain)
		dir := filepath.Join(w.orgDir(org), "peers", name)
		if err := w.enroll(org, name, devnet.Peer, w.path(dir)); err != nil {
			return err
		}
		if _, err := w.tls(org, name, w.path(dir)); err != nil {
			return err
		}
		settings, err := encodePeer(w.settings(m, org, name, filepath.Join("..", dir)))
		if err != nil {
			return err
		}
		if err := writeFile(w.path(m.Folder, "core.yaml"), settings, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// enroll issues an identity and writes its MSP folder below dir.
func (w *writer) enroll(org *devnet.Org, name string, role devnet.Role, dir string) error {
	node, err := org.Enroll(name, role, w.now)
	if err != nil {
		return err
	}
	return node.WriteMSP(filepath.Join(dir, "msp"))
}

// tls issues a certificate for this machine, writes it below dir as cryptogen does, and returns it, PEM.
func (w *writer) tls(org *devnet.Org, name, dir string) ([]byte, error) {
	cert, key, err := org.TLS(name, []string{"localhost", "127.0.0.1", "::1"}, w.now)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, "tls", "ca.crt"), org.TLSRoot(), 0o644); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, "tls", "server.crt"), cert, 0o644); err != nil {
		return nil, err
	}
	return cert, writeFile(filepath.Join(dir, "tls", "server.key"), key, 0o600)
}

func (w *writer) path(names ...string) string { return filepath.Join(w.dir, filepath.Join(names...)) }

// orgDir is where cryptogen has an organization, below the network's folder.
func (w *writer) orgDir(org *devnet.Org) string {
	if org == w.ordering {
		return filepath.Join(cryptoDir, "ordererOrganizations", org.Domain)
	}
	return filepath.Join(cryptoDir, "peerOrganizations", org.Domain)
}

func (w *writer) userDir(org *devnet.Org) string {
	return filepath.Join(w.orgDir(org), "users", user(org))
}

func user(org *devnet.Org) string { return "User1@" + org.Domain }

// writeFile writes a new file with this mode and makes the folders above it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
