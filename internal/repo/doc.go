// SPDX-License-Identifier: Apache-2.0

// Package repo guards what no compiler checks: which package may import which, that every package and file says what it is,
// that files and functions stay small, and that the documents fit the code. It has nothing but tests.
package repo
