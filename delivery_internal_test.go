// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/blocksync"
)

// made is a block whose first transaction says when it was made.
func made(t *testing.T, number uint64, at *timestamppb.Timestamp) *common.Block {
	marshal := func(m proto.Message) []byte {
		raw, err := proto.Marshal(m)
		require.NoError(t, err)
		return raw
	}
	payload := &common.Payload{Header: &common.Header{ChannelHeader: marshal(&common.ChannelHeader{Timestamp: at})}}
	return &common.Block{
		Header: &common.BlockHeader{Number: number},
		Data:   &common.BlockData{Data: [][]byte{marshal(&common.Envelope{Payload: marshal(payload)})}},
	}
}

func TestDeliveryTakesTheTimesOfLiveBlocks(t *testing.T) {
	start := time.Unix(1000, 0)
	after := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	type seen struct{ spread, age time.Duration }
	var all []seen
	see := func(spread, age time.Duration) { all = append(all, seen{spread, age}) }

	d := newDelivery(5)
	require.Equal(t, Delivery{}, d.show(blocksync.Tally{}))
	d.announced(4, start) // it is committed
	d.announced(6, after(10))
	d.announced(6, after(20))
	d.announced(7, after(15))
	d.announced(8, after(15))
	d.verified(made(t, 5, timestamppb.New(start))) // nobody announced it: a catch-up
	d.verified(made(t, 6, timestamppb.New(start)))
	d.verified(made(t, 7, timestamppb.New(after(1_000_000))))
	d.verified(&common.Block{Header: &common.BlockHeader{Number: 8}})
	d.committed(8, after(50), see)
	require.Equal(t, []seen{{40 * time.Millisecond, 50 * time.Millisecond}, {35 * time.Millisecond, 0}}, all, "clocks differ")
	d.committed(9, after(115), see)
	require.Equal(t, seen{100 * time.Millisecond, 0}, all[2], "it does not say when it was made")
	require.Empty(t, d.first)
	require.Empty(t, d.made)

	tally := blocksync.Tally{Committed: 7}
	require.Equal(t, Delivery{
		Blocks: 3, Spread: Times{40 * time.Millisecond, 100 * time.Millisecond}, Age: Times{50 * time.Millisecond, 50 * time.Millisecond}, Tally: tally,
	}, d.show(tally))
	for number := uint64(9); number < 9+2*recent; number++ {
		d.announced(number, start)
		d.committed(number+1, after(1), see)
	}
	require.Equal(t, recent, d.show(tally).Blocks)
	d.relayed(30*time.Millisecond, 0)
	require.Equal(t, Distance{}, d.show(tally).Distance, "its floor is not known")
	d.relayed(30*time.Millisecond, 20*time.Millisecond)
	d.relayed(90*time.Millisecond, 30*time.Millisecond)
	d.relayed(24*time.Millisecond, 20*time.Millisecond)
	require.Equal(t, 4, d.show(tally).Relayed)
	require.Equal(t, Times{30 * time.Millisecond, 90 * time.Millisecond}, d.show(tally).Complete)
	require.Equal(t, Distance{Last: 1.2, Median: 1.5, Worst: 3}, d.show(tally).Distance)
	require.Equal(t, Times{time.Millisecond, time.Millisecond}, d.show(tally).Spread)
}
