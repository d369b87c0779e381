// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"
	"slices"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// Paths of the policies that weft asks.
const (
	PolicyReaders            = pathChannel + "/Readers"
	PolicyApplicationReaders = pathApplication + "/Readers"
	PolicyOrdererReaders     = pathOrderer + "/Readers"
	PolicyBlockValidation    = pathOrderer + "/" + blockValidation
)

const blockValidation = "BlockValidation"

// maxExplained bounds how many signers and faulty signatures an error names.
const maxExplained = 3

// SignedData is one signature: what was signed, the serialized identity of the signer, the signature.
type SignedData struct {
	Data      []byte
	Identity  []byte // encoded msp.SerializedIdentity
	Signature []byte
}

// proof is a signature whose signer is parsed, or the reason why there is none.
type proof struct {
	signer          *msp.Identity
	fault           error
	data, signature []byte
}

// Evaluate returns nil when the signatures satisfy the policy at an absolute path, such as PolicyReaders. Signatures that
// do not verify and signers that no organization recognizes are passed over; an identity whose signature counted already is
// not verified again. The error is policy.ErrNotSatisfied and names the first signers and what is wrong with them.
func (b *Bundle) Evaluate(path string, signed []SignedData) error {
	proofs := make([]proof, 0, len(signed))
	for _, s := range signed {
		id, err := msp.ParseCreator(s.Identity)
		proofs = append(proofs, proof{signer: id, fault: err, data: s.Data, signature: s.Signature})
	}
	return b.evaluate(path, proofs)
}

// EvaluateIdentity returns nil when an identity whose signature is proven satisfies the policy at an absolute path. The
// error is policy.ErrNotSatisfied.
func (b *Bundle) EvaluateIdentity(path string, id *msp.Identity) error {
	m, err := b.recognize(id)
	if err != nil {
		return b.ask(path, nil, []error{err})
	}
	return b.ask(path, []signer{{m, id}}, nil)
}

func (b *Bundle) evaluate(path string, proofs []proof) error {
	signers, faults := b.signers(proofs)
	return b.ask(path, signers, faults)
}

// ask evaluates a policy and, when it is not satisfied, explains with whom.
func (b *Bundle) ask(path string, signers []signer, faults []error) error {
	asked := make([]policy.Signer, len(signers))
	for i, s := range signers {
		asked[i] = s
	}
	err := b.policies.Evaluate(path, asked)
	if err == nil {
		return nil
	}
	for _, s := range signers[:min(len(signers), maxExplained)] {
		err = fmt.Errorf("%w; %s", err, s.describe())
	}
	for _, fault := range faults[:min(len(faults), maxExplained)] {
		err = fmt.Errorf("%w; %v", err, fault) // %v: the sentinel of a fault is not the verdict
	}
	return err
}

// signers returns who signed, each identity once, and what is wrong with the other signatures. It is Fabric's rule: an
// identity is passed over when it has counted already, before its signature is looked at, so that a signature repeated a
// thousand times costs one verification; it has counted when a signature of it holds, so that a bad signature in front of
// a good one does not hide it.
func (b *Bundle) signers(proofs []proof) (signers []signer, faults []error) {
	for i, p := range proofs {
		if p.fault == nil && slices.ContainsFunc(signers, p.counted) {
			continue
		}
		s, err := b.prove(p)
		if err != nil {
			faults = append(faults, fmt.Errorf("signature %d: %w", i+1, err))
			continue
		}
		signers = append(signers, s)
	}
	return signers, faults
}

func (p proof) counted(s signer) bool {
	return s.id.Digest() == p.signer.Digest() && s.id.MSPID() == p.signer.MSPID()
}

func (b *Bundle) prove(p proof) (signer, error) {
	if p.fault != nil {
		return signer{}, p.fault
	}
	m, err := b.recognize(p.signer)
	if err != nil {
		return signer{}, err
	}
	if err := m.Verify(p.signer, p.data, p.signature); err != nil {
		return signer{}, fmt.Errorf("by %s: %w", p.signer, err)
	}
	return signer{m, p.signer}, nil
}

// recognize returns the MSP of an identity, if it makes anything of it.
func (b *Bundle) recognize(id *msp.Identity) (*msp.MSP, error) {
	m := b.MSP(id.MSPID())
	if m == nil {
		return nil, unknownMSP(id)
	}
	return m, m.Recognizes(id)
}

func unknownMSP(id *msp.Identity) error {
	return fmt.Errorf("%w: MSP ID %.64q", ErrUnknownOrg, id.MSPID())
}

// signer is an identity under the MSP of its organization.
type signer struct {
	msp *msp.MSP
	id  *msp.Identity
}

func (s signer) Satisfies(p *mspproto.MSPPrincipal) error { return s.msp.Satisfies(s.id, p) }

func (s signer) describe() string {
	if err := s.msp.Validate(s.id); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("signed by %s", s.id)
}
