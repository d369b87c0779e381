// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	identityName   = "ledger"
	identityFormat = "weft ledger 1"
	identityMax    = 4096 // bytes; a channel name has at most 249
)

// identity says whose blocks a directory holds. It is written once, as three lines of text.
type identity struct {
	channel string
	mark    mark
}

// openIdentity reads the identity file of dir, or writes it when the directory is new. An empty channel fits any.
func openIdentity(dir, channel string, fresh bool) (identity, error) {
	path := filepath.Join(dir, identityName)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && fresh {
		return createIdentity(dir, channel)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, corrupt(path, 0, "the identity file is missing")
	}
	if err != nil {
		return identity{}, err
	}
	id, err := parseIdentity(raw)
	if err != nil {
		return identity{}, corrupt(path, 0, err.Error())
	}
	if channel != "" && id.channel != channel {
		return identity{}, fmt.Errorf("%w: %s holds channel %q, not %q", ErrOtherChannel, dir, id.channel, channel)
	}
	return id, nil
}

func parseIdentity(raw []byte) (id identity, err error) {
	lines := strings.Split(string(raw[:min(len(raw), identityMax)]), "\n")
	if len(lines) != 4 || lines[3] != "" {
		return id, errors.New("not the three lines of an identity file")
	}
	if lines[0] != identityFormat {
		return id, fmt.Errorf("unknown format %q", lines[0])
	}
	if id.channel, err = strconv.Unquote(strings.TrimPrefix(lines[1], "channel ")); err != nil {
		return id, fmt.Errorf("channel: %w", err)
	}
	m, err := hex.DecodeString(strings.TrimPrefix(lines[2], "mark "))
	if err != nil || len(m) != len(id.mark) {
		return id, errors.New("mark: not 16 hexadecimal digits")
	}
	id.mark = mark(m)
	return id, nil
}

func (id identity) marshal() []byte {
	return fmt.Appendf(nil, "%s\nchannel %q\nmark %x\n", identityFormat, id.channel, id.mark[:])
}

// createIdentity writes the file aside and renames it, so that it is either absent or whole.
func createIdentity(dir, channel string) (identity, error) {
	id := identity{channel: channel}
	if _, err := rand.Read(id.mark[:]); err != nil {
		return identity{}, err
	}
	path := filepath.Join(dir, identityName)
	if err := writeSynced(path+".new", id.marshal()); err != nil {
		return identity{}, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return identity{}, err
	}
	return id, syncDir(dir)
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = bytes.NewReader(content).WriteTo(f)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
