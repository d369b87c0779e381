// SPDX-License-Identifier: Apache-2.0

package logspec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/logspec"
)

// level is the lowest level that a logger writes.
func level(h slog.Handler) string {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if h.Enabled(context.Background(), l) {
			return strings.ToLower(l.String())
		}
	}
	return "none"
}

func TestLevels(t *testing.T) {
	const long = "info:gossip.state=debug:weft.host,weft.msp=warn"
	for name, c := range map[string]struct{ spec, logger, want string }{
		"no specification":       {"", "weft", "info"},
		"default":                {"warn", "weft", "warn"},
		"the last default":       {"warn:debug", "weft", "debug"},
		"an empty field is info": {"warn:", "weft", "info"},
		"of its own":             {long, "gossip.state", "debug"},
		"of its parent":          {long, "gossip.state.buffer", "debug"},
		"not its parent's":       {long, "gossip", "info"},
		"no prefix of letters":   {long, "gossip.states", "info"},
		"first of a list":        {long, "weft.host", "warn"},
		"second of a list":       {long, "weft.msp.records", "warn"},
		"unnamed":                {long, "", "info"},
		"longest name":           {"a=error:a.b=debug", "a.b.c", "debug"},
		"exact, itself":          {"a.=debug", "a", "debug"},
		"exact, not below":       {"a.=debug", "a.b", "info"},
		"exact before hierarchy": {"a=warn:a.=debug", "a", "debug"},
		"go-log's names":         {"net/identify=debug:weft/msp=warn", "net/identify", "debug"},
		"the last one counts":    {"a=warn:a=debug", "a", "debug"},
		"any case":               {"a=DEBUG:Warning", "b", "warn"},
		"payload":                {"payload", "a", "debug"},
		"notice":                 {"notice", "a", "info"},
		"critical":               {"critical", "a", "error"},
		"dpanic":                 {"dpanic", "a", "error"},
		"panic":                  {"panic", "a", "error"},
		"fatal":                  {"fatal", "a", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := logspec.New(c.spec, io.Discard, logspec.Console)
			require.NoError(t, err)
			named := slog.Handler(h)
			if c.logger != "" {
				named = h.WithAttrs([]slog.Attr{slog.String("channel", "c"), slog.String("logger", c.logger)})
			}
			require.Equal(t, c.want, level(named))
		})
	}
}

func TestBadSpec(t *testing.T) {
	h, err := logspec.New("a=debug:warn", io.Discard, logspec.JSON)
	require.NoError(t, err)
	for spec, want := range map[string]string{
		"loud":                       `"loud" in "loud" is no level`,
		"a=":                         `"" in "a=" is no level`,
		"a=b=debug":                  `"b=debug" in "a=b=debug" is no level`,
		"=debug":                     `"" in "=debug" is no name`,
		"a,,b=debug":                 `"" in "a,,b=debug" is no name`,
		"a..b=debug":                 `"a..b"`,
		".a=debug":                   `".a"`,
		"a b=debug":                  `"a b"`,
		"info:a=debug,b=warn":        `no level`,
		strings.Repeat("a", 1<<14+1): "longer than 16384 bytes",
	} {
		err := h.SetSpec(spec)
		require.ErrorIs(t, err, logspec.ErrSpec, spec)
		require.ErrorContains(t, err, want)
		require.Equal(t, "a=debug:warn", h.Spec(), "nothing has changed")
	}
	h, err = logspec.New("loud", io.Discard, logspec.JSON)
	require.ErrorIs(t, err, logspec.ErrSpec)
	require.Nil(t, h)
	_, err = logspec.New("info", io.Discard, "%{color}")
	require.ErrorContains(t, err, "console or json")
}

func TestSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"": "info", "WARNING": "warn", "error:b,a.=debug:c=fatal": "a.=debug:b=debug:c=error:error",
	} {
		h, err := logspec.New(spec, io.Discard, logspec.Console)
		require.NoError(t, err)
		require.Equal(t, want, h.Spec())
		require.NoError(t, h.SetSpec(want), "it can be read again")
		require.Equal(t, want, h.Spec())
	}
}

// Loggers that exist follow a new specification.
func TestSetSpec(t *testing.T) {
	var out bytes.Buffer
	h, err := logspec.New("info", &out, logspec.Console)
	require.NoError(t, err)
	log := slog.New(h).With("logger", "weft", "channel", "c1")
	log.Debug("unheard")
	require.NoError(t, h.SetSpec("weft=debug"))
	log.Debug("heard\nof", "n", 1)
	slog.New(h).Debug("unheard")
	require.NoError(t, h.SetSpec("weft=error"))
	log.Warn("unheard")
	require.Regexp(t, `^time=\S+ level=DEBUG msg="heard\\nof" logger=weft channel=c1 n=1\n$`, out.String())
}

// Groups continue the name, and a name within a group is that group's attribute.
func TestGroups(t *testing.T) {
	var out bytes.Buffer
	h, err := logspec.New("error:weft.host=debug:gossip=warn", &out, logspec.JSON)
	require.NoError(t, err)
	weft := slog.New(h).With("logger", "weft")
	require.Equal(t, "debug", level(weft.WithGroup("host").Handler()))
	require.Equal(t, "debug", level(weft.WithGroup("host").With("logger", "x").WithGroup("").Handler()))
	require.Equal(t, "error", level(weft.WithGroup("msp").Handler()))
	require.Equal(t, "warn", level(slog.New(h).WithGroup("gossip").Handler()))
	require.Equal(t, "error", level(weft.With("logger", "other").WithGroup("host").Handler()), "the name was replaced")

	weft.WithGroup("host").Info("dialed", "peer", "p")
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "weft", line["logger"])
	require.Equal(t, map[string]any{"peer": "p"}, line["host"])
}

// libp2p's loggers name themselves in the way that is understood here.
func TestLibp2p(t *testing.T) {
	var out bytes.Buffer
	h, err := logspec.New("error:swarm-of-a-test=debug", &out, logspec.Console)
	require.NoError(t, err)
	gologshim.SetDefaultHandler(h)
	gologshim.Logger("swarm-of-a-test").Debug("heard")
	gologshim.Logger("other").Warn("unheard")
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "logger=swarm-of-a-test")
}

func TestConcurrent(t *testing.T) {
	h, err := logspec.New("info", io.Discard, logspec.JSON)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			log := slog.New(h).With("logger", "a.b")
			for range 100 {
				log.Debug("x")
				_ = h.SetSpec("a=debug")
				_ = h.Spec()
			}
		})
	}
	wait.Wait()
	require.Equal(t, "a=debug:info", h.Spec())
}

// A record that is not written costs nothing.
func TestNoAllocations(t *testing.T) {
	h, err := logspec.New("info:a.b.c.d=debug", io.Discard, logspec.Console)
	require.NoError(t, err)
	named := h.WithAttrs([]slog.Attr{slog.String("logger", "a.b.c")})
	require.Zero(t, testing.AllocsPerRun(100, func() { named.Enabled(context.Background(), slog.LevelDebug) }))
}

func FuzzSetSpec(f *testing.F) {
	for _, s := range []string{"", "info:gossip.state=debug:weft.host,weft.msp=warn", "a.=DEBUG", "a=b=c", ":::", ",=info"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		h, err := logspec.New(spec, io.Discard, logspec.Console)
		if err != nil {
			require.ErrorIs(t, err, logspec.ErrSpec)
			return
		}
		once := h.Spec()
		if len(once) > 16<<10 { // a list of loggers is longer one by one
			return
		}
		require.NoError(t, h.SetSpec(once))
		require.Equal(t, once, h.Spec())
	})
}
