// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"fmt"

	"github.com/weft-p2p/weft/msp"
)

// Local returns the local MSP of the node with its signing identity, as msp.Load would read it from the folder that
// WriteMSP writes, without any file.
func (n *Node) Local() (*msp.Local, error) {
	signer, err := msp.NewSigningIdentity(n.Org.MSPID, n.CertPEM(), n.Key)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", n.Name, err)
	}
	local, err := msp.NewLocal(n.Org.MSPConfig(), signer)
	if err != nil {
		return nil, fmt.Errorf("local MSP of %s: %w", n.Name, err)
	}
	return local, nil
}
