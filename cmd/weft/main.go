// SPDX-License-Identifier: Apache-2.0

// Command weft carries Hyperledger Fabric blocks to the peers of a channel, and has the tools to look at them.
//
// Results go to standard output, errors once to standard error, as "weft: ...". The exit code is 0 on success, 1 when
// something went wrong or a block was rejected, 2 when the command line cannot be understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// newRoot builds the command tree; every file of this package adds its command here.
func newRoot() *cobra.Command {
	return newGroup("weft", "Carry Hyperledger Fabric blocks to every peer of a channel",
		newBlock(),
		newChannel(),
		newDemo(),
		newDevnet(),
		newEvidence(),
		newNode(),
		newOrderer(),
		newPeers(),
		newVersion(),
	)
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })

	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil {
		err = errInterrupted // whatever was under way was told to stop, and says so in its own words
	}
	fmt.Fprintf(stderr, "weft: %v\n", err)
	if e := (usageError{}); errors.As(err, &e) {
		fmt.Fprintf(stderr, "See %q.\n", e.path+" --help")
		return exitUsage
	}
	return exitError
}

// errInterrupted ends a command that was stopped by a signal.
var errInterrupted = errors.New("interrupted")

// newGroup makes a command that only holds others.
func newGroup(use, short string, children ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return usage(c, errors.New("a command is missing"))
		},
	}
	group.AddCommand(children...)
	return group
}

// usageError is an error in the command line.
type usageError struct {
	path string // of the command, for the hint
	err  error
}

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

// usage marks an error as one in the command line.
func usage(c *cobra.Command, err error) error {
	return usageError{path: c.CommandPath(), err: err}
}

// usageArgs makes a check of positional arguments report usage errors.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usage(c, err)
		}
		return nil
	}
}
