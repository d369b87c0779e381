// SPDX-License-Identifier: Apache-2.0

package coreyaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/weft-p2p/weft/internal/coreyaml"
)

// folder makes a folder with a core.yaml and an MSP folder in it.
func folder(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "msp"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(text), 0o600))
	return dir
}

// load reads a core.yaml of that text with peer.localMspId from the environment.
func load(t testing.TB, text string, env ...string) (*coreyaml.Config, error) {
	t.Helper()
	return coreyaml.Load(coreyaml.Options{Dir: folder(t, text), Env: append([]string{"CORE_PEER_LOCALMSPID=Org1MSP"}, env...)})
}

func mustLoad(t testing.TB, text string, env ...string) *coreyaml.Config {
	t.Helper()
	c, err := load(t, text, env...)
	require.NoError(t, err)
	return c
}

// stock returns the keys and defaults of Fabric 3.1, in the order of its file.
func stock(t testing.TB) (keys []string, values map[string]*yaml.Node) {
	t.Helper()
	raw, err := os.ReadFile("testdata/fabric-3.1.yaml")
	require.NoError(t, err)
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal(raw, &doc))
	values = map[string]*yaml.Node{}
	for i := 0; i < len(doc.Content[0].Content); i += 2 {
		key := doc.Content[0].Content[i].Value
		keys = append(keys, key)
		values[key] = doc.Content[0].Content[i+1]
	}
	require.Greater(t, len(keys), 180)
	return keys, values
}

// nested writes keys and values as a file has them.
func nested(t testing.TB, values map[string]*yaml.Node) string {
	t.Helper()
	root := map[string]any{}
	for key, v := range values {
		at := root
		parts := strings.Split(key, ".")
		for _, p := range parts[:len(parts)-1] {
			if at[p] == nil {
				at[p] = map[string]any{}
			}
			at = at[p].(map[string]any)
		}
		at[parts[len(parts)-1]] = v
	}
	raw, err := yaml.Marshal(root)
	require.NoError(t, err)
	return string(raw)
}
