// SPDX-License-Identifier: Apache-2.0

// Package coreyaml reads core.yaml, the configuration file of a Fabric peer, with its CORE_ environment variables.
//
// A stock core.yaml can be read as it is: what means the same here is used, what has no meaning here becomes a note for the log,
// and what is ours stands below "weft:". A key that neither Fabric nor weft knows is an error, and so is a value that cannot be
// used; [Load] reports all of them at once, each with its key, its value, the line or variable it came from, and what to write.
// docs/configuration.md lists the keys.
//
//	core.yaml --\
//	             >-- one value a key (the environment wins) --> Config, or what is wrong
//	CORE_...  --/
//
// The daemon and the commands that talk to it call Load. It has no state and starts nothing.
package coreyaml
