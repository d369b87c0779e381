// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/weft-p2p/weft/internal/chance"
)

func TestMain(m *testing.M) {
	chance.Fix()
	goleak.VerifyTestMain(m)
}
