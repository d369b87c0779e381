// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fabric_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// ordererNode is a stock orderer, and the listener of the weft node that stands for it.
type ordererNode struct {
	name    string // its folder
	address string // of the channel configuration
	weft    string // where the peer goes in its place
}

// enrollOrderers writes what the orderers need, and returns what the channel has to know of them.
func (n *network) enrollOrderers(t *testing.T, consensus string) []devnet.OrderingNode {
	t.Helper()
	var nodes []devnet.OrderingNode
	for i := range map[string]int{devnet.Raft: 1, devnet.BFT: 4}[consensus] {
		o := &ordererNode{name: fmt.Sprintf("orderer%d", i), address: freeAddress(t), weft: freeAddress(t)}
		n.orderers = append(n.orderers, o)
		node := orderertest.Enroll(t, n.ordering, o.name, devnet.Orderer)
		require.NoError(t, node.WriteMSP(filepath.Join(n.dir, o.name, "msp")))
		cert := n.tls(t, n.ordering, o.name)
		nodes = append(nodes, devnet.OrderingNode{Org: n.ordering, Address: o.address, TLSCert: cert, Identity: node.CertPEM()})
	}
	return nodes
}

// startOrderers starts the stock orderers and has them join the channel; ready is what each says when it has.
func (n *network) startOrderers(t *testing.T, ready string) {
	t.Helper()
	var logs []*transcript
	for _, o := range n.orderers {
		home, adminAddress := filepath.Join(n.dir, o.name), freeAddress(t)
		_, port, err := net.SplitHostPort(o.address)
		require.NoError(t, err)
		n.write(t, o.name+"/orderer.yaml", fmt.Appendf(nil, ordererYAML, port, n.ordering.MSPID, adminAddress))
		p := start(t, stock(t, "orderer"), home, []string{"FABRIC_CFG_PATH=" + home})
		p.log.await(t, "Beginning to serve requests")
		n.joinOrderer(t, adminAddress)
		logs = append(logs, p.log)
	}
	for _, log := range logs {
		log.await(t, ready)
	}
}

// ordererYAML is what a stock orderer needs; it runs in the folder of this file.
const ordererYAML = `
General:
  ListenAddress: 127.0.0.1
  ListenPort: %s
  LocalMSPID: %s
  LocalMSPDir: msp
  BootstrapMethod: none
  TLS: {Enabled: true, PrivateKey: tls/server.key, Certificate: tls/server.crt, RootCAs: [tls/ca.crt]}
  Cluster: {ClientCertificate: tls/server.crt, ClientPrivateKey: tls/server.key}
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
FileLedger: {Location: ledger}
ChannelParticipation: {Enabled: true, MaxRequestBodySize: 1 MB}
Admin:
  ListenAddress: %s
  TLS: {Enabled: true, PrivateKey: tls/server.key, Certificate: tls/server.crt, ClientAuthRequired: true, ClientRootCAs: [tls/ca.crt]}
Consensus: {WALDir: wal, SnapDir: snap}
Operations: {ListenAddress: "127.0.0.1:0"}
Metrics: {Provider: disabled}
`

// joinOrderer does what osnadmin channel join does.
func (n *network) joinOrderer(t *testing.T, address string) {
	t.Helper()
	raw, err := os.ReadFile(n.genesisFile)
	require.NoError(t, err)
	body := &bytes.Buffer{}
	form := multipart.NewWriter(body)
	part, err := form.CreateFormFile("config-block", "config.block")
	require.NoError(t, err)
	_, err = part.Write(raw)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	conf := trusting(t, n.ordering)
	conf.Certificates = []tls.Certificate{*orderertest.ClientTLS(t, n.ordering)}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
	defer client.CloseIdleConnections()
	answer, err := client.Post("https://"+address+"/participation/v1/channels", form.FormDataContentType(), body)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusCreated, answer.StatusCode)
}

// each lists something of every orderer, as YAML.
func (n *network) each(of func(*ordererNode) string) string { return n.join(", ", of) }

// one is a regular expression for something of any orderer.
func (n *network) one(of func(*ordererNode) string) string {
	return "(" + n.join("|", func(o *ordererNode) string { return regexp.QuoteMeta(of(o)) }) + ")"
}

func (n *network) join(between string, of func(*ordererNode) string) string {
	var all []string
	for _, o := range n.orderers {
		all = append(all, of(o))
	}
	return strings.Join(all, between)
}
