// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func load(t testing.TB, path string, m proto.Message) {
	t.Helper()
	require.NoError(t, proto.Unmarshal(read(t, path), m))
}
