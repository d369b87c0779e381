// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// judge judges a claim about a committed block.
func (w *Witness) judge(c claim) error {
	if c.Header == nil {
		return w.lie(c, nil)
	}
	ours, err := w.Ledger.HeaderHash(c.number())
	if err != nil {
		return err
	}
	if !bytes.Equal(ours, block.HeaderHash(c.Header)) {
		return w.fork(c)
	}
	if c.message == nil {
		return nil
	}
	d, known := w.bodies[c.number()]
	if known && d.root == c.root && d.size == c.size {
		return nil
	}
	body, err := w.body(c.number())
	if err != nil {
		return err
	}
	if d = (description{leaves.Root(body), len(body)}); d.root == c.root && d.size == c.size {
		w.remember(c.number(), d)
		return nil
	}
	return w.lie(c, body)
}

// body is the encoded Data of a committed block.
func (w *Witness) body(number uint64) ([]byte, error) {
	raw, err := w.Ledger.Bytes(number)
	if err != nil {
		return nil, err
	}
	return block.Body(raw)
}

func (w *Witness) remember(number uint64, d description) {
	w.bodies[number] = d
	if len(w.bodies) <= 2*Window {
		return
	}
	for old := range w.bodies {
		if old+Window < number {
			delete(w.bodies, old)
		}
	}
}

// lie records that an announcement does not describe a body. The announcer is judged under the configuration of now.
func (w *Witness) lie(c claim, body []byte) error {
	config, err := w.inForce(w.Ledger.Height())
	if err != nil {
		return err
	}
	p, err := ProveFalse(w.place(config), c.message, body)
	if err != nil {
		return err
	}
	return w.record(p, config, body)
}

// fork records that another header than ours is signed as well.
func (w *Witness) fork(c claim) error {
	b, err := w.block(c.number())
	if err != nil {
		return err
	}
	if !bytes.Equal(b.GetHeader().GetPreviousHash(), c.Header.GetPreviousHash()) || len(b.GetMetadata().GetMetadata()) == 0 {
		return nil
	}
	config, err := w.inForce(c.number())
	if err != nil {
		return err
	}
	p, err := ProveFork(w.place(config), Attestation{b.Header, b.Metadata.Metadata[common.BlockMetadataIndex_SIGNATURES]}, c.Attestation)
	if err != nil {
		return err
	}
	return w.record(p, config, nil)
}

func (w *Witness) place(config *channelconfig.Bundle) Place {
	return Place{Channel: w.Channel, Genesis: w.Genesis, Config: config.Number(), Found: time.Now()}
}

// record keeps what a proof proves, and tells the operator once.
func (w *Witness) record(p *Proof, config *channelconfig.Bundle, body []byte) error {
	f, err := p.Verify(config, body)
	if err != nil {
		return err
	}
	w.distrust(f)
	kept, err := w.store.Add(f)
	if err != nil {
		w.Log.Error("evidence not written, it is lost at the end of the process; see to the disk", "channel", w.Channel, "id", f.ID, "err", err)
	}
	if !kept {
		return nil
	}
	if w.found != nil {
		w.found.WithLabelValues(w.Channel, string(f.Kind)).Inc()
	}
	level, text := slog.LevelWarn, "a member has announced what is not so; its announcements count for nothing for a while"
	if f.Kind == Fork {
		level, text = slog.LevelError, "the ordering service has signed two blocks with one number; stop it and find out why"
	}
	w.Log.Log(context.Background(), level, text, "channel", w.Channel, "number", f.Number, "culprits", f.Names(), "id", f.ID)
	return nil
}

func (w *Witness) distrust(f *Finding) {
	if f.Kind == FalseAnnouncement {
		w.untrusted.caught(f.Culprits[0], f.Found)
	}
}
