// SPDX-License-Identifier: Apache-2.0

package logspec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
)

// ErrSpec is a specification that cannot be understood.
var ErrSpec = errors.New("logspec: bad logging specification")

// Format is how a record is written.
type Format string

// Formats.
const (
	Console Format = "console" // key=value pairs on one line, as slog's TextHandler
	JSON    Format = "json"    // one object a line
)

// loggerKey is the attribute that names a logger.
const loggerKey = "logger"

// Handler is a slog.Handler that writes what its specification lets through. It and all handlers made from it share the
// specification. It is safe for concurrent use.
type Handler struct {
	spec  *atomic.Pointer[spec] // shared
	inner slog.Handler
	name  string // of the logger, with a dot after it
	group bool   // a group is open: an attribute "logger" is that group's
}

var _ slog.Handler = (*Handler)(nil)

// New makes a Handler that writes to w; one record is one Write. An empty specification is "info". The error wraps [ErrSpec]
// when the specification is bad.
func New(spec string, w io.Writer, format Format) (*Handler, error) {
	h, err := newHandler(w, format)
	if err != nil {
		return nil, err
	}
	if err := h.SetSpec(spec); err != nil {
		return nil, err
	}
	return h, nil
}

func newHandler(w io.Writer, format Format) (*Handler, error) {
	options := &slog.HandlerOptions{Level: slog.LevelDebug} // levels are decided here
	h := &Handler{spec: new(atomic.Pointer[spec]), name: "."}
	switch format {
	case Console:
		h.inner = slog.NewTextHandler(w, options)
	case JSON:
		h.inner = slog.NewJSONHandler(w, options)
	default:
		return nil, fmt.Errorf("logspec: unknown format %q: write console or json", format)
	}
	return h, nil
}

// SetSpec replaces the specification, for every logger at once. A bad one changes nothing; the error wraps [ErrSpec].
func (h *Handler) SetSpec(spec string) error {
	s, err := parse(spec)
	if err != nil {
		return err
	}
	h.spec.Store(s)
	return nil
}

// Spec is the specification in force: names in order, the default at the end, levels spelled debug, info, warn, error.
func (h *Handler) Spec() string { return h.spec.Load().String() }

// Enabled reports whether this logger writes records of a level.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	s := h.spec.Load()
	return level >= s.least && level >= s.level(h.name)
}

// Handle writes a record.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error { return h.inner.Handle(ctx, r) }

// WithAttrs returns a handler with more attributes. The attribute "logger" names it, in place of the name so far.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.inner = h.inner.WithAttrs(attrs)
	if i := slices.IndexFunc(attrs, isName); i >= 0 && !h.group {
		next.name = attrs[i].Value.Resolve().String() + "."
	}
	return &next
}

// WithGroup returns a handler whose further attributes are in a group. Its name goes on with that of the group.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.inner = h.inner.WithGroup(name)
	next.group = true
	if h.name == "." {
		next.name = ""
	}
	next.name += name + "."
	return &next
}

func isName(a slog.Attr) bool { return a.Key == loggerKey }
