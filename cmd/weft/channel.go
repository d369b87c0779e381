// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
)

func newChannel() *cobra.Command {
	return newGroup("channel", "Join and leave channels of a running node, and look at them",
		newChannelJoin(), newChannelList(), newChannelInfo(), newChannelFetch(), newChannelLeave(), newChannelStatus(),
	)
}

// listed is a channel in "channel list".
type listed struct {
	Name   string `json:"name"`
	Height uint64 `json:"height"`
	State  string `json:"state"`
}

// list is what "channel list" prints.
type list struct {
	Channels []listed `json:"channels"`
}

func newChannelList() *cobra.Command {
	return newAsking("list", "List the channels that the node has joined",
		"List the channels that the node has joined, as \"peer channel list\" does.", cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (list, error) {
			all, err := node.Channels(c.Context())
			l := list{Channels: []listed{}}
			for _, s := range all {
				l.Channels = append(l.Channels, listed{Name: s.Channel, Height: s.Height, State: s.State})
			}
			return l, err
		},
		func(w io.Writer, l list) error {
			fmt.Fprintln(w, "Channels peers has joined: ")
			for _, c := range l.Channels {
				fmt.Fprintln(w, c.Name)
			}
			return nil
		})
}

// info is what "peer channel getinfo" prints.
type info struct {
	Height            uint64 `json:"height,omitempty"`
	CurrentBlockHash  []byte `json:"currentBlockHash,omitempty"`
	PreviousBlockHash []byte `json:"previousBlockHash,omitempty"`
}

func newChannelInfo() *cobra.Command {
	var height uint64
	c := channelFlag(newAsking("getinfo -c NAME [--wait-height N]", "Show height and hashes of a channel",
		`Show the height of a channel and the hashes of its last block and of the one before, as "peer channel getinfo" does.
With --wait-height N it does so when the channel has N blocks; a node that is only starting gets 30 s to be there and to join.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (info, error) {
			s, err := reach(c, node, height)
			return info{Height: s.Height, CurrentBlockHash: s.CurrentBlockHash, PreviousBlockHash: s.PreviousBlockHash}, err
		},
		func(w io.Writer, i info) error {
			text, err := json.Marshal(i)
			if err == nil {
				_, err = fmt.Fprintf(w, "Blockchain info: %s\n", text)
			}
			return err
		}))
	c.Flags().Uint64Var(&height, "wait-height", 0, "wait until the channel has `N` blocks, and show how far it is")
	return c
}

// reach returns the status of the channel of -c, when it has a height.
func reach(c *cobra.Command, node *admin.Client, height uint64) (admin.Status, error) {
	if height == 0 {
		return node.Channel(c.Context(), channelOf(c))
	}
	return wait{
		node: node, channel: channelOf(c), goal: height, patience: patience, progress: newProgress(c.ErrOrStderr(), "blocks", time.Now()),
		until: func(s admin.Status, _ time.Duration) bool { return s.Height >= height },
	}.run(c.Context())
}

// left is what "channel leave" has done.
type left struct {
	Channel string `json:"channel"`
	Left    bool   `json:"left"`
}

func newChannelLeave() *cobra.Command {
	return channelFlag(newAsking("leave -c NAME", "Leave a channel",
		`Stop everything of a channel on the node, tell its members, and do not join it again at the next start. The blocks stay in the
data directory (ledgers/NAME): joining again goes on from them.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (left, error) {
			return left{channelOf(c), true}, node.Leave(c.Context(), channelOf(c))
		},
		func(w io.Writer, l left) error {
			_, err := fmt.Fprintf(w, "Left channel %s.\n", l.Channel)
			return err
		}))
}
