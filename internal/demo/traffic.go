// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// traffic counts the bytes that one host receives on weft's streams and on pubsub's, which carry the topics. Everything
// on them counts: blocks, announcements, heartbeats, gossip control, authentication.
type traffic struct {
	metrics.Reporter // the rest of the interface goes to a counter of libp2p's
	received         atomic.Int64
}

func newTraffic() *traffic { return &traffic{Reporter: metrics.NewBandwidthCounter()} }

// LogRecvMessageStream counts received bytes of a stream.
func (t *traffic) LogRecvMessageStream(size int64, p protocol.ID, _ peer.ID) {
	if strings.HasPrefix(string(p), "/weft/") || strings.HasPrefix(string(p), "/meshsub/") {
		t.received.Add(size)
	}
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
