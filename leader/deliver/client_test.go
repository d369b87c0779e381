// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func TestNewChecksConfig(t *testing.T) {
	good := deliver.Config{
		Channel: "ch", Endpoints: func() []channelconfig.Endpoint { return nil }, Signer: func() *msp.SigningIdentity { return nil },
	}
	for name, change := range map[string]func(*deliver.Config){
		"no channel":         func(c *deliver.Config) { c.Channel = "" },
		"no endpoints":       func(c *deliver.Config) { c.Endpoints = nil },
		"no signer":          func(c *deliver.Config) { c.Signer = nil },
		"negative timeout":   func(c *deliver.Config) { c.ConnTimeout = -1 },
		"negative keepalive": func(c *deliver.Config) { c.KeepaliveInterval = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := deliver.New(bad)
			require.Error(t, err)
		})
	}
	c := newClient(t, good)
	require.ErrorIs(t, c.Pull(t.Context(), 0, nil), deliver.ErrNoEndpoints)
}

func TestPullFollowsTheChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 3)
		c, r := newClient(t, config(t, n)), &receiver{}
		require.Empty(t, c.Endpoint())
		stop := pull(t, c, 0, r.submit)
		synctest.Wait()
		require.Equal(t, []uint64{0, 1, 2}, r.numbers())
		require.Contains(t, n.Addresses, c.Endpoint())
		n.Fill(t, o, 6)
		synctest.Wait()
		require.Equal(t, []uint64{0, 1, 2, 3, 4, 5}, r.numbers())
		open, _ := o.Streams()
		require.Equal(t, 1, open)

		require.Error(t, stop())
		require.Empty(t, c.Endpoint())
		synctest.Wait()
		open, _ = o.Streams()
		require.Zero(t, open)
	})
}

func TestStatusesOfAnOrderer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		n.Fill(t, o, 2)
		stranger := orderertest.Signer(t, orderertest.Enroll(t, orderertest.Org(t, "Org9"), "peer0", devnet.Peer))
		for name, tc := range map[string]struct {
			change func(*deliver.Config)
			from   uint64
			err    error
			advice string
		}{
			"stranger":        {func(c *deliver.Config) { c.Signer = func() *msp.SigningIdentity { return stranger } }, 0, deliver.ErrForbidden, "organization is in the channel"},
			"unknown channel": {func(c *deliver.Config) { c.Channel = "elsewhere" }, 0, deliver.ErrNotFound, "does not serve the channel"},
			"ahead of it":     {func(*deliver.Config) {}, 7, deliver.ErrNotFound, "is behind us"},
			"no signer":       {func(c *deliver.Config) { c.Signer = func() *msp.SigningIdentity { return nil } }, 0, deliver.ErrSigner, "no signing identity"},
		} {
			cfg := config(t, n)
			tc.change(&cfg)
			err := newClient(t, cfg).Pull(t.Context(), tc.from, (&receiver{}).submit)
			require.ErrorIs(t, err, tc.err, name)
			require.ErrorContains(t, err, tc.advice, name)
			require.ErrorContains(t, err, "orderer orderer", "%s: names the endpoint", name)
		}
		stop := pull(t, newClient(t, config(t, n)), 0, (&receiver{}).submit)
		synctest.Wait()
		o.Suspend(true)
		synctest.Wait()
		err := stop()
		require.ErrorIs(t, err, deliver.ErrUnavailable)
		require.ErrorContains(t, err, "no leader")
		status := &deliver.StatusError{}
		require.ErrorAs(t, err, &status)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, status.Status)
	})
}

func TestSubmitErrorEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Fill(t, n.Orderer(t, n.Config()), 3)
		refused := errors.New("bad signature")
		err := newClient(t, config(t, n)).Pull(t.Context(), 1, func(context.Context, *common.Block) error { return refused })
		require.ErrorIs(t, err, refused)
		require.ErrorContains(t, err, "submit block 1")
	})
}

func TestMutualTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		orderers := n.Config()
		orderers.ClientAuth = true
		n.Orderer(t, orderers)
		cfg, r := config(t, n), &receiver{}
		// What the client sees of the refusal depends on who closes first: under TLS 1.3 its own handshake is over by then.
		require.ErrorContains(t, newClient(t, cfg).Pull(t.Context(), 0, r.submit), "code = Unavailable")
		require.Zero(t, r.Height())
		cfg.ClientCert = orderertest.ClientTLS(t, n.Org1)
		stop := pull(t, newClient(t, cfg), 0, r.submit)
		synctest.Wait()
		require.EqualValues(t, 1, r.Height(), "the certificate and its hash in the request are accepted")
		require.Error(t, stop())
	})
}

func TestNextEndpointAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		firsts := map[string]bool{}
		for seed := range uint64(20) {
			cfg := config(t, n) // nothing listens
			var dialed []string
			cfg.Rand = rand.New(rand.NewPCG(seed, 0))
			dial := cfg.Dial
			c := newClient(t, withDialed(cfg, &dialed, dial))
			for range 4 {
				require.ErrorContains(t, c.Pull(t.Context(), 0, nil), orderertest.ErrRefused.Error())
			}
			require.Len(t, dialed, 4)
			require.ElementsMatch(t, n.Addresses, dialed[:2], "each endpoint once before any twice")
			require.Equal(t, dialed[:2], dialed[2:])
			firsts[dialed[0]] = true
		}
		require.Len(t, firsts, 2, "the order is random")
	})
}

// The endpoints may change between being read and the start of the stream.
func TestEndpointsThatChangeAtTheWrongMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Orderer(t, n.Config())
		cfg, asked := config(t, n), 0
		old, current := only(t, n, n.Addresses[0]), only(t, n, n.Addresses[1])
		cfg.Endpoints = func() []channelconfig.Endpoint {
			if asked++; asked == 1 {
				return old()
			}
			return current()
		}
		c := newClient(t, cfg)
		require.NoError(t, c.Pull(t.Context(), 0, nil), "given up before anything was taken")
	})
}

func TestRefreshMovesToNewEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		endpoints := only(t, n, n.Addresses[0])
		cfg, r := config(t, n), &receiver{}
		cfg.Endpoints = func() []channelconfig.Endpoint { return endpoints() }
		c := newClient(t, cfg)
		c.Refresh() // nothing runs
		stop := pull(t, c, 0, r.submit)
		synctest.Wait()
		require.Equal(t, n.Addresses[0], c.Endpoint())
		c.Refresh() // nothing changed
		n.Fill(t, o, 2)
		synctest.Wait()
		require.EqualValues(t, 2, r.Height())

		endpoints = only(t, n, n.Addresses[1])
		c.Refresh()
		synctest.Wait()
		require.NoError(t, stop(), "moving on is no failure")
		stop = pull(t, c, 2, r.submit)
		synctest.Wait()
		require.Equal(t, n.Addresses[1], c.Endpoint())
		require.Error(t, stop())
	})
}

// The whole of it: a leader pulls, the ordering service dies and comes back after an hour, and every block arrives once and verifies.
func TestLeaderResumesAfterOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		chain := orderertest.NewChain(t, n)
		r := &receiver{}
		verifier := channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader())
		submit := func(ctx context.Context, b *common.Block) error {
			if b.GetHeader().GetNumber() > 0 {
				if err := verifier.Verify(b); err != nil {
					return err
				}
				if err := verifier.Advance(b); err != nil {
					return err
				}
			}
			return r.submit(ctx, b)
		}
		p, err := leader.New(leader.Config{Channel: n.Channel, Source: newClient(t, config(t, n)), Height: r.Height, Submit: submit})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()

		stop := chain.Serve(t, n.Addresses...)
		chain.Fill(t, 4)
		time.Sleep(time.Second)
		require.True(t, p.Streaming())
		require.EqualValues(t, 4, r.Height())
		stop()
		time.Sleep(time.Hour)
		require.Equal(t, leader.Failing, p.Status().State)
		require.ErrorContains(t, p.Status().LastErr, "code = Unavailable", "the last error says that nobody answers")

		stop = chain.Serve(t, n.Addresses[1])
		chain.Fill(t, 9)
		time.Sleep(2 * time.Hour) // after an hour's outage a pause is long; two of them, if the dead address is tried first
		require.True(t, p.Streaming())
		require.Equal(t, n.Addresses[1], p.Status().Endpoint)
		require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8}, r.numbers())
		cancel()
		require.NoError(t, <-done)
		stop()
	})
}
