// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

// Finding is a proof that holds. Read only.
type Finding struct {
	ID     string // names what is proven: two proofs of one offence have one ID
	Kind   Kind
	Number uint64 // of the block
	Place
	// Culprits are who is at fault: the announcer, or the orderers that signed both headers of a fork. Nobody, when none
	// signed both: then the fault is with the ordering service as a whole, and Signers says who signed what.
	Culprits []*msp.Identity
	// Hashes are those of the headers that were signed: two of a fork, one that was announced.
	Hashes [][]byte
	// Signers are the orderers that signed each of the headers of a fork.
	Signers [][]*msp.Identity
	// Reason says what is wrong, in words.
	Reason string
	Proof  *Proof
}

// Verify returns what the proof proves under a configuration, that of the block which its Place names. body is the canonical
// encoding of the Data of the announced block (the Data field of the encoded block); it is looked at only when the proof
// needs it and has none. Verify looks at no clock. The errors are ErrOtherConfig, ErrNoBody and ErrNotProven.
//
// The orderers' signatures do not cover the channel or the configuration, so whoever has the chain also compares the
// previous hash of a fork with it, and the configuration with the one that was in force there; a Witness does.
func (p *Proof) Verify(b *channelconfig.Bundle, body []byte) (*Finding, error) {
	at := p.Place()
	if b.ChannelID() != at.Channel || b.Number() != at.Config {
		return nil, fmt.Errorf("%w: the proof is about channel %q under configuration block %d, this is channel %q, block %d",
			ErrOtherConfig, at.Channel, at.Config, b.ChannelID(), b.Number())
	}
	f := &Finding{Kind: p.Kind(), Place: at, Proof: p}
	verify := f.verifyFalse
	if f.Kind == Fork {
		verify = f.verifyFork
	}
	if err := verify(b, body); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Finding) verifyFork(b *channelconfig.Bundle, _ []byte) error {
	first, second := attestation(f.Proof.m.Fork.First), attestation(f.Proof.m.Fork.Second)
	if err := forked(first, second); err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	f.Number = first.Header.Number
	if f.Config >= f.Number {
		return fmt.Errorf("%w: block %d was not made under the configuration of block %d", ErrNotProven, f.Number, f.Config)
	}
	for _, a := range []Attestation{first, second} {
		if err := b.VerifySignatures(a.Header, a.Signatures); err != nil {
			return fmt.Errorf("%w: %w", ErrNotProven, err)
		}
		signers, err := b.Signers(a.Header, a.Signatures)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotProven, err)
		}
		f.Signers = append(f.Signers, signers)
		f.Hashes = append(f.Hashes, block.HeaderHash(a.Header))
	}
	f.Culprits = both(f.Signers[0], f.Signers[1])
	f.ID = identify(Fork, f.Hashes...)
	f.Reason = fmt.Sprintf("the ordering service has signed two blocks %d, %x and %x", f.Number, f.Hashes[0], f.Hashes[1])
	return nil
}

// forked says why two headers are no fork.
func forked(a, b Attestation) error {
	switch {
	case a.Header.Number != b.Header.Number:
		return fmt.Errorf("blocks %d and %d are two numbers", a.Header.Number, b.Header.Number)
	case !bytes.Equal(a.Header.PreviousHash, b.Header.PreviousHash):
		return errors.New("the headers name two previous blocks")
	case bytes.Compare(block.HeaderHash(a.Header), block.HeaderHash(b.Header)) >= 0:
		return errors.New("the headers are the same, or not in order")
	}
	return nil
}

// both are the signers of both headers; a renewed certificate of one key is the same signer.
func both(a, b []*msp.Identity) (ids []*msp.Identity) {
	for _, id := range a {
		if slices.ContainsFunc(b, func(other *msp.Identity) bool { return other.Key() == id.Key() }) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (f *Finding) verifyFalse(b *channelconfig.Bundle, body []byte) error {
	lie := f.Proof.m.FalseAnnouncement
	sealed, err := f.Proof.unseal()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	culprit := sealed.Record.Identity()
	if err := b.Member(culprit); err != nil {
		return fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	if len(lie.Body) > 0 {
		body = lie.Body
	}
	a, err := falsehood(sealed.Content, body)
	if err != nil {
		return err
	}
	f.Number, f.Hashes, f.Culprits = a.Header.Number, [][]byte{block.HeaderHash(a.Header)}, []*msp.Identity{culprit}
	key := culprit.Key()
	f.ID = identify(FalseAnnouncement, key[:], f.Hashes[0], a.Root[:], binary.BigEndian.AppendUint64(nil, uint64(a.BodySize)))
	f.Reason = fmt.Sprintf("the announcement of block %d does not describe its body", f.Number)
	return nil
}

// unseal opens the announcement of a proof.
func (p *Proof) unseal() (*msp.Sealed, error) {
	scope := topics.Name(topics.Announcements, p.m.Channel, p.m.GenesisHash)
	return msp.UnsealPast(topics.Purpose, scope, p.m.FalseAnnouncement.Message)
}

// falsehood returns an announcement that is false: by the body that it carries, or by that of its header.
func falsehood(content, body []byte) (*topics.Announcement, error) {
	a, err := topics.DecodeAnnouncement(content)
	switch {
	case errors.Is(err, topics.ErrFalse):
		return topics.DecodeHead(content)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotProven, err)
	case a.Data != nil:
		return nil, fmt.Errorf("%w: the announcement describes the body that it carries", ErrNotProven)
	case len(body) == 0:
		return nil, fmt.Errorf("%w: block %d", ErrNoBody, a.Header.Number)
	}
	err = a.Check(body)
	switch {
	case errors.Is(err, topics.ErrFalse):
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotProven, err)
	}
	return nil, fmt.Errorf("%w: the announcement describes the body of block %d", ErrNotProven, a.Header.Number)
}

// identify hashes parts of fixed length each.
func identify(k Kind, parts ...[]byte) string {
	sum := sha256.Sum256(slices.Concat(append([][]byte{[]byte(k)}, parts...)...))
	return hex.EncodeToString(sum[:16])
}

// Names are the culprits for people: MSP ID and common name each.
func (f *Finding) Names() []string {
	names := make([]string, len(f.Culprits))
	for i, id := range f.Culprits {
		names[i] = id.String()
	}
	return names
}
