// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	binary  string // what TestMain built
	unbuilt string // why it could not, in a line
)

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

// build builds the binary and runs the tests.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weft-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weft")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/weft").CombinedOutput(); err != nil {
		first, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
		unbuilt = fmt.Sprintf("weft cannot be built: %v %s", err, first)
	}
	return m.Run()
}

// needBinary fails a test when there is nothing to run.
func needBinary(t *testing.T) {
	t.Helper()
	if unbuilt != "" {
		t.Fatal(unbuilt)
	}
}
