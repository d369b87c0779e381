// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/msp"
)

// lookEvery is how often the MSP folder is read: a renewed certificate is not urgent, and whoever is in a hurry sends SIGHUP.
const lookEvery = time.Minute

// renewal takes a renewed certificate, key, CA or revocation list out of the MSP folder into use while the node runs.
type renewal struct {
	node     *weft.Node
	dir      string
	identity *msp.Local // in use
	daemon   *Daemon
	last     string // what was wrong at the last look
	told     string // what the operator was told
}

// watchIdentity looks into the MSP folder once a minute, and at every hangup, until ctx ends.
func (d *Daemon) watchIdentity(ctx context.Context, hangup <-chan os.Signal) error {
	r := d.newRenewal()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			r.look(ctx, false)
		case <-hangup:
			r.look(ctx, true)
		}
	}
}

func (d *Daemon) newRenewal() *renewal {
	return &renewal{node: d.node, dir: d.core.MSPPath, identity: d.identity, daemon: d}
}

// look takes what is in the folder into use if it is another identity than ours. What cannot be used is told, and ours stays:
// at once when the operator has asked, else when the next look finds the same, since files are replaced one after the other.
func (r *renewal) look(ctx context.Context, asked bool) {
	err := r.take(ctx)
	if ctx.Err() != nil {
		return
	}
	wrong := ""
	if err != nil {
		wrong = err.Error()
	}
	if wrong != "" && (asked || wrong == r.last && wrong != r.told) {
		r.daemon.log.Error("the identity in the MSP folder cannot be used; the one before stays in use", "dir", r.dir, "err", err)
		r.told = wrong
	}
	if wrong == "" {
		r.told = ""
	}
	r.last = wrong
}

func (r *renewal) take(ctx context.Context) error {
	found, err := msp.Load(r.dir, r.node.MSPID())
	if err != nil {
		return err
	}
	if found.Signer.Digest() == r.identity.Signer.Digest() && proto.Equal(found.Config, r.identity.Config) {
		return nil
	}
	err = r.node.SetIdentity(ctx, found)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("take %s: %w", r.dir, err)
	}
	r.identity = found
	return nil
}
