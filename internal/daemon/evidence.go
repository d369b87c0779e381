// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"encoding/pem"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/msp"
)

var _ admin.Witness = (*channels)(nil)

// Evidence implements [admin.Witness], as does Proof. A channel that has stopped still shows what it found.
func (c *channels) Evidence(id string) ([]admin.Evidence, error) {
	found, err := c.findings(id)
	all := make([]admin.Evidence, len(found))
	for i, f := range found {
		all[i] = Describe(f)
	}
	return all, err
}

// Proof is the proof of one piece of evidence.
func (c *channels) Proof(id, which string) ([]byte, error) {
	found, err := c.findings(id)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if f.ID == which {
			return f.Proof.Bytes(), nil
		}
	}
	return nil, admin.Errorf(admin.ErrNotFound, "channel %s has no evidence %q; \"weft evidence\" shows what there is", id, which)
}

func (c *channels) findings(id string) ([]*weft.Finding, error) {
	e, ok := c.get(id)
	switch {
	case !ok:
		return nil, admin.UnknownChannel(id)
	case e.channel == nil:
		return nil, e.err
	}
	return e.channel.Evidence(), nil
}

// Describe tells what a finding says.
func Describe(f *weft.Finding) admin.Evidence {
	e := admin.Evidence{
		ID: f.ID, Kind: string(f.Kind), Channel: f.Channel, Number: f.Number, Config: f.Config, Found: f.Found, Reason: f.Reason,
		Culprits: signers(f.Culprits), Bytes: len(f.Proof.Bytes()),
	}
	for i, hash := range f.Hashes {
		h := admin.Header{Hash: hash}
		if i < len(f.Signers) {
			h.Signers = signers(f.Signers[i])
		}
		e.Headers = append(e.Headers, h)
	}
	return e
}

func signers(ids []*msp.Identity) []admin.Signer {
	all := make([]admin.Signer, len(ids))
	for i, id := range ids {
		cert := id.Certificate()
		all[i] = admin.Signer{
			MSPID: id.MSPID(), Name: cert.Subject.CommonName,
			Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})),
		}
	}
	return all
}
