// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/pb"
)

// MaxControl is the most bytes of a control message, record included.
const MaxControl = 1 << 20

// ErrControl reports bytes that are not a control message.
var ErrControl = errors.New("msp: malformed control message")

// Sealed is an opened control message: content that the identity of Record
// signed for the purpose and scope at hand.
type Sealed struct {
	Record  *Record
	Content []byte
}

// Seal signs content as the identity of rec for one purpose ("heartbeat") and
// one scope (a channel's topic), and encodes it with the record. It is worth
// nothing under another purpose or scope. The errors are ErrControl when the
// message would be too big, ErrKeyMismatch when rec is not of id's key, and
// those of the key.
func Seal(purpose, scope string, rec *Record, id *SigningIdentity, content []byte) ([]byte, error) {
	return seal(purpose, scope, rec, id, &pb.ControlMessage{Record: rec.Bytes(), Content: content})
}

// SealBrief is Seal with the record's digest in place of the record, about a
// kilobyte less, for those who know the record already. Others ignore the
// message, so the whole record has to be shown now and then.
func SealBrief(purpose, scope string, rec *Record, id *SigningIdentity, content []byte) ([]byte, error) {
	d := rec.Digest()
	return seal(purpose, scope, rec, id, &pb.ControlMessage{RecordDigest: d[:], Content: content})
}

func seal(purpose, scope string, rec *Record, id *SigningIdentity, m *pb.ControlMessage) (raw []byte, err error) {
	if rec.Identity().Key() != id.Key() {
		return nil, fmt.Errorf("seal %s: record of %s, signer %s: %w", purpose, rec.Identity(), id, ErrKeyMismatch)
	}
	if m.Signature, err = id.Sign(controlMessage(purpose, scope, rec, m.Content)); err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	if raw, err = encode(m); err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return raw, nil
}

// Unseal reads a control message of at most MaxControl bytes, opens its record
// or finds the one that it names, and verifies the signature over purpose,
// scope and content, once while it remembers that. The errors are ErrControl, ErrUnknownRecord, ErrSignature
// and those of Open. Content does not alias raw.
func (r *Records) Unseal(purpose, scope string, raw []byte, now time.Time) (*Sealed, error) {
	m, err := decode(raw)
	if err != nil {
		return nil, err
	}
	rec, err := r.author(m, now)
	if err != nil {
		return nil, err
	}
	signed := sha256.Sum256(frame(controlMessage(purpose, scope, rec, m.Content), m.Signature))
	if r.seals.has(signed) {
		return &Sealed{Record: rec, Content: m.Content}, nil
	}
	sealed, err := openSeal(purpose, scope, rec, m)
	if err == nil {
		r.seals.add(signed)
	}
	return sealed, err
}

// UnsealPast reads a control message with its whole record, whenever that was
// good: a signature proves who said it long after the record has run out. It is
// for evidence, never for what is to be acted upon. The errors are ErrControl,
// ErrUnknownRecord for a message that only names its record, ErrRecord and
// ErrSignature.
func UnsealPast(purpose, scope string, raw []byte) (*Sealed, error) {
	m, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if len(m.RecordDigest) > 0 {
		return nil, unknown(m)
	}
	rec, err := openRecord(m.Record, func(*Record) error { return nil })
	if err != nil {
		return nil, err
	}
	return openSeal(purpose, scope, rec, m)
}

func openSeal(purpose, scope string, rec *Record, m *pb.ControlMessage) (*Sealed, error) {
	if err := rec.Identity().Verify(controlMessage(purpose, scope, rec, m.GetContent()), m.GetSignature()); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", purpose, rec.Identity(), err)
	}
	return &Sealed{Record: rec, Content: m.GetContent()}, nil
}

// Complete returns a control message with the whole record, for somebody who
// may not know it: raw itself unless that has only the digest. It verifies
// nothing; the signature is good for both forms or for neither. The errors are
// ErrControl, also when the record makes the message too big, and
// ErrUnknownRecord.
func (r *Records) Complete(raw []byte) ([]byte, error) {
	m, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if len(m.RecordDigest) == 0 {
		return raw, nil
	}
	rec := r.find(digest(m.RecordDigest))
	if rec == nil {
		return nil, unknown(m)
	}
	return encode(&pb.ControlMessage{Record: rec.Bytes(), Content: m.Content, Signature: m.Signature})
}

func encode(m *pb.ControlMessage) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxControl {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrControl, len(raw), MaxControl)
	}
	return raw, nil
}

// decode reads a control message, which then has a digest of the right length,
// or a record if anything.
func decode(raw []byte) (*pb.ControlMessage, error) {
	if len(raw) > MaxControl {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrControl, len(raw), MaxControl)
	}
	m := new(pb.ControlMessage)
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	switch n := len(m.RecordDigest); {
	case n > 0 && len(m.Record) > 0:
		return nil, fmt.Errorf("%w: both a record and a digest", ErrControl)
	case n > 0 && n != len(digest{}):
		return nil, fmt.Errorf("%w: record digest of %d bytes, want %d", ErrControl, n, len(digest{}))
	}
	return m, nil
}

// author is the record that a message carries or names.
func (r *Records) author(m *pb.ControlMessage, now time.Time) (*Record, error) {
	if len(m.RecordDigest) == 0 {
		return r.Open(m.Record, now)
	}
	rec := r.find(digest(m.RecordDigest))
	if rec == nil {
		return nil, unknown(m)
	}
	return rec, rec.ValidAt(now)
}

func unknown(m *pb.ControlMessage) error {
	return fmt.Errorf("%w: %x", ErrUnknownRecord, m.RecordDigest)
}

func controlMessage(purpose, scope string, rec *Record, content []byte) []byte {
	d := rec.Digest()
	return frame([]byte(domainControl), []byte(purpose), []byte(scope), d[:], content)
}
