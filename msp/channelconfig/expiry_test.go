// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// A chain whose orderers' certificates and CAs have all expired still verifies, configuration blocks included, and so does
// one that newer certificates go on with.
func TestExpiredOrderersStillVerify(t *testing.T) {
	for _, consensus := range []string{devnet.Raft, devnet.BFT} {
		t.Run(consensus, func(t *testing.T) {
			n := newNetworkAt(t, consensus, 4, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
			old, err := msp.NewIdentity("OrdererMSP", n.orderers[0].CertPEM())
			require.NoError(t, err)
			require.ErrorIs(t, old.ValidAt(time.Now()), msp.ErrExpired)

			v := n.verifier()
			take := func(b *common.Block) {
				t.Helper()
				require.NoError(t, v.Verify(b))
				require.NoError(t, v.Advance(b))
			}
			take(n.block(v))
			take(n.config(v, channelID, n.update(v.Bundle(), smallBatch)))
			take(n.block(v))
			require.NoError(t, v.Bundle().MSP("OrdererMSP").Validate(old))

			require.NoError(t, n.ordering.RotateCA(time.Now()))
			take(n.config(v, channelID, n.update(v.Bundle(), devnet.SetMSP(n.ordering)))) // signed by old administrators
			n.now = time.Now()
			if consensus == devnet.Raft { // on BFT the consenters are listed one by one
				n.orderers = []*devnet.Node{n.enroll(n.ordering, "a", devnet.Orderer), n.enroll(n.ordering, "b", devnet.Orderer), n.enroll(n.ordering, "c", devnet.Orderer)}
			}
			take(n.block(v))
		})
	}
}

// The quorum of a BFT channel is in its policy: q of n consenters, q = ceil((n+f+1)/2) with f = floor((n-1)/3).
func TestBFTQuorums(t *testing.T) {
	for i, q := range []int{1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11} {
		n := i + 1
		f := (n - 1) / 3
		require.Equal(t, (n+f+1+1)/2, q)
		net := newNetworkAt(t, devnet.BFT, n, time.Now())
		v := net.verifier()
		b := net.unsigned(v)
		net.sign(b, net.orderers[:q-1]...)
		require.ErrorIs(t, v.Verify(b), channelconfig.ErrSignatures, "%d of %d", q-1, n)
		net.sign(b, net.orderers[q-1])
		require.NoError(t, v.Verify(b), "%d of %d", q, n)
	}
}
