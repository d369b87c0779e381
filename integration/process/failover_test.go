// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKillTheLeader: kill -9 of the leader of an organization of three that is connected over TCP: the system closes its connections.
// Another one is elected after that, blocks go on, and exactly one leads in the end. The test logs how long that took, by the log of the
// successor. Over QUIC nothing tells of the end of a process: the leader is missed for its heartbeats.
func TestKillTheLeader(t *testing.T) {
	needBinary(t)
	n := oneOrganization(t, 3)
	n.order(10)
	killed := n.leader()
	command, killing := n.peers[killed].command, time.Now()
	n.peers[killed].kill(t)
	n.peers[killed] = nil
	n.order(20)
	successor := n.leader()
	require.NotEqual(t, killed, successor)
	elected := electedAfter(t, n.peers[successor].log.String(), killing)
	t.Logf("the next leader was elected %s after kill -9", elected.Sub(killing).Round(time.Millisecond))
	n.peers[killed] = start(t, n.dir, command)
	n.order(30)
	n.leader()
}

const electedText = "Elected as a leader"

// electedAfter is when a peer says that it was elected, after a moment.
func electedAfter(t *testing.T, log string, moment time.Time) time.Time {
	t.Helper()
	for line := range strings.Lines(log) {
		if !strings.Contains(line, electedText) {
			continue
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		require.NoError(t, err, line)
		if at.After(moment) {
			return at
		}
	}
	require.FailNow(t, "it was not elected after the leader was killed", "killed at %s\n%s", moment, log)
	return time.Time{}
}

// organization is a network with one organization, as processes.
type organization struct {
	t       *testing.T
	dir     string
	orderer *process
	peers   []*process // nil: killed
}

// oneOrganization starts so many peers of one organization; the ordering service does not run yet.
func oneOrganization(t *testing.T, peers int) *organization {
	t.Helper()
	n := &organization{t: t, dir: shortDir(t)}
	init := command{args: []string{"weft", "devnet", "init", "net", "--orgs", "1", "--peers", fmt.Sprint(peers)}}
	succeed(t, n.dir, init.with(freePorts(t)...))
	for i := range peers {
		tcpOnly(t, filepath.Join(n.dir, "net", fmt.Sprintf("org1-peer%d", i), "core.yaml"))
	}
	for i := range peers {
		n.peers = append(n.peers, start(t, n.dir, n.at(i, "node", "start", "--join", "net/mychannel.block")))
	}
	return n
}

// tcpOnly takes QUIC out of a peer's settings.
func tcpOnly(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	without := regexp.MustCompile(`.*/quic-v1\n`).ReplaceAll(text, nil)
	require.Less(t, len(without), len(text))
	require.NoError(t, os.WriteFile(file, without, 0o600))
}

// at is a command for a peer.
func (n *organization) at(peer int, args ...string) command {
	return command{env: []string{fmt.Sprintf("FABRIC_CFG_PATH=net/org1-peer%d", peer)}, args: append([]string{"weft"}, args...)}
}

// order has the ordering service order up to so many blocks in all, and waits until every running peer has them.
func (n *organization) order(blocks int) {
	n.t.Helper()
	if n.orderer != nil {
		n.orderer.terminate(n.t)
	}
	n.orderer = start(n.t, n.dir, command{args: []string{"weft", "orderer", "net/orderer", "--blocks", fmt.Sprint(blocks), "--rate", "50"}})
	for i, p := range n.peers {
		if p != nil {
			succeed(n.t, n.dir, n.at(i, "channel", "getinfo", "-c", "mychannel", "--wait-height", fmt.Sprint(blocks+1)))
		}
	}
}

// leader waits until all peers know each other and one leads, and returns it.
func (n *organization) leader() int {
	n.t.Helper()
	for end := time.Now().Add(patience); ; {
		leads, met := n.leaders()
		if len(leads) == 1 && met {
			return leads[0]
		}
		require.True(n.t, time.Now().Before(end), "leaders: %v", leads)
	}
}

// leaders are the peers that lead, and whether all know each other.
func (n *organization) leaders() (leads []int, met bool) {
	running := 0
	for _, p := range n.peers {
		if p != nil {
			running++
		}
	}
	met = true
	for i, p := range n.peers {
		if p == nil {
			continue
		}
		var s struct {
			Leads bool
			Peers []struct{ Connected bool }
		}
		text := succeed(n.t, n.dir, n.at(i, "channel", "status", "-c", "mychannel", "--output", "json"))
		require.NoError(n.t, json.Unmarshal([]byte(text), &s))
		if s.Leads {
			leads = append(leads, i)
		}
		connected := 0
		for _, o := range s.Peers {
			if o.Connected {
				connected++
			}
		}
		met = met && connected == running-1
	}
	return leads, met
}
