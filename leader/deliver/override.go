// SPDX-License-Identifier: Apache-2.0

package deliver

import "github.com/weft-p2p/weft/msp/channelconfig"

// Override sends streams for one endpoint of channel configurations elsewhere (peer.deliveryclient.addressOverrides).
type Override struct {
	From, To string   // host:port
	TLSRoots [][]byte // PEM: what To is trusted by; nil: the roots that the configuration gives From
}

// overridden returns a function like endpoints whose answers are changed by the overrides; the last one for an address counts.
func overridden(endpoints func() []channelconfig.Endpoint, overrides []Override) func() []channelconfig.Endpoint {
	if len(overrides) == 0 {
		return endpoints
	}
	by := make(map[string]Override, len(overrides))
	for _, o := range overrides {
		by[o.From] = o
	}
	return func() []channelconfig.Endpoint {
		current := endpoints()
		changed := make([]channelconfig.Endpoint, len(current))
		for i, e := range current {
			if o, ok := by[e.Address]; ok {
				e.Address = o.To
				if o.TLSRoots != nil {
					e.TLSRoots = o.TLSRoots
				}
			}
			changed[i] = e
		}
		return changed
	}
}
