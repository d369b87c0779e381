// SPDX-License-Identifier: Apache-2.0

package coreyaml

// section is a part of Fabric's core.yaml that has no effect here.
type section struct {
	name string // what the keys stand below
	keys string // below name, divided by blanks; "*" is whatever is there
	why  string
}

// sections are the keys of Fabric 1.4 to 3.1 without effect, from its sampleconfig/core.yaml and from what its code reads.
// The order is that of the notes.
var sections = []section{
	{"peer", "networkId", "a network has no name here, channels keep networks apart"},
	{"peer", "listenAddress address addressAutoDetect chaincodeListenAddress chaincodeAddress", "these are gRPC addresses of the stock peer; weft listens on weft.listenAddresses and is reached at weft.endpoint"},
	{"peer", "adminService.* gomaxprocs", "Fabric itself gave them up"},
	{"peer.gateway", "enabled endorsementTimeout broadcastTimeout dialTimeout", "weft endorses nothing; it serves blocks on weft.deliver.listeners"},
	{"peer.keepalive", "interval timeout minInterval client.interval client.timeout", "these are of the stock peer's gRPC servers and clients"},
	{"peer.gossip", "bootstrap", "it names gRPC ports of stock peers; write the libp2p addresses of weft nodes to weft.bootstrap"},
	{"peer.gossip", "endpoint", "it names the gRPC port of the stock peer; write ours to weft.endpoint"},
	{"peer.gossip", "externalEndpoint", "it names the gRPC port of the stock peer; write ours to weft.externalEndpoint"},
	{"peer.gossip", "membershipTrackerInterval maxBlockCountToStore maxPropagationBurstLatency maxPropagationBurstSize " +
		"propagateIterations pullInterval pullPeerNum requestStateInfoInterval publishStateInfoInterval " +
		"stateInfoRetentionInterval publishCertPeriod skipBlockVerification skipHandshake dialTimeout connTimeout recvBuffSize sendBuffSize " +
		"digestWaitTime requestWaitTime responseWaitTime reconnectInterval maxConnectionAttempts nonBlockingCommitMode",
		"they tune Fabric's push and pull; weft sends and repairs blocks in another way, and verifies all of them"},
	{"peer.gossip.pvtData", "pullRetryThreshold transientstoreMaxBlockRetention pushAckTimeout btlPullMargin reconcileBatchSize " +
		"reconcileSleepInterval reconciliationEnabled skipPullingInvalidTransactionsDuringCommit " +
		"implicitCollectionDisseminationPolicy.requiredPeerCount implicitCollectionDisseminationPolicy.maxPeerCount",
		"weft carries blocks, not private data"},
	{"peer.gossip.state", "enabled checkInterval responseTimeout batchSize blockBufferSize maxRetries channelSize",
		"what is missing is always fetched, at once"},
	{"peer.tls", "enabled rootcert.file clientRootCAs.files serverhostoverride handshakeTimeShift",
		"connections between weft nodes are always encrypted, and orderers are trusted by the channel configuration"},
	{"peer", "authentication.timewindow", "weft takes no proposals"},
	{"peer", "BCCSP.*", "weft uses the private key in the keystore of peer.mspConfigPath"},
	{"peer", "localMspType", "weft knows the type bccsp"},
	{"peer", "client.connTimeout connectiontimeout", "they are of Fabric's command line"},
	{"peer.deliveryclient", "blockGossipEnabled", "the blocks that a leader pulls always go to the others"},
	{"peer", "profile.enabled profile.listenAddress", "weft has no profiling listener"},
	{"peer", "handlers.* validatorPoolSize", "weft does not validate transactions"},
	{"peer.discovery", "enabled authCacheEnabled authCacheMaxSize authCachePurgeRetentionRatio orgMembersAllowedAccess", "weft serves no clients"},
	{"peer", "limits.concurrency.endorserService limits.concurrency.deliverService limits.concurrency.gatewayService maxRecvMsgSize maxSendMsgSize",
		"they bound gRPC services of the stock peer; limits of weft follow from weft.members"},
	{"vm", "endpoint docker.*", "weft runs no chaincode"},
	{"chaincode", "*", "weft runs no chaincode"},
	{"ledger", "blockchain.* state.* history.* pvtdataStore.* snapshots.*", "weft keeps blocks alone, below weft.dataDir"},
	{"operations", "listenAddress tls.enabled tls.cert.file tls.key.file tls.clientAuthRequired tls.clientRootCAs.files",
		"this listener is the stock peer's; ours is weft.operations"},
	{"metrics.statsd", "network address writeInterval prefix", "metrics are for Prometheus"},
	{"logging", "*", "write levels to FABRIC_LOGGING_SPEC"},
	{"tls", "*", "it is of Fabric's chaincode"},
}
