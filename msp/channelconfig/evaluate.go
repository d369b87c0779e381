// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// Paths of the policies that weft asks.
const (
	PolicyReaders            = pathChannel + "/Readers"
	PolicyApplicationReaders = pathApplication + "/Readers"
	PolicyBlockValidation    = pathOrderer + "/BlockValidation"
)

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
// do not verify and signers of unknown organizations are passed over; an identity whose signature counted already is not
// verified again. The error is policy.ErrNotSatisfied and says why the first signature that does not count does not.
func (b *Bundle) Evaluate(path string, signed []SignedData) error {
	proofs := make([]proof, 0, len(signed))
	for _, s := range signed {
		id, err := msp.ParseCreator(s.Identity)
		proofs = append(proofs, proof{signer: id, fault: err, data: s.Data, signature: s.Signature})
	}
	return b.evaluate(path, proofs)
}

// EvaluateIdentity returns nil when an identity whose signature is proven satisfies the policy at an absolute path.
func (b *Bundle) EvaluateIdentity(path string, id *msp.Identity) error {
	m := b.MSP(id.MSPID())
	if m == nil {
		return unknownMSP(id)
	}
	return b.policies.Evaluate(path, []policy.Signer{signer{m, id}})
}

func (b *Bundle) evaluate(path string, proofs []proof) error {
	signers, faults, first := b.signers(proofs)
	err := b.policies.Evaluate(path, signers)
	if err != nil && faults > 0 {
		return fmt.Errorf("%w; %d of %d signatures do not count, the first because: %w", err, faults, len(proofs), first)
	}
	return err
}

// signers returns who signed, each identity once: Fabric's SignatureSetToValidIdentities. An identity is marked as seen
// when a signature of it holds, so that a bad signature in front of a good one does not hide it.
func (b *Bundle) signers(proofs []proof) (signers []policy.Signer, faults int, first error) {
	type key struct {
		mspID  string
		digest [32]byte
	}
	seen := make(map[key]struct{}, len(proofs))
	for i, p := range proofs {
		if p.fault == nil {
			k := key{p.signer.MSPID(), p.signer.Digest()}
			if _, ok := seen[k]; ok {
				continue
			}
			m := b.MSP(p.signer.MSPID())
			if p.fault = p.check(m); p.fault == nil {
				seen[k] = struct{}{}
				signers = append(signers, signer{m, p.signer})
				continue
			}
		}
		if faults++; first == nil {
			first = fmt.Errorf("signature %d: %w", i+1, p.fault)
		}
	}
	return signers, faults, first
}

func (p proof) check(m *msp.MSP) error {
	if m == nil {
		return unknownMSP(p.signer)
	}
	if err := p.signer.Verify(p.data, p.signature); err != nil {
		return fmt.Errorf("by %s: %w", p.signer, err)
	}
	return nil
}

func unknownMSP(id *msp.Identity) error {
	return fmt.Errorf("%w: MSP ID %.64q of %s", ErrUnknownOrg, id.MSPID(), id)
}

// signer is an identity under the MSP of its organization.
type signer struct {
	msp *msp.MSP
	id  *msp.Identity
}

func (s signer) Satisfies(p *mspproto.MSPPrincipal) error { return s.msp.Satisfies(s.id, p) }

// Member returns nil when an identity may act as a peer of the channel: it is a valid peer of one of the channel's
// application organizations and may read the application's data (policy PolicyApplicationReaders). The error is
// ErrUnknownOrg when a newer configuration could change that, because the organization or its CA is not in this one, and
// ErrRefused otherwise. Expiry is not looked at: msp.Identity.ValidAt is for those who know the time.
func (b *Bundle) Member(id *msp.Identity) error {
	org := b.application(id.MSPID())
	if org == nil {
		return unknownMSP(id)
	}
	if err := org.MSP.IsPeer(id); errors.Is(err, msp.ErrUnknownCA) {
		return fmt.Errorf("%w: %w", ErrUnknownOrg, err)
	} else if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := b.EvaluateIdentity(PolicyApplicationReaders, id); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrRefused, id, err)
	}
	return nil
}

func (b *Bundle) application(mspID string) *Org {
	for i := range b.orgs {
		if b.orgs[i].MSPID == mspID {
			return &b.orgs[i]
		}
	}
	return nil
}
