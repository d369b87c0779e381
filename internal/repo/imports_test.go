// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// own says which packages of this module the packages at and below a folder may import, besides those at and below the
// same folder; the entry with the longest folder counts. "x/..." is x and all below it. Tests may import anything.
//
// The five leaves (host, topics, membership, leader, blocksync) know msp and the formulas, and not each other; only the root
// knows them all. What stands in for a Fabric network (devnet, orderer, simtest) is for tests and the demo.
var own = map[string][]string{
	".":                            {"msp/...", "host", "topics/...", "membership", "leader/...", "blocksync/...", "internal/block", "internal/grid", "internal/meter", "internal/fair", "internal/roster", "internal/stream"},
	"msp":                          {"internal/block"},
	"host":                         {"msp/...", "internal/fair", "internal/block", "internal/stream", "internal/meter"},
	"topics":                       {"msp/...", "internal/fair", "internal/block", "internal/stream", "internal/leaves", "internal/parity"},
	"topics/evidence":              {"topics", "msp/...", "internal/block", "internal/leaves", "internal/meter"},
	"membership":                   {"msp/...", "internal/fair", "internal/block", "internal/stream", "internal/meter"},
	"leader":                       {"msp/...", "internal/fair", "internal/block", "internal/stream", "internal/meter"},
	"blocksync":                    {"msp/...", "internal/fair", "internal/block", "internal/grid", "internal/stream", "internal/leaves", "internal/meter", "internal/parity"},
	"internal/block":               {},
	"internal/leaves":              {},
	"internal/parity":              {"internal/leaves"},
	"internal/meter":               {},
	"internal/fair":                {},
	"internal/grid":                {},
	"internal/stream":              {"internal/fair", "internal/meter"},
	"internal/roster":              {},
	"internal/simtest":             {},
	"internal/reference":           {},
	"internal/plot":                {},
	"internal/relaysim":            {"blocksync/relay", "internal/grid", "internal/leaves", "internal/parity"},
	"internal/repo":                {},
	"internal/blocktest":           {"msp/...", "internal/block", "internal/devnet", "internal/orderer/orderertest"},
	"internal/devnet":              {"msp/...", "internal/block", "blocksync/ledger"},
	"internal/orderer":             {"msp/...", "internal/block", "blocksync/ledger", "leader/deliver/server"},
	"internal/orderer/orderertest": {"msp/...", "internal/devnet", "internal/orderer"},
	"internal/demo":                {".", "msp/...", "host", "leader", "blocksync/ledger", "internal/block", "internal/devnet", "internal/orderer"},
	"internal/devnet/netdir":       {"msp/...", "internal/block", "internal/devnet"},
	"internal/orderer/traffic":     {"msp/...", "internal/devnet", "internal/orderer"},
	"internal/spectest":            {},
	"internal/admin":               {"internal/block"},
	"internal/coreyaml":            {},
	"internal/logspec":             {},
	"internal/operations":          {},
	"internal/daemon": {".", "msp/...", "host", "leader/...", "membership", "blocksync/ledger", "internal/block", "internal/admin",
		"internal/coreyaml", "internal/logspec", "internal/operations"},
	"cmd/weft": {".", "msp/...", "host", "topics/evidence", "blocksync/ledger", "internal/block", "internal/demo", "internal/admin", "internal/coreyaml",
		"internal/daemon", "internal/devnet/...", "internal/logspec", "internal/operations", "internal/orderer/...", "leader/..."},
	"integration": {},
}

// foreign are the modules that what an embedder imports may depend on. Anything else is for cmd/, for the internal packages
// that embedders do not get, and for tests.
var foreign = []string{
	"github.com/libp2p/go-libp2p",
	"github.com/libp2p/go-libp2p-pubsub",
	"github.com/multiformats/go-multiaddr",
	"github.com/hyperledger/fabric-protos-go-apiv2",
	"google.golang.org/protobuf",
	"google.golang.org/grpc",
	"golang.org/x/sync",
	"golang.org/x/time",
	"github.com/prometheus/client_golang",
	"github.com/ipfs/go-log/v2",
	"github.com/hashicorp/golang-lru/v2",
	"github.com/cenkalti/backoff/v5",
	"github.com/klauspost/reedsolomon",
	"go.etcd.io/bbolt",
	"gopkg.in/yaml.v3", // config.yaml of an MSP folder
}

// embedded are the folders where foreign holds; the root counts without what is below it.
var embedded = []string{"msp", "host", "topics", "membership", "leader", "blocksync", "internal/block", "internal/fair", "internal/grid", "internal/leaves", "internal/meter", "internal/parity", "internal/roster", "internal/stream"}

func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		for _, spec := range f.tree.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if local, ok := inModule(imported); ok {
				require.True(t, mayImport(t, f.dir(), local), "%s imports %s; the rules are in this test", f.path, imported)
				continue
			}
			standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
			free := f.dir() != "." && !within(f.dir(), embedded)
			require.True(t, standard || free || within(imported, foreign),
				"%s imports %s, which embedders would have to take as well; the list is in this test", f.path, imported)
		}
	}
}

// inModule returns a package of this module as its folder.
func inModule(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func mayImport(t *testing.T, dir, imported string) bool {
	rule := dir
	for own[rule] == nil {
		rule = path.Dir(rule)
		require.NotEqual(t, ".", rule, "no rule for package %s", dir)
	}
	if rule != "." && below(imported, rule) {
		return true
	}
	return slices.ContainsFunc(own[rule], func(allowed string) bool {
		tree, all := strings.CutSuffix(allowed, "/...")
		return imported == tree || all && below(imported, tree)
	})
}

func below(name, tree string) bool { return name == tree || strings.HasPrefix(name, tree+"/") }

func within(name string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return below(name, tree) })
}

// The rules themselves: what must not happen, whatever the table says.
func TestImportRules(t *testing.T) {
	leaves := []string{"host", "topics", "membership", "leader", "blocksync"}
	for _, leaf := range leaves {
		require.True(t, mayImport(t, leaf, "msp/channelconfig"), leaf)
		for _, other := range append(leaves, ".", "cmd/weft", "internal/devnet", "internal/orderer", "internal/demo") {
			require.Equal(t, leaf == other, mayImport(t, leaf, other), "%s imports %s", leaf, other)
			require.False(t, mayImport(t, "msp/channelconfig", other), "msp imports %s", other)
		}
	}
	for _, dir := range []string{"internal/devnet", "internal/orderer", "internal/demo", "internal/simtest", "cmd/weft"} {
		require.False(t, mayImport(t, ".", dir), "the root imports %s", dir)
	}
}
