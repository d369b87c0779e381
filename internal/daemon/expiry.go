// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"
)

const (
	expirySoon  = 7 * 24 * time.Hour
	expiryCheck = 12 * time.Hour
)

// watchExpiry warns when our own certificate is about to expire, until ctx ends.
func (d *Daemon) watchExpiry(ctx context.Context) error {
	tick := time.NewTicker(expiryCheck)
	defer tick.Stop()
	for {
		d.warnOfExpiry(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *Daemon) warnOfExpiry(now time.Time) {
	expires := d.identity.Signer.ExpiresAt()
	if left := expires.Sub(now); left < expirySoon {
		d.log.Warn("the certificate of this node expires soon; renew it and restart the node, or others will refuse it",
			"mspid", d.identity.MSP.ID(), "expires", expires, "left", left.Round(time.Minute))
	}
}
