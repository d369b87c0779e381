// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/spectest"
)

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	number := strconv.Itoa
	p := host.AuthProtocol
	require.Equal(t, map[string]string{
		"ID": string(p.ID), "Service": p.Service, "Memory": number(p.Memory), "MaxMessage": number(p.MaxMessage),
		"Deadline": p.Deadline.String(), "Rate": number(int(p.Rate)), "Burst": number(p.Burst),
		"OrgRate": number(int(p.OrgRate)), "OrgBurst": number(p.OrgBurst),
		"Streams": number(p.Streams), "PeerStreams": number(p.PeerStreams),
		"Peers": number(host.DefaultPeers), "HostKeys": number(host.HostKeys), "maxTwins": number(host.MaxTwins),
		"renewals": number(host.Renewals),
	}, spectest.Values(t, "auth.md", "Limits"))
}
