// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fabric_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

const channel = "mychannel"

// network is a channel of one organization: stock orderers, a weft node and a stock peer, all on loopback.
type network struct {
	dir           string
	ordering, org *devnet.Org
	client, admin *devnet.Node
	genesis       *common.Block
	genesisFile   string
	orderers      []*ordererNode
	peerAddress   string
	peer          process
	adminMSP      string
	certificate   *tls.Certificate // of clients; nil: the stock peer does without client certificates, as client and as server
}

// newNetwork has one orderer with raft, and four with BFT.
func newNetwork(t *testing.T, consensus string) *network {
	t.Helper()
	stock(t, "peer")
	dir, err := os.MkdirTemp("", "weft") // short: a socket lies in it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	n := &network{
		dir: dir, ordering: orderertest.Org(t, "Orderer"), org: orderertest.Org(t, "Org1"), peerAddress: freeAddress(t),
	}
	n.client, n.admin = orderertest.Enroll(t, n.org, "User1", devnet.Client), orderertest.Enroll(t, n.org, "Admin", devnet.Admin)
	n.adminMSP = filepath.Join(dir, "admin", "msp")
	require.NoError(t, n.admin.WriteMSP(n.adminMSP))
	n.genesis, err = devnet.Genesis(devnet.Channel{
		ID: channel, Orgs: []*devnet.Org{n.org}, BatchTimeout: 100 * time.Millisecond, Consensus: consensus, Orderers: n.enrollOrderers(t, consensus),
	}, time.Now())
	require.NoError(t, err)
	raw, err := proto.Marshal(n.genesis)
	require.NoError(t, err)
	n.genesisFile = n.write(t, "genesis.block", raw)
	return n
}

// tls writes a TLS certificate for loopback, its key and its CA into a folder, and returns the certificate.
func (n *network) tls(t *testing.T, org *devnet.Org, folder string) []byte {
	t.Helper()
	cert, key, err := org.TLS("localhost", []string{"127.0.0.1"}, time.Now())
	require.NoError(t, err)
	n.write(t, folder+"/tls/server.crt", cert)
	n.write(t, folder+"/tls/server.key", key)
	n.write(t, folder+"/tls/ca.crt", org.TLSRoot())
	return cert
}

func (n *network) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(n.dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func trusting(t *testing.T, org *devnet.Org) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(org.TLSRoot()))
	return &tls.Config{RootCAs: roots}
}

// startWeft runs a weft node that stands for the orderers.
func (n *network) startWeft(t *testing.T) (stop func()) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(n.dir, "weft")); err != nil {
		require.NoError(t, orderertest.Enroll(t, n.org, "weft0", devnet.Peer).WriteMSP(filepath.Join(n.dir, "weft", "msp")))
		n.tls(t, n.org, "weft")
		n.write(t, "weft/core.yaml", fmt.Appendf(nil, `
peer: {localMspId: %s, fileSystemPath: data, gossip: {orgLeader: true, useLeaderElection: false}, deliveryclient: {reConnectBackoffThreshold: 200ms}}
weft:
  listenAddresses: [/ip4/127.0.0.1/tcp/0]
  operations: {listenAddress: "127.0.0.1:0"}
  deliver: {listeners: [%s]}
`, n.org.MSPID, n.each(func(o *ordererNode) string { return fmt.Sprintf(`{listen: "%s", orderer: "%s"}`, o.weft, o.address) })))
		require.NoError(t, os.MkdirAll(filepath.Join(n.dir, "weft", "data"), 0o700))
	}
	core, err := coreyaml.Load(coreyaml.Options{Dir: filepath.Join(n.dir, "weft")})
	require.NoError(t, err)
	core.FileSystemPath = filepath.Join(n.dir, "weft", "data")
	weft, err := daemon.New(daemon.Config{Core: core, Join: []string{n.genesisFile}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- weft.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	_, err = admin.NewClient(daemon.SocketPath(core.DataDir())).Channel(t.Context(), channel) // it is joined by now
	require.NoError(t, err)
	return stop
}

// startPeer starts a stock peer with the settings of docs/operations/stock-fabric-peers.md.
func (n *network) startPeer(t *testing.T) {
	t.Helper()
	home := filepath.Join(n.dir, "peer")
	require.NoError(t, orderertest.Enroll(t, n.org, "peer0", devnet.Peer).WriteMSP(home+"/msp"))
	n.tls(t, n.org, "peer")
	n.write(t, "peer/core.yaml", fmt.Appendf(nil, peerYAML, n.org.MSPID, n.peerAddress, n.peerAddress, freeAddress(t), n.peerAddress,
		n.each(func(o *ordererNode) string {
			return fmt.Sprintf(`{from: "%s", to: "%s", caCertsFile: "%s"}`, o.address, o.weft, n.dir+"/weft/tls/ca.crt")
		}), home+"/snapshots"))
	n.peer = start(t, stock(t, "peer"), home, n.peerEnv(), "node", "start")
	n.peer.log.await(t, "Started peer with ID")
}

// peerEnv is the environment of the stock peer and of its command line.
func (n *network) peerEnv() []string {
	env := []string{"FABRIC_CFG_PATH=" + filepath.Join(n.dir, "peer")}
	if n.certificate != nil {
		env = append(env, "CORE_PEER_TLS_CLIENTAUTHREQUIRED=true", "CORE_PEER_TLS_CLIENTROOTCAS_FILES=tls/ca.crt",
			"CORE_PEER_TLS_CLIENTCERT_FILE=tls/server.crt", "CORE_PEER_TLS_CLIENTKEY_FILE=tls/server.key")
	}
	return env
}

// peerYAML is what a stock peer needs of its core.yaml; it runs in the folder of this file. The chaincode builder builds none.
const peerYAML = `
peer:
  id: peer0
  localMspId: %s
  mspConfigPath: msp
  address: %s
  listenAddress: %s
  chaincodeListenAddress: %s
  fileSystemPath: data
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
  tls: {enabled: true, cert: {file: tls/server.crt}, key: {file: tls/server.key}, rootcert: {file: tls/ca.crt}}
  gateway: {enabled: true, endorsementTimeout: 30s, broadcastTimeout: 30s, dialTimeout: 2m}
  gossip: {bootstrap: "%s", orgLeader: true, useLeaderElection: false, state: {enabled: false}}
  deliveryclient:
    reConnectBackoffThreshold: 2s
    addressOverrides: [%s]
  discovery: {enabled: true, authCacheEnabled: true, authCacheMaxSize: 1000, authCachePurgeRetentionRatio: 0.75}
  handlers:
    authFilters: [{name: DefaultAuth}, {name: ExpirationCheck}]
    decorators: [{name: DefaultDecorator}]
    endorsers: {escc: {name: DefaultEndorsement}}
    validators: {vscc: {name: DefaultValidation}}
chaincode:
  mode: net
  startuptimeout: 300s
  executetimeout: 30s
  externalBuilders: [{name: none, path: /nonexistent}]
  system: {_lifecycle: enable, cscc: enable, lscc: enable, qscc: enable}
  logging: {level: info}
ledger:
  state: {stateDatabase: goleveldb, totalQueryLimit: 100000}
  history: {enableHistoryDatabase: true}
  pvtdataStore: {collElgProcMaxDbBatchSize: 5000, collElgProcDbBatchesInterval: 1000, purgeInterval: 100}
  snapshots: {rootDir: %s}
operations: {listenAddress: "127.0.0.1:0"}
metrics: {provider: disabled}
vm: {endpoint: ""}
`

func (n *network) joinPeer(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	home := filepath.Join(n.dir, "peer")
	join := command(ctx, stock(t, "peer"), append(n.peerEnv(), "CORE_PEER_MSPCONFIGPATH="+n.adminMSP), "channel", "join", "-b", n.genesisFile)
	join.Dir = home
	out, err := join.CombinedOutput()
	require.NoError(t, err, string(out))
}

func (n *network) transaction(t *testing.T) *common.Envelope {
	t.Helper()
	e, err := devnet.Transaction(channel, n.client, 100, rand.Reader, time.Now())
	require.NoError(t, err)
	return e
}

// configUpdate changes the configuration in force, signed by the organization's admin.
func (n *network) configUpdate(t *testing.T, changes ...devnet.Change) *common.Envelope {
	t.Helper()
	bundle, err := channelconfig.FromBlock(n.genesis)
	require.NoError(t, err)
	next, err := devnet.Update(bundle.Config(), changes...)
	require.NoError(t, err)
	e, err := devnet.UpdateEnvelope(channel, bundle.Config(), next, time.Now(), n.admin, n.admin)
	require.NoError(t, err)
	return e
}

func (n *network) dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conf := trusting(t, n.org)
	if n.certificate != nil {
		conf.Certificates = []tls.Certificate{*n.certificate}
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// broadcast sends an envelope to the weft node as if it were each of the orderers.
func (n *network) broadcast(t *testing.T, e *common.Envelope) {
	t.Helper()
	for _, o := range n.orderers {
		stream, err := orderer.NewAtomicBroadcastClient(n.dial(t, o.weft)).Broadcast(t.Context(), grpc.WaitForReady(true))
		require.NoError(t, err)
		require.NoError(t, stream.Send(e))
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, common.Status_SUCCESS, answer.GetStatus(), answer.GetInfo())
	}
}

// submitThroughGateway has the stock peer send an envelope to what it takes for its orderer.
func (n *network) submitThroughGateway(t *testing.T, e *common.Envelope) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	raw, err := proto.Marshal(e)
	require.NoError(t, err)
	id, err := block.TxID(raw)
	require.NoError(t, err)
	_, err = gateway.NewGatewayClient(n.dial(t, n.peerAddress)).Submit(ctx, &gateway.SubmitRequest{
		TransactionId: string(id), ChannelId: channel, PreparedTransaction: e,
	})
	require.NoError(t, err)
}

// peerHas waits until the stock peer has committed a block, and checks that it is the weft node's.
func (n *network) peerHas(t *testing.T, number uint64) {
	t.Helper()
	theirs, ours := n.fetch(t, n.peerAddress, number), n.fetch(t, n.orderers[0].weft, number)
	require.True(t, proto.Equal(ours.GetHeader(), theirs.GetHeader()))
	require.True(t, proto.Equal(ours.GetData(), theirs.GetData()))
}

// fetch waits for a block at the event service of a peer, be it stock or weft.
func (n *network) fetch(t *testing.T, address string, number uint64) *common.Block {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := peer.NewDeliverClient(n.dial(t, address)).Deliver(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(n.seek(t, number)))
	answer, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, answer.GetBlock(), "%v", answer)
	return answer.GetBlock()
}

// seek asks for one block, and waits for it.
func (n *network) seek(t *testing.T, number uint64) *common.Envelope {
	t.Helper()
	at := &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: number}}}
	nonce := make([]byte, 24)
	_, _ = rand.Read(nonce)
	encode := func(m proto.Message) []byte {
		raw, err := proto.Marshal(m)
		require.NoError(t, err)
		return raw
	}
	var hash []byte
	if n.certificate != nil {
		sum := sha256.Sum256(n.certificate.Certificate[0])
		hash = sum[:]
	}
	payload := encode(&common.Payload{
		Header: &common.Header{
			ChannelHeader: encode(&common.ChannelHeader{
				Type: int32(common.HeaderType_DELIVER_SEEK_INFO), ChannelId: channel, Timestamp: timestamppb.Now(), TlsCertHash: hash,
			}),
			SignatureHeader: encode(&common.SignatureHeader{Creator: n.client.Serialize(), Nonce: nonce}),
		},
		Data: encode(&orderer.SeekInfo{Start: at, Stop: at}),
	})
	signature, err := n.client.Sign(payload)
	require.NoError(t, err)
	return &common.Envelope{Payload: payload, Signature: signature}
}
