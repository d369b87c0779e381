// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics"
)

// judging makes a topic that does not run, and accounts in which "org/identity/key" is a host key of that identity.
func judging(t *testing.T, judge func(peer.ID, []byte) topics.Verdict) (*topics.Topic, *stream.Accounts) {
	accounts, err := stream.NewAccounts(stream.AccountsConfig{Owner: func(id peer.ID) (o fair.Owner, ok bool) {
		_, err := fmt.Sscanf(string(id), "%s %s", &o.Org, &o.Identity)
		return o, err == nil
	}})
	require.NoError(t, err)
	return topics.New(topics.Config{Host: unconnected{}, Name: topicName, Judge: judge, Accounts: accounts}), accounts
}

func accept(peer.ID, []byte) topics.Verdict { return topics.Accept }

// TestJudgeRates: what neighbours send is judged up to the rate of the identity and of the organization, with all host keys
// together; one more is ignored unseen, and after a second there is room for as many as the rate says.
func TestJudgeRates(t *testing.T) {
	for name, c := range map[string]struct {
		from        func(i int) peer.ID
		burst, rate int
		flood       bool // a fault of the neighbour's
	}{
		"an identity":     {func(i int) peer.ID { return peer.ID(fmt.Sprint("A one key", i)) }, topics.JudgeBurst, topics.JudgeRate, true},
		"an organization": {func(i int) peer.ID { return peer.ID(fmt.Sprintf("A %d", i%100)) }, topics.OrgJudgeBurst, topics.OrgJudgeRate, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic, accounts := judging(t, accept)
				judged := func(most int) (n int) {
					for i := range most {
						if topic.Validate(t.Context(), c.from(i), nil) == pubsub.ValidationAccept {
							n++
						}
					}
					return n
				}
				require.Equal(t, c.burst, judged(c.burst), "at the limit")
				require.Zero(t, judged(1), "one past it")
				require.Equal(t, pubsub.ValidationAccept, topic.Validate(t.Context(), "B one", nil), "others are judged")
				time.Sleep(time.Second)
				require.Equal(t, c.rate, judged(c.rate+1), "a second later")
				for range stream.FaultLimit {
					time.Sleep(time.Second)
					judged(c.rate + 1)
				}
				require.Equal(t, c.flood, accounts.Barred(c.from(0)))
				require.False(t, accounts.Barred("B one"))
			})
		})
	}
}

// TestLateJudgementIsNotPassedOn: a message that took longer to judge than it may is not passed on; a bad one is a bad one
// however long it took.
func TestLateJudgementIsNotPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		takes   time.Duration
		verdict topics.Verdict
		want    pubsub.ValidationResult
	}{
		"just in time":  {topics.ValidatorTimeout - 1, topics.Accept, pubsub.ValidationAccept},
		"late":          {topics.ValidatorTimeout, topics.Accept, pubsub.ValidationIgnore},
		"late, and bad": {topics.ValidatorTimeout, topics.Reject, pubsub.ValidationReject},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic, _ := judging(t, func(peer.ID, []byte) topics.Verdict {
					time.Sleep(c.takes)
					synctest.Wait() // the end of ctx first
					return c.verdict
				})
				ctx, cancel := context.WithTimeout(t.Context(), topics.ValidatorTimeout)
				defer cancel()
				require.Equal(t, c.want, topic.Validate(ctx, "A one", nil))
			})
		})
	}
}

// TestJudgementsAtOneTime: as many messages of a topic are judged at one time as the table says, and one more is dropped.
func TestJudgementsAtOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 2, all)
		nodes[0].set(func() { nodes[0].members = nil }) // on the topic alone
		block := make(chan struct{})
		nodes[1].set(func() { nodes[1].block = block })
		for i := range topics.ValidatorConcurrency + 1 {
			require.NoError(t, nodes[0].topic.Publish(t.Context(), fmt.Append(nil, i)))
			time.Sleep(10 * time.Millisecond)
		}
		require.Len(t, nodes[1].messages(), topics.ValidatorConcurrency)
		close(block)
		time.Sleep(time.Second)
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("later")))
		time.Sleep(time.Second)
		require.Contains(t, nodes[1].messages(), "later")
	})
}
