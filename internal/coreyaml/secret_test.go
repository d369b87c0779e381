// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

// The organization's secret is in no log, however the configuration gets there.
func TestSecretIsHidden(t *testing.T) {
	c := coreyaml.Config{OrgSecret: "sesame"}
	var out bytes.Buffer
	for _, v := range []any{c, &c, c.OrgSecret, &c.OrgSecret} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("configuration", "config", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("configuration", "config", v)
	}
	raw, err := json.Marshal(c.OrgSecret)
	require.NoError(t, err)
	out.Write(raw)
	require.NotContains(t, out.String(), "sesame")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "sesame"))
	require.Contains(t, out.String(), "(hidden)")
}
