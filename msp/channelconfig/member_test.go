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
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

func TestMember(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	revoked := n.enroll(n.org1, "revoked", devnet.Peer)
	require.NoError(t, n.org1.Revoke(revoked.Certificate, time.Now()))
	b, err := channelconfig.New(channelID, 1, n.update(n.bundle(), devnet.SetMSP(n.org1)))
	require.NoError(t, err)
	revokedID, err := msp.ParseIdentity(revoked.Serialize())
	require.NoError(t, err)

	tests := map[string]struct {
		id   *msp.Identity
		want error
	}{
		"a peer":                   {n.identity(n.org1, devnet.Peer), nil},
		"a peer of another org":    {n.identity(n.org2, devnet.Peer), nil},
		"a client":                 {n.identity(n.org1, devnet.Client), channelconfig.ErrRefused},
		"an administrator":         {n.identity(n.org1, devnet.Admin), channelconfig.ErrRefused},
		"an orderer":               {n.identity(n.ordering, devnet.Orderer), channelconfig.ErrUnknownOrg},
		"revoked":                  {revokedID, channelconfig.ErrRefused},
		"an unknown organization":  {n.identity(n.org("Org9"), devnet.Peer), channelconfig.ErrUnknownOrg},
		"an unknown CA of the org": {n.identity(n.org("Org1"), devnet.Peer), channelconfig.ErrUnknownOrg},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, b.Member(tt.id), tt.want)
		})
	}
}

// A peer that the readers policy of the application leaves out is refused.
func TestMemberMustBeAReader(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	c := n.altered(func(root *common.ConfigGroup) {
		delete(root.Groups["Application"].Groups["Org2"].Policies, "Readers")
	})
	b, err := channelconfig.New(channelID, 0, c)
	require.NoError(t, err)
	require.NoError(t, b.Member(n.identity(n.org1, devnet.Peer)))
	require.ErrorIs(t, b.Member(n.identity(n.org2, devnet.Peer)), channelconfig.ErrRefused)
}

func TestEvaluate(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	b := n.bundle()
	signed := func(nodes ...*devnet.Node) (all []channelconfig.SignedData) {
		for _, node := range nodes {
			data := []byte("what " + node.Name + " signed")
			signature, err := node.Sign(data)
			require.NoError(t, err)
			all = append(all, channelconfig.SignedData{Data: data, Identity: node.Serialize(), Signature: signature})
		}
		return all
	}
	spoiled := func(s []channelconfig.SignedData) []channelconfig.SignedData {
		s[0].Data = []byte("something else")
		return s
	}
	admin1, admin2 := n.enroll(n.org1, "admin", devnet.Admin), n.enroll(n.org2, "admin", devnet.Admin)
	peer1, stranger := n.enroll(n.org1, "peer", devnet.Peer), n.enroll(n.org("Org9"), "peer", devnet.Peer)
	tests := map[string]struct {
		path   string
		signed []channelconfig.SignedData
		want   error
	}{
		"a reader":                      {channelconfig.PolicyReaders, signed(peer1), nil},
		"a reader of the application":   {channelconfig.PolicyApplicationReaders, signed(peer1), nil},
		"a stranger":                    {channelconfig.PolicyReaders, signed(stranger), policy.ErrNotSatisfied},
		"a stranger beside a reader":    {channelconfig.PolicyReaders, signed(stranger, peer1), nil},
		"nobody":                        {channelconfig.PolicyReaders, nil, policy.ErrNotSatisfied},
		"a bad signature":               {channelconfig.PolicyReaders, spoiled(signed(peer1)), policy.ErrNotSatisfied},
		"a majority of administrators":  {"/Channel/Application/Admins", signed(admin1, admin2), nil},
		"one administrator, twice":      {"/Channel/Application/Admins", signed(admin1, admin1), policy.ErrNotSatisfied},
		"a policy that does not exist":  {"/Channel/Application/Nothing", signed(peer1), policy.ErrNotSatisfied},
		"a policy of one organization":  {"/Channel/Application/Org1/Readers", signed(peer1), nil},
		"a policy of the other one":     {"/Channel/Application/Org2/Readers", signed(peer1), policy.ErrNotSatisfied},
		"junk in the place of a signer": {channelconfig.PolicyReaders, []channelconfig.SignedData{{Identity: []byte{0xff}}, {}}, policy.ErrNotSatisfied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, b.Evaluate(tt.path, tt.signed), tt.want)
		})
	}
}

func TestEvaluateIdentity(t *testing.T) {
	n := newNetwork(t, devnet.Raft)
	b := n.bundle()
	require.NoError(t, b.EvaluateIdentity(channelconfig.PolicyReaders, n.identity(n.org1, devnet.Peer)))
	require.NoError(t, b.EvaluateIdentity(channelconfig.PolicyReaders, n.identity(n.ordering, devnet.Orderer)))
	err := b.EvaluateIdentity(channelconfig.PolicyReaders, n.identity(n.org("Org9"), devnet.Peer))
	require.ErrorIs(t, err, policy.ErrNotSatisfied)
	require.ErrorContains(t, err, `MSP ID "Org9MSP"`)
}
