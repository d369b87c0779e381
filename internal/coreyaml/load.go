// SPDX-License-Identifier: Apache-2.0

package coreyaml

import "errors"

// Options say where the configuration is.
type Options struct {
	// Env is the environment, as os.Environ returns it.
	Env []string
	// Dir is the folder with core.yaml. Empty: FABRIC_CFG_PATH, and without that the working directory, then /etc/hyperledger/fabric.
	Dir string
}

// Load reads and checks the whole configuration of a peer, with the files that it names.
func Load(o Options) (*Config, error) {
	return nil, errors.ErrUnsupported
}

// FindDataDir reads only where the data directory is, for commands that talk to a running peer: the peer's MSP need not be
// readable for them.
func FindDataDir(o Options) (string, error) {
	return "", errors.ErrUnsupported
}

// InternalAddrs are the multiaddrs of weft.endpoint, for the own organization; none when it is not set.
func (c *Config) InternalAddrs() []string { return nil }

// ExternalAddrs are the multiaddrs of weft.externalEndpoint, for other organizations; none when it is not set.
func (c *Config) ExternalAddrs() []string { return nil }
