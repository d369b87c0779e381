// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"

	"github.com/weft-p2p/weft/internal/chance"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	chance.Fix()
	goleak.VerifyTestMain(m)
}
