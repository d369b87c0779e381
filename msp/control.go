// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"errors"
	"fmt"
	"time"

	"github.com/weft-p2p/weft/msp/pb"
	"google.golang.org/protobuf/proto"
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
	if rec.Identity().Key() != id.Key() {
		return nil, fmt.Errorf("seal %s: record of %s, signer %s: %w", purpose, rec.Identity(), id, ErrKeyMismatch)
	}
	sig, err := id.Sign(controlMessage(purpose, scope, rec, content))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	raw, err := proto.Marshal(&pb.ControlMessage{Record: rec.Bytes(), Content: content, Signature: sig})
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	if len(raw) > MaxControl {
		return nil, fmt.Errorf("seal %s: %w: %d bytes, at most %d", purpose, ErrControl, len(raw), MaxControl)
	}
	return raw, nil
}

// Unseal reads a control message of at most MaxControl bytes, opens its record
// and verifies the signature over purpose, scope and content. The errors are
// ErrControl, ErrSignature and those of Open. Content does not alias raw.
func (r *Records) Unseal(purpose, scope string, raw []byte, now time.Time) (*Sealed, error) {
	if len(raw) > MaxControl {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrControl, len(raw), MaxControl)
	}
	var m pb.ControlMessage
	if err := proto.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrControl, err)
	}
	rec, err := r.Open(m.GetRecord(), now)
	if err != nil {
		return nil, err
	}
	if err := rec.Identity().Verify(controlMessage(purpose, scope, rec, m.GetContent()), m.GetSignature()); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", purpose, rec.Identity(), err)
	}
	return &Sealed{Record: rec, Content: m.GetContent()}, nil
}

func controlMessage(purpose, scope string, rec *Record, content []byte) []byte {
	digest := rec.Digest()
	return frame([]byte(domainControl), []byte(purpose), []byte(scope), digest[:], content)
}
