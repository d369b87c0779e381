// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/logspec"
)

func TestMessagesOfLibp2pCountLess(t *testing.T) {
	var out bytes.Buffer
	h, err := logspec.New("info", &out, logspec.Console)
	require.NoError(t, err)
	log := slog.New(demoted{h}).With("logger", "swarm2")
	log.Info("dialed")
	log.Warn("odd")
	require.Empty(t, out.String())
	log.Error("broken")
	require.Contains(t, out.String(), "level=WARN msg=broken logger=swarm2")
	require.NoError(t, h.SetSpec("info:swarm2=debug"))
	log.WithGroup("group").Info("dialed", "peer", 1)
	require.Contains(t, out.String(), "level=DEBUG msg=dialed logger=swarm2 group.peer=1")
}
