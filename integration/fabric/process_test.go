// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fabric_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stock returns the path of a binary of Fabric, and skips the test without one.
func stock(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FABRIC_BIN")
	if dir == "" {
		t.Skip("FABRIC_BIN names no folder with Fabric's peer and orderer")
	}
	return filepath.Join(dir, name)
}

// process is a binary of Fabric that runs.
type process struct {
	log *transcript
}

// start starts a binary in a folder; at the end of the test it is killed.
func start(t *testing.T, binary, dir string, env []string, args ...string) process {
	t.Helper()
	p := process{log: newTranscript()}
	cmd := command(context.Background(), binary, env, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = p.log, p.log
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		p.log.end()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(binary), p.log)
		}
	})
	return p
}

func command(ctx context.Context, binary string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	return cmd
}

// transcript is what a process has written.
type transcript struct {
	mu   sync.Mutex // guards text and wake
	text strings.Builder
	wake chan struct{} // closed when there is more
	over bool          // the process has ended
}

func newTranscript() *transcript { return &transcript{wake: make(chan struct{})} }

// end says that the process has ended.
func (l *transcript) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	close(l.wake)
	l.wake = make(chan struct{})
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.wake)
	l.wake = make(chan struct{})
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines are those with some words.
func (l *transcript) lines(words string) string {
	var b strings.Builder
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, words) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// await waits until these words were written.
func (l *transcript) await(t *testing.T, words string) {
	t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		text, wake, over := l.text.String(), l.wake, l.over
		l.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		require.False(t, over, "the process has ended and did not say %s", words)
		select {
		case <-wake:
		case <-limit:
			require.FailNow(t, "the log does not say "+words)
		}
	}
}
