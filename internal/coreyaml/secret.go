// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"fmt"
	"io"
)

// Secret is text that nobody must read in a log: whatever prints or encodes it says that it is hidden.
type Secret string

const hidden = "(hidden)"

// Format prints nothing of the secret, whatever the verb is.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, hidden) // fmt's own buffer takes everything
}

// MarshalText keeps it out of JSON, YAML and the handlers of slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
