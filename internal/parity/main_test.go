// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"testing"

	"github.com/weft-p2p/weft/internal/chance"
)

func TestMain(m *testing.M) {
	chance.Fix()
	m.Run()
}
