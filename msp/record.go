// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp/pb"
)

// The limits of member records.
const (
	// MaxRecord is the most bytes of a record: an identity of MaxIdentity, a
	// host key and two signatures.
	MaxRecord = 24 << 10
	// RecordLifetime is how long a record lasts at most; it is renewed at half.
	RecordLifetime = 24 * time.Hour
	// ClockSlack is how far the clocks of two members may differ.
	ClockSlack = 15 * time.Minute
)

// Errors of member records.
var (
	// ErrRecord reports bytes that are not a member record.
	ErrRecord = errors.New("msp: malformed member record")
	// ErrRecordExpired reports a record after its expiry and ClockSlack.
	ErrRecordExpired = errors.New("msp: member record has expired")
	// ErrRecordFuture reports a record that claims to last longer than a record
	// may: one of the two clocks is wrong.
	ErrRecordFuture = errors.New("msp: member record lasts too long, compare the clocks")
)

// Record says that a libp2p host key belongs to an MSP identity: signed by the
// key of the identity and by the host key, so that nobody can claim the peer ID
// of another. It holds no addresses. Both signatures of a Record are verified;
// whether the organization vouches for the identity is not known (MSP.Validate).
// Immutable, safe for concurrent use.
type Record struct {
	raw         []byte
	digest      [sha256.Size]byte
	peerID      peer.ID
	identity    *Identity
	incarnation uint64
	expiry      time.Time
}

// IssueRecord makes the record of one's own host and identity. It ends with the
// certificate, and RecordLifetime after now at the latest. The incarnation must
// be higher than in every earlier record of the identity (Incarnations). The
// errors are ErrExpired and ErrNotYetValid of the certificate, ErrRecord for an
// incarnation out of range, and those of the keys.
func IssueRecord(hostKey crypto.PrivKey, id *SigningIdentity, incarnation uint64, now time.Time) (*Record, error) {
	if err := id.ValidAt(now); err != nil {
		return nil, fmt.Errorf("issue member record: %w", err)
	}
	host, err := crypto.MarshalPublicKey(hostKey.GetPublic())
	if err != nil {
		return nil, fmt.Errorf("issue member record: host key: %w", err)
	}
	content, err := proto.Marshal(&pb.MemberRecordContent{
		Domain:      domainRecord,
		HostKey:     host,
		Identity:    id.Serialize(),
		Incarnation: incarnation,
		Expiry:      recordExpiry(id.Identity, now),
	})
	if err != nil {
		return nil, fmt.Errorf("issue member record: %w", err)
	}
	raw, err := signRecord(hostKey, id, content)
	if err != nil {
		return nil, fmt.Errorf("issue member record: %w", err)
	}
	return OpenRecord(raw, now)
}

func recordExpiry(id *Identity, now time.Time) int64 {
	return min(id.ExpiresAt().Unix(), now.Add(RecordLifetime).Unix())
}

func signRecord(hostKey crypto.PrivKey, id *SigningIdentity, content []byte) ([]byte, error) {
	mspSig, err := id.Sign(frame([]byte(domainRecord), content))
	if err != nil {
		return nil, err
	}
	hostSig, err := hostKey.Sign(frame([]byte(domainRecordHost), content, mspSig))
	if err != nil {
		return nil, fmt.Errorf("sign with host key: %w", err)
	}
	return proto.Marshal(&pb.MemberRecord{Content: content, MspSignature: mspSig, HostSignature: hostSig})
}

// OpenRecord reads a record of at most MaxRecord bytes and verifies both
// signatures and the time. The errors are ErrRecord, ErrSignature and those of
// ValidAt.
func OpenRecord(raw []byte, now time.Time) (*Record, error) {
	return openRecord(raw, func(r *Record) error { return r.ValidAt(now) })
}

// openRecord opens a record that is timely.
func openRecord(raw []byte, timely func(*Record) error) (*Record, error) {
	if len(raw) > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(raw), MaxRecord)
	}
	var m pb.MemberRecord
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	r, host, err := decodeRecord(m.GetContent())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := timely(r); err != nil {
		return nil, err
	}
	if err := r.verify(&m, host); err != nil {
		return nil, err
	}
	r.raw = bytes.Clone(raw)
	r.digest = sha256.Sum256(raw)
	return r, nil
}

func decodeRecord(content []byte) (*Record, crypto.PubKey, error) {
	var c pb.MemberRecordContent
	if err := proto.Unmarshal(content, &c); err != nil {
		return nil, nil, err
	}
	if c.GetDomain() != domainRecord {
		return nil, nil, fmt.Errorf("domain %q, want %q", c.GetDomain(), domainRecord)
	}
	if c.GetIncarnation() == 0 || c.GetIncarnation() > math.MaxInt64 {
		return nil, nil, fmt.Errorf("incarnation %d out of range", c.GetIncarnation())
	}
	host, err := crypto.UnmarshalPublicKey(c.GetHostKey())
	if err != nil {
		return nil, nil, fmt.Errorf("host key: %w", err)
	}
	peerID, err := peer.IDFromPublicKey(host)
	if err != nil {
		return nil, nil, fmt.Errorf("host key: %w", err)
	}
	id, err := ParseIdentity(c.GetIdentity())
	if err != nil {
		return nil, nil, err
	}
	if c.GetExpiry() < 0 || c.GetExpiry() > id.ExpiresAt().Unix() {
		return nil, nil, fmt.Errorf("expiry %d is negative or outlasts the certificate", c.GetExpiry())
	}
	expiry := time.Unix(c.GetExpiry(), 0).UTC()
	return &Record{peerID: peerID, identity: id, incarnation: c.GetIncarnation(), expiry: expiry}, host, nil
}

func (r *Record) verify(m *pb.MemberRecord, host crypto.PubKey) error {
	if err := r.identity.Verify(frame([]byte(domainRecord), m.GetContent()), m.GetMspSignature()); err != nil {
		return fmt.Errorf("member record of %s: MSP key: %w", r.identity, err)
	}
	msg := frame([]byte(domainRecordHost), m.GetContent(), m.GetMspSignature())
	if ok, err := host.Verify(msg, m.GetHostSignature()); err != nil || !ok {
		return fmt.Errorf("member record of %s: host key %s: %w", r.identity, r.peerID, ErrSignature)
	}
	return nil
}

// ValidAt reports whether the record may be used at now, clocks differing by up
// to ClockSlack: nil, ErrRecordExpired, ErrRecordFuture or ErrNotYetValid. The
// end of the certificate has no slack: after it, by our clock, the error is
// ErrExpired.
func (r *Record) ValidAt(now time.Time) error {
	switch {
	case now.After(r.identity.cert.NotAfter):
		return r.identity.ValidAt(now)
	case now.After(r.expiry.Add(ClockSlack)):
		return fmt.Errorf("%w: %s at %s", ErrRecordExpired, r.identity, r.expiry.Format(time.RFC3339))
	case r.expiry.After(now.Add(RecordLifetime + ClockSlack)):
		return fmt.Errorf("%w: %s until %s", ErrRecordFuture, r.identity, r.expiry.Format(time.RFC3339))
	case now.Add(ClockSlack).Before(r.identity.cert.NotBefore):
		return r.identity.ValidAt(now)
	}
	return nil
}

// PeerID returns the libp2p peer ID of the host key.
func (r *Record) PeerID() peer.ID { return r.peerID }

// Identity returns the MSP identity.
func (r *Record) Identity() *Identity { return r.identity }

// Incarnation orders the records of one identity: the highest counts.
func (r *Record) Incarnation() uint64 { return r.incarnation }

// Expiry returns the end of the record, to the second.
func (r *Record) Expiry() time.Time { return r.expiry }

// End returns the first instant at which ValidAt turns the record down because
// it, or its certificate, has expired.
func (r *Record) End() time.Time {
	end := r.expiry.Add(ClockSlack)
	if r.identity.cert.NotAfter.Before(end) {
		end = r.identity.cert.NotAfter
	}
	return end.Add(time.Nanosecond)
}

// Bytes returns the encoded record. Read only.
func (r *Record) Bytes() []byte { return r.raw }

// Digest returns SHA-256 of the encoded record.
func (r *Record) Digest() [sha256.Size]byte { return r.digest }
