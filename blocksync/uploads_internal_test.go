// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/fair"
)

// asked is a request that waits, and what became of it.
type asked struct {
	mu      sync.Mutex // guards all below
	done    bool
	turn    *waiter
	instead peer.ID
	err     error
}

// ask lets a reader ask and waits until nothing moves any more.
func ask(ctx context.Context, u *uploads, reader peer.ID, blocks span, size int) *asked {
	a := &asked{}
	go func() {
		turn, instead, err := u.enter(ctx, reader, blocks, size)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.done, a.turn, a.instead, a.err = true, turn, instead, err
	}()
	synctest.Wait()
	return a
}

// outcome is what became of the request so far.
func (a *asked) outcome() (done bool, instead peer.ID, err error) {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done, a.instead, a.err
}

func (a *asked) served() bool {
	done, instead, err := a.outcome()
	return done && err == nil && instead == ""
}

func (a *asked) waits() bool {
	done, _, _ := a.outcome()
	return !done
}

func (a *asked) sentTo() peer.ID {
	_, instead, _ := a.outcome()
	return instead
}

func (a *asked) failed() error {
	_, _, err := a.outcome()
	return err
}

func TestUploadsServeWhatFits(t *testing.T) {
	for name, c := range map[string]struct {
		size, served int
	}{
		"small ones side by side": {uploadBytes / 8, 8},
		"just fits":               {uploadBytes / 4, 4},
		"big ones two at a time":  {uploadBytes, uploadLeast},
		"of unknown size":         {0, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				var u uploads
				served := 0
				for i := range 20 {
					if ask(ctx, &u, peer.ID(fmt.Sprint(i)), span{5, 5}, c.size).served() {
						served++
					}
				}
				require.Equal(t, c.served, served)
			})
		})
	}
}

func TestUploadsSendWaitersOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u uploads
		big := uploadBytes
		first, second := ask(t.Context(), &u, "first", span{5, 5}, big), ask(t.Context(), &u, "second", span{5, 5}, big)
		require.True(t, first.served() && second.served())
		later := ask(t.Context(), &u, "later", span{5, 5}, big)
		other := ask(t.Context(), &u, "other", span{6, 6}, big) // wants what first is not getting
		third, fourth := ask(t.Context(), &u, "third", span{5, 5}, big), ask(t.Context(), &u, "fourth", span{5, 5}, big)
		again := ask(t.Context(), &u, "first", span{5, 5}, big) // the reader itself

		u.leave(first.turn, &span{5, 5})
		synctest.Wait()
		require.True(t, later.served(), "who waits longest gets the free place")
		require.True(t, third.waits(), "of the others one half stays")
		require.Equal(t, peer.ID("first"), fourth.sentTo(), "and one is sent to who has just received it")
		require.True(t, other.waits(), "not to who does not have what they want")
		require.True(t, again.waits(), "nor to themselves")

		u.leave(second.turn, nil) // it broke off
		synctest.Wait()
		require.True(t, other.served())
		require.True(t, again.waits())
		u.leave(later.turn, nil)
		synctest.Wait()
		require.True(t, third.served())
		u.leave(third.turn, nil)
		u.leave(other.turn, nil)
		synctest.Wait()
		require.True(t, again.served())
		require.Equal(t, 1, u.active)
		require.Equal(t, big, u.bytes)
	})
}

func TestUploadsGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u uploads
		a, b := ask(t.Context(), &u, "a", span{1, 1}, uploadBytes), ask(t.Context(), &u, "b", span{1, 1}, uploadBytes)
		require.True(t, a.served() && b.served())
		u.mu.Lock()
		a.turn.timer.Stop() // they have all the time that they need
		b.turn.timer.Stop()
		u.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		left, patient := ask(ctx, &u, "left", span{1, 1}, 1), ask(t.Context(), &u, "patient", span{1, 1}, 1)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, left.failed(), context.Canceled)
		time.Sleep(uploadWait - time.Millisecond)
		synctest.Wait()
		require.True(t, patient.waits())
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.ErrorIs(t, patient.failed(), errBusy)
		require.Empty(t, u.waiting)
		u.leave(a.turn, nil)
		u.leave(b.turn, nil)
		require.Zero(t, u.active)
		require.Zero(t, u.bytes)
	})
}

// TestUploadsOfSlowReaders: readers that never finish, of one organization and as many identities as it likes, keep nobody
// waiting for longer than a turn.
func TestUploadsOfSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := uploads{owner: func(id peer.ID) fair.Owner {
			if id[0] == 'h' {
				return fair.Owner{Org: "A", Identity: string(id)}
			}
			return fair.Owner{Org: "B", Identity: string(id[:2])}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		var slow []*asked
		for i := range 100 {
			slow = append(slow, ask(ctx, &u, peer.ID(fmt.Sprintf("s%d-%d", i%10, i)), span{1, 1}, uploadBytes))
		}
		for i := range 20 {
			start := time.Now()
			a := ask(ctx, &u, peer.ID(fmt.Sprint("honest", i)), span{1, 1}, uploadBytes)
			for a.waits() {
				time.Sleep(10 * time.Millisecond)
				require.LessOrEqual(t, time.Since(start), uploadTurn+10*time.Millisecond, "reader %d", i)
			}
			require.True(t, a.served())
			u.leave(a.turn, nil)
		}
		served := 0
		for _, a := range slow {
			if a.served() {
				served++
			}
		}
		require.LessOrEqual(t, served, uploadOrg)
		require.LessOrEqual(t, u.held.Org("B"), uploadOrgBytes)
	})
}

// TestUploadsOfOneIdentity: its host keys have two answers together, and its organization has no more bytes than it may.
func TestUploadsOfOneIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		identity := "one"
		u := uploads{owner: func(peer.ID) fair.Owner { return fair.Owner{Org: "A", Identity: identity} }}
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		served := 0
		for i := range 1000 {
			if ask(ctx, &u, peer.ID(fmt.Sprint(i)), span{1, 1}, 1).served() {
				served++
			}
		}
		require.Equal(t, uploadEach, served)
		identity = "two"
		require.True(t, ask(ctx, &u, "two", span{1, 1}, uploadBytes/2).served())
		identity = "three"
		time.Sleep(2 * uploadTurn)
		big := ask(ctx, &u, "three", span{1, 1}, uploadOrgBytes)
		require.True(t, big.waits(), "with what the others have it would be too much")
	})
}
