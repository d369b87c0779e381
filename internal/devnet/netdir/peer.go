// SPDX-License-Identifier: Apache-2.0

package netdir

import (
	"fmt"
	"net"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"github.com/weft-p2p/weft/internal/devnet"
)

// peerSettings is core.yaml of a peer: the keys that differ from their defaults. With neither leader key the organization elects who
// pulls.
type peerSettings struct {
	Peer stockSettings `yaml:"peer"`
	Weft weftSettings  `yaml:"weft"`
}

type stockSettings struct {
	ID             string `yaml:"id"`
	LocalMSPID     string `yaml:"localMspId"`
	MSPConfigPath  string `yaml:"mspConfigPath"`
	FileSystemPath string `yaml:"fileSystemPath"`
}

type weftSettings struct {
	ListenAddresses  []string           `yaml:"listenAddresses"`
	Endpoint         string             `yaml:"endpoint"`
	ExternalEndpoint string             `yaml:"externalEndpoint"`
	Bootstrap        []string           `yaml:"bootstrap,omitempty"`
	Operations       operationsSettings `yaml:"operations"`
}

type operationsSettings struct {
	ListenAddress string `yaml:"listenAddress"`
}

// settings are those of a peer whose identity lies in crypto, relative to its folder.
func (w *writer) settings(m Member, org *devnet.Org, name, crypto string) peerSettings {
	return peerSettings{
		Peer: stockSettings{ID: name, LocalMSPID: org.MSPID, MSPConfigPath: filepath.Join(crypto, "msp"), FileSystemPath: dataDir},
		Weft: weftSettings{
			ListenAddresses: multiaddrs(m.Address), Endpoint: m.Address, ExternalEndpoint: m.Address,
			Bootstrap: w.plan.waysIn(m), Operations: operationsSettings{ListenAddress: m.Operations},
		},
	}
}

// multiaddrs are TCP and QUIC on host:port.
func multiaddrs(address string) []string {
	host, port, _ := net.SplitHostPort(address) // made by local
	return []string{fmt.Sprintf("/ip4/%s/tcp/%s", host, port), fmt.Sprintf("/ip4/%s/udp/%s/quic-v1", host, port)}
}

func encodePeer(s peerSettings) ([]byte, error) {
	return encode("Settings of one peer of a development network, for FABRIC_CFG_PATH. Paths are relative to this file.", s)
}

// encode writes YAML below a comment.
func encode(comment string, settings any) ([]byte, error) {
	raw, err := yaml.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	return append([]byte("# "+comment+"\n"), raw...), nil
}
