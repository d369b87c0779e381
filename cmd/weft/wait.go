// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weft-p2p/weft/internal/admin"
)

const (
	// look is how often a command that waits asks where the channel stands.
	look = 100 * time.Millisecond
	// patience is how long it waits for a node that is only starting, and for the channel to be joined.
	patience = 30 * time.Second
)

// wait waits for something of a channel, and shows how far its height is.
type wait struct {
	node     *admin.Client
	channel  string
	goal     uint64        // the height to show as the whole; 0: the highest that is known
	patience time.Duration // for the node to start and join; 0: it has
	progress *progress

	// until says whether what is waited for has come; quiet is since when the height has not grown.
	until func(s admin.Status, quiet time.Duration) bool
}

// run waits, and returns the last status.
func (w wait) run(ctx context.Context) (last admin.Status, err error) {
	defer w.progress.leave()
	start := time.Now()
	grown := start // when the height last grew
	err = w.node.Follow(ctx, w.channel, look, func(s admin.Status, err error) (bool, error) {
		now := time.Now()
		if err != nil {
			return !pending(err) || now.Sub(start) >= w.patience, err
		}
		if s.Height != last.Height {
			grown = now
		}
		last = s
		if s.State == admin.Stopped {
			return true, fmt.Errorf("channel %s has stopped: %s", w.channel, s.Error)
		}
		done := w.until(s, now.Sub(grown))
		w.show(s, done, now)
		return done, nil
	})
	return last, err
}

// pending says whether an error may go away by itself: the node is starting, or about to join.
func pending(err error) bool {
	return errors.Is(err, admin.ErrNoNode) || errors.Is(err, admin.ErrNotFound)
}

func (w wait) show(s admin.Status, done bool, now time.Time) {
	goal := w.goal
	if goal == 0 {
		goal = s.Highest
	}
	if done {
		w.progress.end(s.Height, goal)
	} else {
		w.progress.show(s.Height, goal, now)
	}
}
