// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"path/filepath"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/topics/evidence"
)

// Finding is a proof against an orderer or an announcer that holds.
type Finding = evidence.Finding

// Evidence is what was found on the channel, oldest first; with a data directory, before the last start as well. It is
// bounded, and the oldest is kept.
func (c *Channel) Evidence() []*Finding { return c.witness.Findings() }

// watch makes the channel's witness.
func (c *Channel) watch(genesis []byte) (err error) {
	n := c.node
	cfg := evidence.Config{
		Channel: c.id, Genesis: genesis, Ledger: c.ledger, Admits: c.admits, Complete: n.records.Complete,
		Log: n.logger("topics"), Registerer: n.registerer,
	}
	if n.dataDir != "" {
		cfg.Dir = filepath.Join(n.dataDir, "evidence", c.id)
	}
	c.witness, err = evidence.New(cfg)
	return err
}

// rival hears of every block that is another one than ours. Its share is that of the identity that brought it.
func (c *Channel) rival(b *common.Block, from peer.ID) {
	if owner, known := c.node.owner(from); known {
		c.witness.Rival(b, owner.Org, owner.Identity)
		return
	}
	c.witness.Rival(b, "", string(from))
}
