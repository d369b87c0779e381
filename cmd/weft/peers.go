// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
)

// peerList is what "peers" prints as JSON.
type peerList struct {
	Peers []admin.Peer `json:"peers"`
}

func newPeers() *cobra.Command {
	return newAsking("peers", "List the peers that the node knows",
		`List the node itself, the members of its channels that it has heard of, and whoever else is connected, with the day on which
their certificates expire, and how fast blocks are relayed from and to them. For each channel of a peer there is
the height that it claims; a star marks who pulls from the ordering service for its organization.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (peerList, error) {
			peers, err := node.Peers(c.Context())
			return peerList{peers}, err
		},
		func(w io.Writer, l peerList) error { return showPeers(w, l.Peers) })
}
