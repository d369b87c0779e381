// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// WriteMSP writes the verifying MSP folder of the organization in Fabric's layout: cacerts, tlscacerts, crls and
// config.yaml. The folder is made when it is missing; files of the same name are
// replaced and others stay, so after RetireCA write to a new folder.
func (o *Org) WriteMSP(dir string) error {
	files := map[string][]byte{o.tlsFile(): o.tls.pem()}
	for i, a := range o.enrollment {
		files[o.caFile(i)] = a.pem()
		if a.crl != nil {
			files[filepath.Join("crls", a.certificate.Subject.CommonName+".pem")] = a.crl
		}
	}
	config, err := yaml.Marshal(o.folderConfig())
	if err != nil {
		return fmt.Errorf("encode config.yaml of %s: %w", o.MSPID, err)
	}
	files["config.yaml"] = config
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// WriteMSP writes the full MSP folder of the node: the folder of its organization, its certificate in signcerts and its
// key (PKCS #8, mode 0600, named by Fabric's key identifier) in keystore. A stock peer reads it as its local MSP.
func (n *Node) WriteMSP(dir string) error {
	if err := n.Org.WriteMSP(dir); err != nil {
		return err
	}
	key, err := keyPEM(n.Key)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "signcerts", n.Name+"-cert.pem"), n.CertPEM(), 0o644); err != nil {
		return err
	}
	name := hex.EncodeToString(n.Certificate.SubjectKeyId) + "_sk"
	return writeFile(filepath.Join(dir, "keystore", name), key, 0o600)
}

func (o *Org) tlsFile() string {
	return filepath.Join("tlscacerts", o.tls.certificate.Subject.CommonName+"-cert.pem")
}

func (o *Org) caFile(i int) string {
	return filepath.Join("cacerts", o.enrollment[i].certificate.Subject.CommonName+"-cert.pem")
}

type folderConfig struct {
	NodeOUs nodeOUs `yaml:"NodeOUs"`
}

type nodeOUs struct {
	Enable  bool     `yaml:"Enable"`
	Client  folderOU `yaml:"ClientOUIdentifier"`
	Peer    folderOU `yaml:"PeerOUIdentifier"`
	Admin   folderOU `yaml:"AdminOUIdentifier"`
	Orderer folderOU `yaml:"OrdererOUIdentifier"`
}

type folderOU struct {
	Certificate string `yaml:"Certificate,omitempty"`
	Unit        Role   `yaml:"OrganizationalUnitIdentifier"`
}

// folderConfig is config.yaml, with the same rule about the authority as in MSPConfig.
func (o *Org) folderConfig() folderConfig {
	var ca string
	if len(o.enrollment) == 1 {
		ca = filepath.ToSlash(o.caFile(0))
	}
	return folderConfig{nodeOUs{
		Enable:  true,
		Client:  folderOU{ca, Client},
		Peer:    folderOU{ca, Peer},
		Admin:   folderOU{ca, Admin},
		Orderer: folderOU{ca, Orderer},
	}}
}

// writeFile writes path, with this mode when it is new, and makes the folders above it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
