// SPDX-License-Identifier: Apache-2.0

package channelconfig

// Apply is what an update makes of a bundle's configuration.
var Apply = (*Bundle).apply
