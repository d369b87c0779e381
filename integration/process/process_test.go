// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// patience with a command that is expected to end by itself.
	patience = 40 * time.Second
	// grace is how long a process may take to end after SIGTERM.
	grace = 5 * time.Second
)

// process is a command of the page that goes on running.
type process struct {
	command command
	cmd     *exec.Cmd
	log     *transcript
	ended   chan error // what Wait returned, once
}

// prepare makes the operating system's command of ours.
func prepare(ctx context.Context, dir string, c command) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, c.args[1:]...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CORE_") && !strings.HasPrefix(v, "FABRIC_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, c.env...)
	return cmd
}

// start starts a command that goes on running; at the end of the test it is killed.
func start(t *testing.T, dir string, c command) *process {
	t.Helper()
	p := &process{command: c, cmd: prepare(context.Background(), dir, c), log: &transcript{}, ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	require.NoError(t, p.cmd.Start(), c.String())
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if p.cmd.Process.Kill() == nil {
			<-p.ended
		}
		if t.Failed() || os.Getenv("WEFT_PROCESS_LOG") != "" {
			t.Logf("log of %s:\n%s", c, p.log)
		}
	})
	return p
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill(), p.command.String())
	<-p.ended
}

// terminate sends SIGTERM, and requires that the process ends soon with exit code 0.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	began := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM), p.command.String())
	select {
	case err := <-p.ended:
		require.NoError(t, err, p.command.String())
		t.Logf("%s ended %s after SIGTERM", p.command, time.Since(began).Round(time.Millisecond))
	case <-time.After(grace):
		require.Fail(t, "still running after SIGTERM", p.command.String())
	}
}

// finish runs a command that ends by itself, and returns what it wrote and its exit code.
func finish(t *testing.T, dir string, c command) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := prepare(ctx, dir, c)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%s: %s", c, errs.String())
	if cmd.ProcessState == nil {
		require.NoError(t, err, c.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// succeed runs a command that must end with exit code 0, and returns its output.
func succeed(t *testing.T, dir string, c command) string {
	t.Helper()
	stdout, stderr, code := finish(t, dir, c)
	require.Zero(t, code, "%s: %s", c, stderr)
	return stdout
}

// fail runs a command that must end with exit code 1, and returns what it wrote to standard error.
func fail(t *testing.T, dir string, c command) string {
	t.Helper()
	_, stderr, code := finish(t, dir, c)
	require.Equal(t, 1, code, "%s: %s", c, stderr)
	return stderr
}

// transcript keeps what a process writes.
type transcript struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

var _ io.Writer = (*transcript)(nil)

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
