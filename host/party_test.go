// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
)

// party is a host that authenticates: members of Org1 and Org2 are verified, of Bad refused, all others unknown.
type party struct {
	corehost.Host
	t   *testing.T
	key crypto.PrivKey
	id  *msp.SigningIdentity
	*host.Auth
	log      logbook
	outdated chan uint64
	registry *prometheus.Registry

	mu     sync.Mutex // guards all below
	mine   *msp.Record
	orgs   map[string]host.Result
	heard  []string // "<msp> <result>" per OnChange
	judged int
}

// logbook is what a log says.
type logbook struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newParty(s *sim, mspID string, change func(*host.AuthConfig)) *party {
	return partyWith(s, identity(s.t, mspID), change)
}

func partyWith(s *sim, id *msp.SigningIdentity, change func(*host.AuthConfig)) *party {
	p := &party{
		t: s.t, id: id, key: newHostKey(s.t), outdated: make(chan uint64, 10), registry: prometheus.NewRegistry(),
		orgs: map[string]host.Result{"Org1": host.Verified, "Org2": host.Verified, "Bad": host.Refused},
	}
	p.Host = s.host(func(cfg *host.Config) { cfg.Key = p.key })
	p.issue(uint64(time.Now().UnixNano()))
	cfg := host.AuthConfig{
		Host: p.Host, Records: msp.NewRecords(16), Mine: p.record, Judge: p.judge, OnChange: p.onChange,
		Outdated: func(highest uint64) { p.outdated <- highest }, Registerer: p.registry,
		Log: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	p.Auth = host.NewAuth(cfg)
	run(s.t, p.Auth.Run)
	return p
}

func (p *party) issue(incarnation uint64) *msp.Record {
	p.t.Helper()
	rec, err := msp.IssueRecord(p.key, p.id, incarnation, time.Now())
	require.NoError(p.t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mine = rec
	return rec
}

func (p *party) record() *msp.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mine
}

func (p *party) judge(rec *msp.Record) host.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judged++
	if res, ok := p.orgs[rec.Identity().MSPID()]; ok {
		return res
	}
	return host.Unknown
}

// configure changes what the party thinks of an organization, as a config block does.
func (p *party) configure(mspID string, res host.Result) {
	p.mu.Lock()
	p.orgs[mspID] = res
	p.mu.Unlock()
	p.Rejudge()
}

func (p *party) onChange(_ peer.ID, rec *msp.Record, res host.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, rec.Identity().MSPID()+" "+res.String())
}

func (p *party) changes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

func (p *party) thinks(of corehost.Host) host.Result {
	_, res := p.Known(of.ID())
	return res
}

func counter(t *testing.T, reg *prometheus.Registry, side, outcome string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "weft_host_authentications_total" && labels["side"] == side && labels["outcome"] == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
