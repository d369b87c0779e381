// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// bft is a BFT channel of which each endpoint is what the test makes of it, and a leader that asks the first one.
type bft struct {
	*orderertest.Network
	*judging
	order  *orderer.Orderer
	ledger *orderer.Memory
	log    *warnings
	client *deliver.Client
	puller *leader.Puller
	stop   func()
}

// newBFT makes a channel with so many consenters and nine blocks, and its ordering service, which serves no endpoint yet.
func newBFT(t *testing.T, consenters int) *bft {
	t.Helper()
	b := &bft{Network: orderertest.NewBFT(t, consenters), ledger: orderer.NewMemory(), log: &warnings{}}
	b.judging = &judging{verifier: channelconfig.NewVerifier(b.Bundle(t), b.Genesis.GetHeader())}
	require.NoError(t, b.submit(t.Context(), b.Genesis))
	cfg := b.Config()
	cfg.Ledger = b.ledger
	var err error
	b.order, err = orderer.New(cfg)
	require.NoError(t, err)
	return b
}

// run serves the true chain at addresses, orders nine blocks and starts the leader.
func (b *bft) run(t *testing.T, honest ...string) {
	t.Helper()
	t.Cleanup(b.Serve(t, b.order, honest...))
	b.Fill(t, b.order, 9)
	cfg := config(t, b.Network)
	cfg.Rand = first(cfg.Endpoints(), b.Addresses[0])
	cfg.Verifier = b.ahead
	b.client = newClient(t, cfg)
	var err error
	b.puller, err = leader.New(leader.Config{
		Channel: b.Channel, Source: b.client, Height: b.Height, Submit: b.submit,
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.puller.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(b.stop)
}

// rogue serves an orderer at an address that sends on streams of blocks and of headers what the functions make of the true ones.
func (b *bft) rogue(t *testing.T, address string, blocks, headers func(*common.Block) *common.Block) *orderertest.Rogue {
	t.Helper()
	r := &orderertest.Rogue{Chain: b.order, Ledger: b.ledger, Blocks: blocks, Headers: headers}
	r.Serve(t, b.Network, address)
	return r
}

// A block source that withholds is found out by the headers of f others, whatever one faulty one of these says or does not say, and left.
func TestWithheldBlocksOfBFT(t *testing.T) {
	nothing := orderertest.Withhold(0)
	for name, tc := range map[string]struct {
		consenters int
		arrange    func(t *testing.T, b *bft) (honest []string)
	}{
		"one of four withholds": {4, func(_ *testing.T, b *bft) []string { return b.Addresses[1:] }},
		"two of seven withhold, one of them headers": {7, func(t *testing.T, b *bft) []string {
			b.rogue(t, b.Addresses[1], nothing, nothing)
			return b.Addresses[2:]
		}},
		"two of seven withhold, and two others are down": {7, func(t *testing.T, b *bft) []string { return b.Addresses[3:] }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBFT(t, tc.consenters)
				b.rogue(t, b.Addresses[0], orderertest.Withhold(5), nothing)
				b.run(t, tc.arrange(t, b)...)
				time.Sleep(leader.DefaultCensorship - time.Second)
				require.EqualValues(t, 5, b.Height(), "it is not accused before its time")
				require.Equal(t, b.Addresses[0], b.puller.Status().Endpoint)
				time.Sleep(time.Minute) // one withholding source more, at most
				require.EqualValues(t, 9, b.Height())
				time.Sleep(time.Hour)
				lines := b.log.lines()
				require.NotEmpty(t, lines)
				require.Contains(t, lines[0], b.Addresses[0])
				require.Contains(t, lines[0], "withholds blocks")
			})
		})
	}
}

// The headers go on across a configuration block, under the configuration that it brings.
func TestWithheldBehindAConfigurationBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBFT(t, 4)
		b.rogue(t, b.Addresses[0], orderertest.Withhold(9), nil)
		b.run(t, b.Addresses[1:]...)
		b.Configure(t, b.order)
		b.Fill(t, b.order, 12)
		time.Sleep(time.Second)
		require.EqualValues(t, 9, b.Height())
		require.EqualValues(t, 12, b.client.Known(), "a configuration block and two blocks behind it")
		time.Sleep(leader.DefaultCensorship)
		require.EqualValues(t, 12, b.Height())
	})
}

// What a faulty orderer says in place of headers makes no honest source suspicious, costs little, and another one is asked.
func TestFaultyHeaders(t *testing.T) {
	for name, headers := range map[string]func(*common.Block) *common.Block{
		"none": orderertest.Withhold(0),
		"nobody's signatures": func(b *common.Block) *common.Block {
			b.Metadata.Metadata[0] = []byte{}
			return b
		},
		"another header": func(b *common.Block) *common.Block {
			b.Header.DataHash[0] ^= 1
			return b
		},
		"another chain": func(b *common.Block) *common.Block {
			b.Header.PreviousHash[0] ^= 1
			return b
		},
		"far ahead": func(b *common.Block) *common.Block {
			b.Header.Number += 1000
			return b
		},
		"no header":      func(*common.Block) *common.Block { return &common.Block{} },
		"no metadata":    func(b *common.Block) *common.Block { return &common.Block{Header: b.Header} },
		"garbage inside": func(b *common.Block) *common.Block { b.Metadata.Metadata[0] = []byte{0xff}; return b },
		"other data":     func(b *common.Block) *common.Block { b.Data.Data = [][]byte{{0xff}}; b.Header.DataHash = nil; return b },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBFT(t, 4)
				var rogues []*orderertest.Rogue
				for _, address := range b.Addresses[1:] {
					rogues = append(rogues, b.rogue(t, address, nil, headers))
				}
				b.run(t, b.Addresses[0])
				time.Sleep(time.Hour)
				b.Fill(t, b.order, 12)
				time.Sleep(time.Hour)
				require.EqualValues(t, 12, b.Height())
				require.Equal(t, b.Addresses[0], b.puller.Status().Endpoint)
				require.Empty(t, b.log.lines())
				asked := 0
				for _, r := range rogues {
					asked += r.Asked()
				}
				require.Less(t, asked, 150, "about one stream a minute")
				require.GreaterOrEqual(t, asked, 1)
			})
		})
	}
}

// f others are asked for headers, never the source, and they are replaced when they cannot be reached.
func TestHeadersComeFromFOthers(t *testing.T) {
	for name, tc := range map[string]struct{ consenters, down, want int }{
		"one of four":       {4, 0, 1},
		"two of seven":      {7, 0, 2},
		"and some are down": {7, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBFT(t, tc.consenters)
				source := b.rogue(t, b.Addresses[0], nil, nil)
				b.run(t, b.Addresses[1+tc.down:]...)
				time.Sleep(time.Minute)
				open, _ := b.order.Streams()
				require.Equal(t, tc.want, open)
				require.Equal(t, 1, source.Asked())
				b.stop()
				synctest.Wait()
				open, _ = b.order.Streams()
				require.Zero(t, open)
				require.Zero(t, b.client.Known())
			})
		})
	}
	t.Run("none on a raft channel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := orderertest.New(t)
			o := n.Orderer(t, n.Config())
			cfg, r := config(t, n), &receiver{}
			cfg.Verifier = func() *channelconfig.Verifier { return channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader()) }
			stop := pull(t, newClient(t, cfg), 0, r.submit)
			time.Sleep(time.Minute)
			open, _ := o.Streams()
			require.Equal(t, 1, open)
			require.Error(t, stop())
		})
	})
}

// A flood of headers is read no further than a window ahead of the source.
func TestHeadersAreReadNoFurtherThanAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBFT(t, 4)
		b.rogue(t, b.Addresses[0], orderertest.Withhold(3), nil)
		b.run(t, b.Addresses[1:]...)
		b.Fill(t, b.order, 60)
		time.Sleep(leader.DefaultCensorship / 2)
		require.EqualValues(t, 3+deliver.HeaderWindow, b.client.Known())
	})
}
