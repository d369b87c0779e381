// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// TestSealedHeartbeatAtTheLimit: a message of the longest that is allowed is opened, so that its sender's record is known
// afterwards; one that is a byte longer is not looked at. Neither is a heartbeat: its content is too long.
func TestSealedHeartbeatAtTheLimit(t *testing.T) {
	const topic = "/weft/1/test"
	org, err := devnet.NewOrg("Org1", time.Now())
	require.NoError(t, err)
	node, err := org.Enroll("peer0", devnet.Peer, time.Now())
	require.NoError(t, err)
	local, err := node.Local()
	require.NoError(t, err)
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	require.NoError(t, err)
	rec, err := msp.IssueRecord(key, local.Signer, 1, time.Now())
	require.NoError(t, err)
	brief, err := msp.SealBrief(membership.Purpose, topic, rec, local.Signer, nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		size   int
		opened bool
	}{
		"at the limit": {membership.MaxMessage, true},
		"one past it":  {membership.MaxMessage + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Node{records: msp.NewRecords(8)}
			h, verdict := n.openHeartbeat(topic, sealedTo(t, topic, rec, local.Signer, c.size))
			require.Nil(t, h)
			require.Equal(t, topics.Reject, verdict)
			_, err := n.records.Unseal(membership.Purpose, topic, brief, time.Now())
			require.Equal(t, c.opened, err == nil, "%v", err)
		})
	}
}

// sealedTo makes a sealed message of so many bytes; signatures vary in length by a few.
func sealedTo(t *testing.T, topic string, rec *msp.Record, id *msp.SigningIdentity, size int) []byte {
	for length := size - 2048; ; {
		raw, err := msp.Seal(membership.Purpose, topic, rec, id, make([]byte, length))
		require.NoError(t, err)
		if len(raw) == size {
			return raw
		}
		length += size - len(raw)
	}
}
