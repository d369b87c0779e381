// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
)

// leadership says who leads the organization in every channel.
func leadership(core *coreyaml.Config) []weft.JoinOption {
	switch core.LeaderMode() {
	case coreyaml.Static:
		return []weft.JoinOption{weft.AsLeader()}
	case coreyaml.Standby:
		return []weft.JoinOption{weft.AsFollower()}
	default:
		e := core.Gossip.Election
		return []weft.JoinOption{weft.WithElection(leader.Timing{
			StartupGracePeriod: e.StartupGracePeriod, MembershipSampleInterval: e.MembershipSampleInterval,
			LeaderAliveThreshold: e.LeaderAliveThreshold, LeaderElectionDuration: e.LeaderElectionDuration,
			Turn: e.Turn, LeaderBeat: e.LeaderBeat, Pullers: e.Pullers,
			Settle: e.Settle, MaxLag: uint64(e.MaxLag), MaxLagTime: e.MaxLagTime, LookAfter: cmp.Or(e.LookAfter, -1),
		})}
	}
}

// joinOptions are those of every channel.
func joinOptions(core *coreyaml.Config) ([]weft.JoinOption, error) {
	overrides, err := readOverrides(core.Deliver.AddressOverrides)
	if err != nil {
		return nil, err
	}
	longest := core.Deliver.ReconnectBackoffThreshold
	opts := append(leadership(core),
		weft.WithDeliver(weft.Deliver{
			ConnTimeout: core.Deliver.ConnTimeout, KeepaliveInterval: core.Deliver.KeepaliveInterval,
			KeepaliveTimeout: core.Deliver.KeepaliveTimeout, Overrides: overrides, GiveUp: core.Deliver.ReconnectTotalTimeThreshold,
			Censorship: core.Deliver.BlockCensorshipTimeout, Simple: core.Deliver.Policy == "simple",
		}),
		weft.WithDeliverBackoff(leader.Backoff{Min: min(cmp.Or(core.Deliver.MinimalReconnectInterval, leader.DefaultMinBackoff), longest), Max: longest}),
	)
	if core.Deliver.ClientCert == "" {
		return opts, nil
	}
	cert, err := tls.LoadX509KeyPair(core.Deliver.ClientCert, core.Deliver.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("client certificate for orderers, peer.tls.clientCert.file and clientKey.file: %w", err)
	}
	return append(opts, weft.WithOrdererClientCertificate(cert)), nil
}

func readOverrides(overrides []coreyaml.AddressOverride) ([]deliver.Override, error) {
	out := make([]deliver.Override, len(overrides))
	for i, o := range overrides {
		out[i] = deliver.Override{From: o.From, To: o.To}
		if o.CACertsFile == "" {
			continue
		}
		roots, err := os.ReadFile(o.CACertsFile)
		if err != nil {
			return nil, fmt.Errorf("caCertsFile of peer.deliveryclient.addressOverrides from %s: %w", o.From, err)
		}
		out[i].TLSRoots = [][]byte{roots}
	}
	return out, nil
}
