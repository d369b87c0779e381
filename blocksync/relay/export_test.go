// SPDX-License-Identifier: Apache-2.0

package relay

import "strconv"

// Limits are those of the specification.
func Limits() map[string]string {
	limits := map[string]string{"Protocol": string(Protocol), "Service": Service}
	for name, v := range map[string]int{
		"MaxFrame": MaxFrame, "MaxData": MaxData, "maxTargetsOnWire": maxTargetsOnWire, "maxWords": maxWords, "maxScope": maxScope,
		"maxScopes": maxScopes, "Window": Window, "rootsPerOrg": rootsPerOrg, "parkBytes": parkBytes, "heldBytes": heldBytes,
		"announcerBytes": announcerBytes, "lingerBytes": lingerBytes, "queueBytes": queueBytes, "directBytes": directBytes, "introduceAbove": introduceAbove,
	} {
		limits[name] = strconv.Itoa(v)
	}
	return limits
}
