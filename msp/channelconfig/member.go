// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"

	"github.com/weft-p2p/weft/msp"
)

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
