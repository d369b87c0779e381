// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"gopkg.in/yaml.v3"
)

const configFile = "config.yaml"

// folderConfig is config.yaml of an MSP folder. Paths are relative to the
// folder; keys that weft does not know are left alone, as Fabric leaves them.
type folderConfig struct {
	OrganizationalUnitIdentifiers []unitConfig `yaml:"OrganizationalUnitIdentifiers"`
	NodeOUs                       struct {
		Enable  bool       `yaml:"Enable"`
		Client  unitConfig `yaml:"ClientOUIdentifier"`
		Peer    unitConfig `yaml:"PeerOUIdentifier"`
		Admin   unitConfig `yaml:"AdminOUIdentifier"`
		Orderer unitConfig `yaml:"OrdererOUIdentifier"`
	} `yaml:"NodeOUs"`
}

type unitConfig struct {
	Certificate string `yaml:"Certificate"`
	Unit        string `yaml:"OrganizationalUnitIdentifier"`
}

func parseFolderConfig(data []byte) (*folderConfig, error) {
	var c folderConfig
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &c, nil
}

// units adds the organizational units of config.yaml, when there is one.
func (f *folder) units(conf *mspproto.FabricMSPConfig) {
	path := filepath.Join(f.dir, configFile)
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) || f.err != nil {
		return
	}
	if err != nil {
		f.err = err
		return
	}
	c, err := parseFolderConfig(data)
	if err != nil {
		f.err = fmt.Errorf("%s: %w: correct the file", path, err)
		return
	}
	for _, u := range c.OrganizationalUnitIdentifiers {
		conf.OrganizationalUnitIdentifiers = append(conf.OrganizationalUnitIdentifiers, f.listedUnit(u))
	}
	if c.NodeOUs.Enable {
		conf.FabricNodeOus = &mspproto.FabricNodeOUs{
			Enable:              true,
			ClientOuIdentifier:  f.nodeOU(c.NodeOUs.Client),
			PeerOuIdentifier:    f.nodeOU(c.NodeOUs.Peer),
			AdminOuIdentifier:   f.nodeOU(c.NodeOUs.Admin),
			OrdererOuIdentifier: f.nodeOU(c.NodeOUs.Orderer),
		}
	}
}

// listedUnit needs its certificate.
func (f *folder) listedUnit(u unitConfig) *mspproto.FabricOUIdentifier {
	data, err := readFile(filepath.Join(f.dir, u.Certificate))
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: certificate of organizational unit %q: %w", filepath.Join(f.dir, configFile), u.Unit, err)
	}
	return &mspproto.FabricOUIdentifier{Certificate: data, OrganizationalUnitIdentifier: u.Unit}
}

// nodeOU does without the certificate when it cannot be read: then every CA of
// the organization may issue the unit. That is Fabric's rule, and worth a note.
func (f *folder) nodeOU(u unitConfig) *mspproto.FabricOUIdentifier {
	if u.Unit == "" {
		return nil
	}
	ou := &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: u.Unit}
	if u.Certificate == "" {
		return ou
	}
	data, err := readFile(filepath.Join(f.dir, u.Certificate))
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		f.note("%s: NodeOU %q accepts every CA of the organization, because %s cannot be read: %v",
			filepath.Join(f.dir, configFile), u.Unit, filepath.Join(f.dir, u.Certificate), err)
		return ou
	}
	ou.Certificate = data
	return ou
}
