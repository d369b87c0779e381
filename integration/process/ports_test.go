// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// freePorts returns the flags that put a network of up to eight peers on ports that are free now. They lie below those that the system
// gives to whoever asks for any, so that other tests do not take them meanwhile.
func freePorts(t *testing.T) []string {
	t.Helper()
	const each, all = 8, 17
	for range 100 {
		first := 20000 + rand.IntN(10000)
		if free(first, all) {
			return []string{
				"--base-port", strconv.Itoa(first), "--operations-port", strconv.Itoa(first + each), "--orderer-port", strconv.Itoa(first + 2*each),
			}
		}
	}
	require.FailNow(t, "no free ports")
	return nil
}

// free says whether so many ports from first on can be listened at, by TCP and UDP.
func free(first, count int) bool {
	for port := first; port < first+count; port++ {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			return false
		}
		_ = tcp.Close()
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			return false
		}
		_ = udp.Close()
	}
	return true
}
