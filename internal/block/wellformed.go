// SPDX-License-Identifier: Apache-2.0

package block

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed says that the data of a block is not a list of well-formed transactions.
var ErrMalformed = errors.New("block: malformed transactions")

// Field numbers of common.Envelope.
const (
	envelopePayload   = 1
	envelopeSignature = 2
)

// WellFormed checks that the data of a block is cut into transactions as the orderer cut it: the data hash alone lets
// anybody move a boundary. It is Fabric's rule V-5: there is at least one transaction; a single configuration
// transaction is exempt; every other one decodes as an envelope with payload and signature and encodes to the same
// bytes again. The wire bytes are walked in place, which comes to the same verdict. The error is ErrMalformed.
func WellFormed(d *common.BlockData) error {
	txs := d.GetData()
	if len(txs) == 0 {
		return fmt.Errorf("%w: no transaction", ErrMalformed)
	}
	if HasConfig(txs) {
		return nil
	}
	for i, tx := range txs {
		if err := canonicalEnvelope(tx); err != nil {
			return fmt.Errorf("%w: transaction %d of %d: %w", ErrMalformed, i, len(txs), err)
		}
	}
	return nil
}

// canonicalEnvelope accepts exactly the bytes that protobuf would write for the envelope that it reads from them:
// payload, signature, each once, not empty and with tag and length in their shortest form, then whatever fields
// the envelope does not know, which protobuf keeps at the end as they are.
func canonicalEnvelope(tx []byte) error {
	rest, err := cutCanonical(tx, envelopePayload, "payload")
	if err != nil {
		return err
	}
	rest, err = cutCanonical(rest, envelopeSignature, "signature")
	if err != nil {
		return err
	}
	for len(rest) > 0 {
		f, err := next(rest)
		if err != nil {
			return fmt.Errorf("%d trailing bytes: %w", len(rest), err)
		}
		if f.is(envelopePayload) || f.is(envelopeSignature) {
			return fmt.Errorf("%d trailing bytes after payload and signature: a second field %d", len(rest), f.number)
		}
		if f.tag != protowire.SizeTag(f.number) {
			return fmt.Errorf("tag of unknown field %d is not in its shortest form", f.number)
		}
		rest = rest[f.size:]
	}
	return nil
}

// cutCanonical reads the non-empty field n in its shortest encoding from the front of msg and returns what follows.
func cutCanonical(msg []byte, n protowire.Number, name string) ([]byte, error) {
	if len(msg) == 0 {
		return nil, fmt.Errorf("no %s", name)
	}
	f, err := next(msg)
	if err != nil {
		return nil, err
	}
	if !f.is(n) {
		return nil, fmt.Errorf("field %d of wire type %d where the %s must be", f.number, f.kind, name)
	}
	if len(f.content) == 0 {
		return nil, fmt.Errorf("empty %s", name)
	}
	if f.size != protowire.SizeTag(n)+protowire.SizeBytes(len(f.content)) {
		return nil, fmt.Errorf("tag or length of the %s is not in its shortest form", name)
	}
	return msg[f.size:], nil
}
