// SPDX-License-Identifier: Apache-2.0

package netdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrExists: the folder holds something already.
var ErrExists = errors.New("devnet: the folder is taken")

// Init makes the network of the plan in dir. The folder must be missing or empty (ErrExists); with replace, an earlier network in it is
// given up, but nothing else ever is. Errors: those of Validate, devnet.ErrChannel for a bad channel name, and of the file system. When it
// returns an error, or ctx ended, dir is as it was.
func Init(ctx context.Context, dir string, p Plan, now time.Time, replace bool) (err error) {
	if err := p.Validate(); err != nil {
		return err
	}
	target, err := place(dir, replace)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(target), "."+filepath.Base(target)+"-new-")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make %s: the folder above it does not exist; make that first: %w", dir, err)
	}
	if err != nil {
		return fmt.Errorf("make a folder beside %s: %w", target, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	if err := write(ctx, temporary, p, now); err != nil {
		return err
	}
	return move(temporary, target)
}

// place returns the real path of dir once it is clear that a network may be put there.
func place(dir string, replace bool) (string, error) {
	target, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Abs(dir)
	}
	if err != nil {
		return "", err
	}
	if target, err = filepath.Abs(target); err != nil {
		return "", err
	}
	if err := current(target); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(target)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrExists, err)
	}
	if len(entries) == 0 {
		return target, nil
	}
	if !replace {
		return "", fmt.Errorf("%w: %s is not empty; choose another one, or --force to replace the network in it", ErrExists, dir)
	}
	if _, err := os.Stat(filepath.Join(target, ordererDir, ordererFile)); err != nil {
		return "", fmt.Errorf("%w: %s holds something else than a development network, which --force does not replace", ErrExists, dir)
	}
	return target, nil
}

// current refuses the current folder, which would be replaced under the feet of whoever stands in it.
func current(target string) error {
	here, err := os.Stat(".")
	if err != nil {
		return err
	}
	there, err := os.Stat(target)
	if err != nil {
		return err
	}
	if os.SameFile(here, there) {
		return fmt.Errorf("%w: it is the current folder; name one below it", ErrExists)
	}
	return nil
}

// move puts the finished folder in its place. What was there goes last.
func move(temporary, target string) error {
	old := temporary + "-old"
	err := os.Rename(target, old)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(temporary, target)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return os.RemoveAll(old)
}
