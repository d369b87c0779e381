// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRestartWithoutBootstrapPeers: a peer that knew the others finds them again when nobody is left at its bootstrap addresses, and
// another organization as well. One whose list of members is damaged says so and is alone until somebody dials it.
func TestRestartWithoutBootstrapPeers(t *testing.T) {
	for name, damaged := range map[string]bool{"finds the others": false, "damaged list": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, 2, 3)
				for _, p := range n.peers {
					p.from = []int{0}
				}
				n.peers[0].from = []int{1}
				n.startAll()
				n.order(3, 2<<10, 0)
				n.requireAll(time.Second, n.peers...)
				time.Sleep(time.Minute)
				back := n.peers[2]
				back.crash()
				n.peers[0].crash()
				file := filepath.Join(back.dir, "members")
				if damaged {
					require.NoError(t, os.WriteFile(file, []byte("/ip4/1.2.3.4"), 0o600))
				}
				time.Sleep(10 * time.Minute) // the others have forgotten it, and do not look for it
				var log lines
				n.log = slog.New(slog.NewTextHandler(&log, nil))
				back.restart()
				n.order(3, 2<<10, 0)
				if damaged {
					time.Sleep(20 * time.Second)
					require.EqualValues(t, 4, back.channel.Height())
					require.Equal(t, 1, log.count("level=WARN msg=\"the list of the members"))
					require.Equal(t, 1, log.count(file))
					return
				}
				took := n.requireAll(5*time.Second, back)
				t.Logf("found the channel and caught up after %s", took)
			})
		})
	}
}
