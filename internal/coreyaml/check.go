// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// finish derives what follows from several keys, and checks what only holds for all of them together.
func (d *draft) finish() error {
	if d.Gossip.AliveExpirationTimeout == 0 {
		d.Gossip.AliveExpirationTimeout = 5 * d.Gossip.AliveTimeInterval
	}
	if len(d.listen) > 0 {
		d.ListenAddresses = nil
		for _, s := range d.listen {
			d.ListenAddresses = append(d.ListenAddresses, transports{tcp: true, quic: true}.multiaddrs(s)...)
		}
	}
	d.MetricsProvider = d.provider
	if d.provider == "statsd" {
		d.MetricsProvider = "disabled"
		d.Warnings = append(d.Warnings, "metrics.provider is statsd, which weft does not have: no metrics; write prometheus")
	}
	d.election()
	d.neighbours()
	return errors.Join(d.leader(), d.identity(), d.clientCertificate(), d.operations(), d.overrides(), d.listeners())
}

func (d *draft) leader() error {
	if d.LeaderMode() != Static {
		return nil
	}
	if elect := d.Gossip.UseLeaderElection; elect != nil && *elect {
		return fmt.Errorf("%w: peer.gossip.orgLeader and peer.gossip.useLeaderElection are both true: set one of them to false, such as %s=false", ErrInvalid, variable("peer.gossip.orgLeader"))
	}
	d.Warnings = append(d.Warnings, "peer.gossip.orgLeader is true, as in a stock file, and peer.gossip.useLeaderElection is not: this peer is a static leader: nobody takes over when it fails, and each peer of the organization with that setting pulls every block from the ordering service once more; to elect one, set peer.gossip.orgLeader to false and peer.gossip.useLeaderElection to true on all of them")
	return nil
}

// election warns of what the election itself cannot see: Fabric takes such a file, so it is no error.
func (d *draft) election() {
	g := d.Gossip
	if d.LeaderMode() == Dynamic && g.Election.LeaderAliveThreshold < 2*g.AliveTimeInterval {
		d.Warnings = append(d.Warnings, fmt.Sprintf("peer.gossip.election.leaderAliveThreshold is %s, below twice peer.gossip.aliveTimeInterval (%s): a leader of which one heartbeat is lost will be replaced; raise the one or lower the other",
			g.Election.LeaderAliveThreshold, g.AliveTimeInterval))
	}
}

// neighbours raises what Fabric takes and gossip cannot hold together with.
func (d *draft) neighbours() {
	if n := d.Gossip.PropagatePeerNum; n > 0 && n < minNeighbours {
		d.Warnings = append(d.Warnings, fmt.Sprintf("peer.gossip.propagatePeerNum is %d: gossip with so few neighbours falls apart into groups that do not hear each other; taken as %d", n, minNeighbours))
		d.Gossip.PropagatePeerNum = minNeighbours
	}
}

func (d *draft) identity() error {
	if d.MSPID == "" {
		return fmt.Errorf("%w: peer.localMspId is not set: write the MSP ID of your organization, such as Org1MSP, or set %s", ErrInvalid, variable("peer.localMspId"))
	}
	info, err := os.Stat(d.MSPPath)
	if err == nil && !info.IsDir() {
		err = errors.New("no folder")
	}
	if err != nil {
		return fmt.Errorf("%w: peer.mspConfigPath is %s: %w; write the MSP folder of this peer (the one with signcerts and keystore), or set %s",
			ErrInvalid, d.MSPPath, bare(err), variable("peer.mspConfigPath"))
	}
	return nil
}

// clientCertificate keeps the pair only for mutual TLS; the default is that of the peer's server (Fabric's rule).
func (d *draft) clientCertificate() error {
	c := &d.Deliver
	if (c.ClientCert == "") != (c.ClientKey == "") {
		return fmt.Errorf("%w: peer.tls.clientCert.file and peer.tls.clientKey.file: set both or none", ErrInvalid)
	}
	if !d.clientAuth {
		c.ClientCert, c.ClientKey = "", ""
		return nil
	}
	certKey, keyKey := "peer.tls.clientCert.file", "peer.tls.clientKey.file"
	if c.ClientCert == "" {
		c.ClientCert, c.ClientKey = d.cert, d.key
		certKey, keyKey = "peer.tls.cert.file", "peer.tls.key.file"
	}
	const why = "peer.tls.clientAuthRequired is true"
	return errors.Join(isFile(certKey, c.ClientCert, why), isFile(keyKey, c.ClientKey, why))
}

func (d *draft) operations() error {
	t := &d.Operations.TLS
	if !t.Enabled {
		*t = OperationsTLS{}
		return nil
	}
	const why = "weft.operations.tls.enabled is true"
	errs := []error{
		isFile("weft.operations.tls.cert.file", t.Cert, why),
		isFile("weft.operations.tls.key.file", t.Key, why),
	}
	if t.ClientAuthRequired && len(t.ClientRootCAs) == 0 {
		errs = append(errs, fmt.Errorf("%w: weft.operations.tls.clientRootCAs.files is empty and weft.operations.tls.clientAuthRequired is true: write the CA certificates of your clients", ErrInvalid))
	}
	for _, ca := range t.ClientRootCAs {
		errs = append(errs, isFile("weft.operations.tls.clientRootCAs.files", ca, why))
	}
	return errors.Join(errs...)
}

func (d *draft) overrides() error {
	var errs []error
	for _, o := range d.Deliver.AddressOverrides {
		if o.CACertsFile != "" {
			errs = append(errs, isFile("caCertsFile in peer.deliveryclient.addressOverrides", o.CACertsFile, "it is what "+o.To+" is trusted by"))
		}
	}
	return errors.Join(errs...)
}

// isFile checks that the file which a key names can be there.
func isFile(key, name, why string) error {
	if name == "" {
		return fmt.Errorf("%w: %s is not set, and %s: write the name of a PEM file", ErrInvalid, key, why)
	}
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = errors.New("a folder")
	}
	if err != nil {
		return fmt.Errorf("%w: %s is %s, and %s: %w; write the name of a PEM file", ErrInvalid, key, name, why, bare(err))
	}
	return nil
}

// bare is an error of a file without the file's name, which the message has already.
func bare(err error) error {
	if path := new(os.PathError); errors.As(err, &path) {
		return path.Err
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), strings.Compare)
}
