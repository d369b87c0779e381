// SPDX-License-Identifier: Apache-2.0

// Package process tests weft as an operator runs it: the binary, started as real processes with the very commands of the documentation,
// on ports that are free, killed and started again. It has no code of its own but tests.
//
// A command in a page is one line of a block marked "sh" behind the comment <!-- by-hand -->: variables, words, and & at the end when it
// goes on running. WEFT_PROCESS_LOG=1 shows what every process logs.
package process
