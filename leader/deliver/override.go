// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"slices"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Override sends streams for one endpoint of channel configurations elsewhere (peer.deliveryclient.addressOverrides).
type Override struct {
	From, To string   // host:port
	TLSRoots [][]byte // PEM: what To is trusted by; nil: the roots that the configuration gives From
}

// overridden returns a function like endpoints whose answers are changed by the overrides.
func overridden(endpoints func() []channelconfig.Endpoint, overrides []Override) func() []channelconfig.Endpoint {
	if len(overrides) == 0 {
		return endpoints
	}
	return func() []channelconfig.Endpoint {
		changed := slices.Clone(endpoints())
		for i, e := range changed {
			changed[i] = override(e, overrides)
		}
		return changed
	}
}

// override returns the endpoint that e is to be replaced by, or e; the last override for an address counts.
func override(e channelconfig.Endpoint, overrides []Override) channelconfig.Endpoint {
	for _, o := range slices.Backward(overrides) {
		if o.From != e.Address {
			continue
		}
		e.Address = o.To
		if o.TLSRoots != nil {
			e.TLSRoots = o.TLSRoots
		}
		break
	}
	return e
}
