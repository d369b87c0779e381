// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/msp"
)

func TestAuthenticateBothWays(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		connect(t, a, b)
		res, err := a.Authenticate(t.Context(), b.ID())
		require.NoError(t, err)
		require.Equal(t, host.Verified, res)
		require.Equal(t, host.Verified, b.thinks(a))
		rec, _ := a.Known(b.ID())
		require.Equal(t, b.record().Digest(), rec.Digest())
		require.Equal(t, []string{"Org2 verified"}, a.changes())
		require.Equal(t, []string{"Org1 verified"}, b.changes())

		_, err = b.Authenticate(t.Context(), a.ID())
		require.NoError(t, err)
		require.Len(t, b.changes(), 1, "the same record again is no change")
	})
}

func TestAuthenticateResults(t *testing.T) {
	for name, tc := range map[string]struct {
		opener, answerer string
		res              host.Result // opener of answerer
		err              error
		theirs           host.Result // answerer of opener
	}{
		"unknown to the answerer":            {"Org9", "Org2", host.Unspecified, host.ErrUnknownToPeer, host.Unknown},
		"refused by the answerer":            {"Bad", "Org2", host.Unspecified, host.ErrRefusedByPeer, host.Refused},
		"answerer is unknown to the opener":  {"Org1", "Org9", host.Unknown, nil, host.Verified},
		"answerer is refused by the opener":  {"Org1", "Bad", host.Refused, nil, host.Verified},
		"the answerer's own is not revealed": {"Org9", "Org9", host.Unspecified, host.ErrUnknownToPeer, host.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				a, b := newParty(s, tc.opener, nil), newParty(s, tc.answerer, nil)
				connect(t, a, b)
				res, err := a.Authenticate(t.Context(), b.ID())
				require.ErrorIs(t, err, tc.err)
				require.Equal(t, tc.res, res)
				require.Equal(t, tc.theirs, b.thinks(a))
				require.True(t, connected(a, b), "somebody else's host: connections stay")
				if tc.err != nil {
					rec, _ := a.Known(b.ID())
					require.Nil(t, rec)
				}
			})
		})
	}
}

func TestRefusedConnectionsCloseOnOurOwnHosts(t *testing.T) {
	closing := func(cfg *host.AuthConfig) { cfg.CloseRefused = true }
	simulate(t, func(t *testing.T, s *sim) {
		good, bad, late := newParty(s, "Org1", closing), newParty(s, "Bad", nil), newParty(s, "Org2", nil)
		connect(t, bad, good)
		_, err := bad.Authenticate(t.Context(), good.ID())
		require.ErrorIs(t, err, host.ErrRefusedByPeer, "the answer arrives before the end")
		time.Sleep(time.Second)
		require.False(t, connected(good, bad), "refused as opener")

		connect(t, good, bad)
		_, err = good.Authenticate(t.Context(), bad.ID())
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.False(t, connected(good, bad), "refused as answerer")

		connect(t, good, late)
		require.NoError(t, good.Ensure(t.Context(), late.ID()))
		good.configure("Org2", host.Refused)
		time.Sleep(time.Second)
		require.False(t, connected(good, late), "refused by a later configuration")
	})
}

func TestAuthenticateNeedsARecordAndAConnection(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		_, err := a.Authenticate(t.Context(), b.ID())
		require.ErrorIs(t, err, network.ErrNoConn)
		connect(t, a, b)
		a.mu.Lock()
		a.mine = nil
		a.mu.Unlock()
		_, err = a.Authenticate(t.Context(), b.ID())
		require.ErrorIs(t, err, host.ErrNoRecord)
		_, err = b.Authenticate(t.Context(), a.ID())
		require.Error(t, err, "an answerer without a record answers nobody")
	})
}

func TestHigherIncarnationWins(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		connect(t, a, b)
		first := a.record()
		newer := a.issue(first.Incarnation() + 100)
		_, err := a.Authenticate(t.Context(), b.ID())
		require.NoError(t, err)

		a.mu.Lock()
		a.mine = first // a lost file
		a.mu.Unlock()
		res, err := a.Authenticate(t.Context(), b.ID())
		require.NoError(t, err)
		require.Equal(t, host.Verified, res)
		rec, _ := b.Known(a.ID())
		require.Equal(t, newer.Digest(), rec.Digest(), "the older one does not replace the newer")
		require.Equal(t, newer.Incarnation(), <-a.outdated)

		last := a.issue(newer.Incarnation() + 1)
		require.NoError(t, a.Renew(t.Context()))
		rec, _ = b.Known(a.ID())
		require.Equal(t, last.Digest(), rec.Digest())
		require.Empty(t, a.outdated)
	})
}

// A member cannot use up our incarnations with one lie.
func TestClaimsOfIncarnationsAreBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a := newParty(s, "Org1", nil)
		liar := partyWith(s, identity(t, "Org2"), nil)
		third := s.plain()
		server := &stream.Server{Host: third, Protocol: host.AuthProtocol, Handle: func(_ context.Context, st *stream.Stream) error {
			rec, err := msp.IssueRecord(third.Peerstore().PrivKey(third.ID()), liar.id, 1, time.Now())
			if err != nil {
				return err
			}
			return st.Write(&pb.AuthResponse{Status: pb.Status_STATUS_VERIFIED, Record: rec.Bytes(), HighestIncarnation: 1<<63 + 5})
		}}
		run(t, server.Run)
		connect(t, a, third)
		res, err := a.Authenticate(t.Context(), third.ID())
		require.NoError(t, err)
		require.Equal(t, host.Verified, res)
		require.Empty(t, a.outdated)
	})
}

func TestRenewOnLiveConnections(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		hub := newParty(s, "Org1", nil)
		var others []*party
		for i := range 5 {
			p := newParty(s, fmt.Sprintf("Org%d", 1+i%2), nil)
			connect(t, p, hub)
			require.NoError(t, p.Ensure(t.Context(), hub.ID()))
			others = append(others, p)
		}
		disconnect(t, hub, others[0])
		time.Sleep(time.Second)
		renewed := hub.issue(hub.record().Incarnation() + 1)
		require.NoError(t, hub.Renew(t.Context()))
		for i, p := range others {
			rec, res := p.Known(hub.ID())
			require.Equal(t, host.Verified, res)
			require.Equal(t, i != 0, rec.Digest() == renewed.Digest(), "everybody who is connected, and no dialing")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, hub.Renew(ctx), context.Canceled)
	})
}

// TestRenewalsAtOneTime: as many peers are shown a new record at one time as the table says; one more has to wait.
func TestRenewalsAtOneTime(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		hub := newParty(s, "Org1", nil)
		var shown atomic.Int32
		for range host.Renewals + 1 {
			p := newParty(s, "Org2", nil)
			connect(t, p, hub)
			require.NoError(t, p.Ensure(t.Context(), hub.ID()))
			p.SetStreamHandler(host.AuthProtocol.ID, func(network.Stream) { shown.Add(1) }) // and does not answer
		}
		hub.issue(hub.record().Incarnation() + 1)
		done := make(chan error)
		go func() { done <- hub.Renew(t.Context()) }()
		time.Sleep(host.AuthProtocol.Deadline / 2)
		require.EqualValues(t, host.Renewals, shown.Load())
		require.NoError(t, <-done)
		require.EqualValues(t, host.Renewals+1, shown.Load())
	})
}

// A joiner with an old configuration and a server with a new one find each other as the joiner catches up.
func TestRejudgeAfterAConfiguration(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		joiner, server := newParty(s, "Org1", nil), newParty(s, "Org7", nil)
		connect(t, joiner, server)
		res, err := joiner.Authenticate(t.Context(), server.ID())
		require.NoError(t, err)
		require.Equal(t, host.Unknown, res)
		joiner.configure("Org7", host.Verified)
		joiner.configure("Org7", host.Verified) // no change
		joiner.configure("Org7", host.Refused)
		require.Equal(t, []string{"Org7 unknown", "Org7 verified", "Org7 refused"}, joiner.changes())
		require.Equal(t, host.Refused, joiner.thinks(server))
	})
}

// A configuration that arrives while a record is being judged counts for that record.
func TestRejudgeDuringAnExchange(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		var a *party
		var once sync.Once
		a = newParty(s, "Org1", func(cfg *host.AuthConfig) {
			cfg.Judge = func(rec *msp.Record) host.Result {
				res := a.judge(rec)
				once.Do(func() { a.configure("Org2", host.Refused) })
				return res
			}
		})
		b := newParty(s, "Org2", nil)
		connect(t, a, b)
		res, err := a.Authenticate(t.Context(), b.ID())
		require.NoError(t, err)
		require.Equal(t, host.Refused, res)
		require.Equal(t, []string{"Org2 refused"}, a.changes())
	})
}

func TestOnChangeMayCallBack(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		var a *party
		var results []host.Result
		a = newParty(s, "Org1", func(cfg *host.AuthConfig) {
			cfg.OnChange = func(id peer.ID, _ *msp.Record, res host.Result) {
				results = append(results, res)
				if len(results) == 1 {
					a.configure("Org2", host.Unknown)
					_, now := a.Known(id)
					require.Equal(t, host.Unknown, now)
				}
			}
		})
		b := newParty(s, "Org2", nil)
		connect(t, a, b)
		_, err := a.Authenticate(t.Context(), b.ID())
		require.NoError(t, err)
		require.Equal(t, []host.Result{host.Verified, host.Unknown}, results)
	})
}

func TestEnsureExchangesOncePerConnection(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		exchanges := func() int {
			n, err := testutil.GatherAndCount(b.registry, "weft_host_authentications_total")
			require.NoError(t, err)
			if n == 0 {
				return 0
			}
			return int(counter(t, b.registry, "answerer", "verified"))
		}
		connect(t, a, b)
		for range 3 {
			require.NoError(t, a.Ensure(t.Context(), b.ID()))
			require.NoError(t, b.Ensure(t.Context(), a.ID()))
		}
		require.Equal(t, 1, exchanges(), "one exchange serves both sides")
		disconnect(t, a, b)
		time.Sleep(time.Second)
		connect(t, a, b)
		require.NoError(t, a.Ensure(t.Context(), b.ID()))
		require.Equal(t, 2, exchanges(), "the other end may have restarted")
		a.issue(a.record().Incarnation() + 1)
		require.NoError(t, a.Ensure(t.Context(), b.ID()))
		require.Equal(t, 3, exchanges(), "a new record")
	})
}

func TestDuplicateHostKeyIsAWarningOnce(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		shared := identity(t, "Org2")
		watcher := newParty(s, "Org1", nil)
		a, b := partyWith(s, shared, nil), partyWith(s, shared, nil)
		for _, p := range []*party{a, b} {
			connect(t, p, watcher)
			require.NoError(t, p.Ensure(t.Context(), watcher.ID()))
		}
		require.NoError(t, watcher.Renew(t.Context()))
		require.Equal(t, 1, strings.Count(watcher.log.String(), "duplicate host key"))
		require.Equal(t, host.Verified, watcher.thinks(a))
		require.Equal(t, host.Verified, watcher.thinks(b), "never refused for it")
		connect(t, a, b)
		require.NoError(t, a.Ensure(t.Context(), b.ID()))
		require.Contains(t, a.log.String(), "duplicate host key", "our own identity at another host")
		require.Contains(t, b.log.String(), "duplicate host key")
	})
}

func TestRecordsExpire(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		connect(t, a, b)
		require.NoError(t, a.Ensure(t.Context(), b.ID()))
		time.Sleep(23 * time.Hour)
		require.Equal(t, host.Verified, a.thinks(b))
		time.Sleep(90 * time.Minute)
		require.Equal(t, host.Unspecified, a.thinks(b))
		require.Equal(t, []string{"Org2 verified", "Org2 unspecified"}, a.changes())
	})
}

// Strangers cannot push members out, and who is not connected goes first.
func TestPeersAreBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		hub := newParty(s, "Org1", func(cfg *host.AuthConfig) { cfg.Peers = 3 })
		visit := func(mspID string) *party {
			p := newParty(s, mspID, nil)
			connect(t, p, hub)
			_, _ = p.Authenticate(t.Context(), hub.ID())
			return p
		}
		gone, stays, stranger := visit("Org2"), visit("Org2"), visit("Org9")
		disconnect(t, hub, gone)
		time.Sleep(time.Second)
		require.Equal(t, host.Verified, hub.thinks(gone), "remembered while there is room")
		second := visit("Org9")
		require.Equal(t, host.Unspecified, hub.thinks(gone))
		third := visit("Org2")
		require.Equal(t, host.Unspecified, hub.thinks(stranger))
		require.Equal(t, host.Unknown, hub.thinks(second))
		require.Equal(t, host.Verified, hub.thinks(stays))
		require.Equal(t, host.Verified, hub.thinks(third))
	})
}

func TestRateOfOnePeer(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		connect(t, a, b)
		refused := 0
		for range 2 * host.AuthProtocol.Burst {
			if _, err := a.Authenticate(t.Context(), b.ID()); err != nil {
				refused++
			}
		}
		require.InDelta(t, host.AuthProtocol.Burst, refused, 3)
		require.Equal(t, host.Verified, b.thinks(a))
	})
}

func TestRunLeavesNothing(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.plain()
		a := host.NewAuth(host.AuthConfig{Host: h, Records: msp.NewRecords(1), Mine: func() *msp.Record { return nil }})
		stop := run(t, a.Run)
		time.Sleep(time.Second)
		require.Contains(t, h.Mux().Protocols(), host.AuthProtocol.ID)
		require.ErrorIs(t, a.Run(t.Context()), stream.ErrRegistered)
		stop()
		require.NotContains(t, h.Mux().Protocols(), host.AuthProtocol.ID)
	})
}
