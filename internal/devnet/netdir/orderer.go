// SPDX-License-Identifier: Apache-2.0

package netdir

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"

	"github.com/weft-p2p/weft/msp"
)

// Limits of files, in bytes: Fabric's largest message, and more than any settings need.
const (
	maxBlock    = 100 << 20
	maxSettings = 64 << 10
)

var (
	// ErrNotOrderer: the folder is not that of an ordering service.
	ErrNotOrderer = errors.New("devnet: not the folder of an ordering service")
	// ErrSettings: orderer.yaml cannot be used.
	ErrSettings = errors.New("devnet: bad settings")
)

// ordererSettings is orderer.yaml. Paths are relative to its folder.
type ordererSettings struct {
	ListenAddress string   `yaml:"listenAddress"` // host:port
	Genesis       string   `yaml:"genesis"`       // block file
	Data          string   `yaml:"data"`          // folder of the ledger
	Identity      identity `yaml:"identity"`      // signs blocks
	TLS           keyPair  `yaml:"tls"`           // of the server
	Client        identity `yaml:"client"`        // signs random transactions
}

type identity struct {
	MSPID string `yaml:"mspID"`
	MSP   string `yaml:"msp"` // MSP folder
}

type keyPair struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

func encodeOrderer(s ordererSettings) ([]byte, error) {
	return encode("Settings of a DEVELOPMENT ordering service, for weft orderer. Paths are relative to this file.", s)
}

// Orderer is what an ordering service needs to run.
type Orderer struct {
	ListenAddress string // host:port
	DataDir       string // of the ledger; may not exist yet
	Genesis       *common.Block
	Identity      *msp.SigningIdentity // signs blocks
	TLS           tls.Certificate
	Client        *msp.SigningIdentity // a writer of the channel, for transactions of our own
}

// ReadOrderer reads the folder of an ordering service that Init made. Errors: ErrNotOrderer, ErrSettings, or about one of the files that
// orderer.yaml names.
func ReadOrderer(dir string) (*Orderer, error) {
	s, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	at := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	o := &Orderer{ListenAddress: s.ListenAddress, DataDir: at(s.Data)}
	if o.Genesis, err = readBlock(at(s.Genesis)); err != nil {
		return nil, err
	}
	if o.Identity, err = readIdentity(at(s.Identity.MSP), s.Identity.MSPID); err != nil {
		return nil, err
	}
	if o.Client, err = readIdentity(at(s.Client.MSP), s.Client.MSPID); err != nil {
		return nil, err
	}
	if o.TLS, err = tls.LoadX509KeyPair(at(s.TLS.Cert), at(s.TLS.Key)); err != nil {
		return nil, fmt.Errorf("read the TLS certificate of the ordering service: %w", err)
	}
	return o, nil
}

func readSettings(dir string) (ordererSettings, error) {
	var s ordererSettings
	path := filepath.Join(dir, ordererFile)
	raw, err := readFile(path, maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%w: %s has no %s; name the folder \"orderer\" of a network made with weft devnet init", ErrNotOrderer, dir, ordererFile)
	}
	if err != nil {
		return s, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("%w: %s: %w", ErrSettings, path, err)
	}
	for _, required := range [][2]string{
		{"listenAddress", s.ListenAddress}, {"genesis", s.Genesis}, {"data", s.Data}, {"tls.cert", s.TLS.Cert}, {"tls.key", s.TLS.Key},
		{"identity.mspID", s.Identity.MSPID}, {"identity.msp", s.Identity.MSP}, {"client.mspID", s.Client.MSPID}, {"client.msp", s.Client.MSP},
	} {
		if required[1] == "" {
			err = errors.Join(err, fmt.Errorf("%w: %s: %s is missing", ErrSettings, path, required[0]))
		}
	}
	return s, err
}

func readIdentity(dir, mspID string) (*msp.SigningIdentity, error) {
	local, err := msp.Load(dir, mspID)
	if err != nil {
		return nil, fmt.Errorf("read the identity of %s in %s: %w", mspID, dir, err)
	}
	return local.Signer, nil
}

func readBlock(path string) (*common.Block, error) {
	raw, err := readFile(path, maxBlock)
	if err != nil {
		return nil, err
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("decode the block in %s: %w", path, err)
	}
	return b, nil
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return raw, nil
}
