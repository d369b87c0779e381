// SPDX-License-Identifier: Apache-2.0

// Package logspec is a slog handler whose levels follow a specification in the grammar of Fabric's FABRIC_LOGGING_SPEC:
//
//	info:gossip.state=debug:weft.host,weft.msp=warn
//
// Fields are divided by colons. A field that is a level alone is the default ("info" when there is none); the others give a
// level to loggers. Names of loggers are hierarchical: "weft" is also "weft.host", unless that has a level of its own, and
// "weft." with a dot at its end is "weft" alone. Levels are debug, info, warn, error, in any case; Fabric's others are read as the nearest.
//
// The name of a logger is its attribute "logger", as go-log and libp2p set it, followed by its groups. The specification can
// be replaced while loggers are in use.
package logspec
