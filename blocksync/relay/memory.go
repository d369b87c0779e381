// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

// Memory is what a machine takes for unfinished bodies, within heldBytes. Its methods must not wait.
type Memory interface {
	// Take takes so many bytes. It reports false if there are not so many.
	Take(bytes int) bool
	// Give gives back bytes that were taken.
	Give(bytes int)
}

// account takes the memory of a channel's unfinished bodies from the host's resource manager, in the scope of the relay's
// service. It is open while the channel runs. The channel's lock guards it.
type account struct {
	span network.ResourceScopeSpan // nil: nothing is to be had
}

// openAccount opens an account. Done of its span gives back what is left in it.
func openAccount(h host.Host) (span network.ResourceScopeSpan, err error) {
	err = h.Network().ResourceManager().ViewService(Protocol.Service, func(s network.ServiceScope) (err error) {
		span, err = s.BeginSpan()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the account of the relay's memory: %w", err)
	}
	return span, nil
}

func (a *account) Take(bytes int) bool {
	return a.span != nil && a.span.ReserveMemory(bytes, network.ReservationPriorityHigh) == nil
}

func (a *account) Give(bytes int) {
	if a.span != nil {
		a.span.ReleaseMemory(bytes)
	}
}

// take takes memory for a body before the first piece of it is kept.
func (m *Machine) take(b *block) bool {
	return b.body != nil || m.Memory == nil || b.Size == 0 || m.Memory.Take(b.Size)
}
