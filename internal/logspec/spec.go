// SPDX-License-Identifier: Apache-2.0

package logspec

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxSpec bounds what may be set over the network.
const maxSpec = 16 << 10

// spec is a parsed specification; it is immutable.
type spec struct {
	fallback slog.Level
	least    slog.Level            // of all
	levels   map[string]slog.Level // by name; one that ends in a dot is for this very logger
}

// names are the levels of Fabric; slog has none above error, and Fabric itself reads notice and critical as here.
var names = map[string]slog.Level{
	"payload": slog.LevelDebug, "debug": slog.LevelDebug,
	"info": slog.LevelInfo, "notice": slog.LevelInfo,
	"warn": slog.LevelWarn, "warning": slog.LevelWarn,
	"error": slog.LevelError, "critical": slog.LevelError, "dpanic": slog.LevelError, "panic": slog.LevelError, "fatal": slog.LevelError,
}

var loggerName = regexp.MustCompile(`^[[:alnum:]_#/-]+(\.[[:alnum:]_#/-]+)*\.?$`)

func parse(text string) (*spec, error) {
	if len(text) > maxSpec {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrSpec, maxSpec)
	}
	s := &spec{fallback: slog.LevelInfo, levels: map[string]slog.Level{}}
	for field := range strings.SplitSeq(text, ":") {
		if err := s.add(field); err != nil {
			return nil, err
		}
	}
	s.least = s.fallback
	for _, l := range s.levels {
		s.least = min(s.least, l)
	}
	return s, nil
}

func (s *spec) add(field string) error {
	loggers, name, named := strings.Cut(field, "=")
	if !named {
		name = field
	}
	if field == "" { // as in "a=debug:"
		s.fallback = slog.LevelInfo
		return nil
	}
	level, ok := names[strings.ToLower(name)]
	if !ok {
		return fmt.Errorf("%w: %q in %q is no level: write debug, info, warn or error", ErrSpec, name, field)
	}
	if !named {
		s.fallback = level
		return nil
	}
	for logger := range strings.SplitSeq(loggers, ",") {
		if !loggerName.MatchString(logger) {
			return fmt.Errorf("%w: %q in %q is no name of a logger: write names such as weft.host, divided by commas", ErrSpec, logger, field)
		}
		s.levels[logger] = level
	}
	return nil
}

// level is that of the logger with this name and a dot after it. The longest name wins.
func (s *spec) level(dotted string) slog.Level {
	for {
		if l, ok := s.levels[dotted]; ok {
			return l
		}
		i := strings.LastIndexByte(dotted, '.')
		if i < 0 {
			return s.fallback
		}
		dotted = dotted[:i]
	}
}

// String is the specification in one form: names in order, the default at the end.
func (s *spec) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.levels)) {
		fmt.Fprintf(&b, "%s=%s:", name, strings.ToLower(s.levels[name].String()))
	}
	b.WriteString(strings.ToLower(s.fallback.String()))
	return b.String()
}
