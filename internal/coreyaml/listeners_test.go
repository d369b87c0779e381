// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

func TestDeliverListeners(t *testing.T) {
	dir := folder(t, `
peer: {tls: {cert: {file: peer.crt}, key: {file: peer.key}}, deliveryclient: {addressOverrides: [{from: "orderer0:7050", to: "10.0.0.9:17050"}]}}
weft:
  deliver:
    listeners:
      - {listen: "127.0.0.1:17050", orderer: "orderer0:7050"}
      - {listen: ":0", certFile: own.crt, keyFile: own.key, clientCAsFile: cas.pem}
      - {listen: ":0"}
    limits: {streams: 7, addressStreams: 3, message: 1000}
`)
	for _, name := range []string{"peer.crt", "peer.key", "own.crt", "own.key", "cas.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	env := []string{"CORE_PEER_LOCALMSPID=Org1MSP"}
	c, err := coreyaml.Load(coreyaml.Options{Dir: dir, Env: env})
	require.NoError(t, err)
	require.Equal(t, []coreyaml.DeliverListener{
		{Listen: "127.0.0.1:17050", Orderer: "orderer0:7050", Cert: at("peer.crt"), Key: at("peer.key")},
		{Listen: ":0", Cert: at("own.crt"), Key: at("own.key"), ClientCAs: at("cas.pem")},
		{Listen: ":0", Cert: at("peer.crt"), Key: at("peer.key")},
	}, c.DeliverListeners)
	require.Equal(t, coreyaml.DeliverLimits{Streams: 7, AddressStreams: 3, Message: 1000}, c.DeliverLimits)

	c, err = coreyaml.Load(coreyaml.Options{Dir: dir, Env: append(env, "CORE_WEFT_DELIVER_LISTENERS=[{listen: '127.0.0.1:1', orderer: 'o:7050'}]")})
	require.NoError(t, err)
	require.Len(t, c.DeliverListeners, 1)
	require.Equal(t, "o:7050", c.DeliverListeners[0].Orderer)
	c, err = coreyaml.Load(coreyaml.Options{Dir: dir, Env: append(env, "CORE_WEFT_DELIVER_LISTENERS=")})
	require.NoError(t, err)
	require.Empty(t, c.DeliverListeners)
}
