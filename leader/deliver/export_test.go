// SPDX-License-Identifier: Apache-2.0

package deliver

// HeaderWindow is how far ahead of the block source headers are read.
const HeaderWindow = headerWindow

// Check and Vouch judge what came as a block, and as a header.
var (
	Check = check
	Vouch = vouch
)
