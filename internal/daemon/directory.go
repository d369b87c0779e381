// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/host"
)

// Errors of a data directory.
var (
	// ErrInUse: another process uses the data directory.
	ErrInUse = errors.New("daemon: the data directory is in use by another process")
	// ErrOtherIdentity: the data directory belongs to another peer.
	ErrOtherIdentity = errors.New("daemon: the data directory is of another identity")
)

// Names in a data directory.
const (
	keyName      = "host.key"
	identityName = "identity"
	lockName     = "node.lock"
	socketName   = "admin.sock"
	channelsName = "channels"
)

// SocketPath is the administration socket of the node with a data directory.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, socketName) }

// directory is a data directory that this process has to itself.
type directory struct {
	path string
	held *os.File
}

// openDirectory makes the directory, with mode 0700, if it is missing, and locks it.
func openDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(filepath.Join(path, channelsName), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w; choose another one with weft.dataDir", err)
	}
	held, err := lock(filepath.Join(path, lockName))
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("%w: %s; stop that process, or choose another directory with weft.dataDir", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return &directory{path: path, held: held}, nil
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// close gives the directory back.
func (d *directory) close() error { return d.held.Close() }

// identify returns the host key, which is made in a new directory, and makes sure that the directory is of this peer.
func (d *directory) identify(mspID string) (crypto.PrivKey, error) {
	owner, ownerMSP, err := readIdentity(d.file(identityName))
	known := !errors.Is(err, fs.ErrNotExist)
	switch {
	case known && err != nil:
		return nil, err
	case known && ownerMSP != mspID:
		return nil, fmt.Errorf("%w: %s is of organization %s, peer.localMspId is %s; give each peer its own weft.dataDir",
			ErrOtherIdentity, d.path, ownerMSP, mspID)
	case known:
		if _, err := os.Lstat(d.file(keyName)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s is of peer %s, whose %s is gone; restore it, or delete %s to go on as a new peer",
				ErrOtherIdentity, d.path, owner, keyName, d.file(identityName))
		}
	}
	key, err := host.LoadKey(d.file(keyName))
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("peer ID of %s: %w", d.file(keyName), err)
	}
	if !known {
		return key, writeFile(d.file(identityName), fmt.Appendf(nil, "%s\n%s\n", id, mspID))
	}
	if id.String() != owner {
		return nil, fmt.Errorf("%w: %s is of peer %s, its %s is of %s; restore the right one, or delete %s to go on as a new peer",
			ErrOtherIdentity, d.path, owner, keyName, id, d.file(identityName))
	}
	return key, nil
}

// readIdentity reads the two lines of the identity file.
func readIdentity(path string) (id, mspID string, err error) {
	raw, err := readFile(path, 4<<10)
	if err != nil {
		return "", "", err
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if len(lines) != 2 || lines[0] == "" || lines[1] == "" {
		return "", "", fmt.Errorf("%s is damaged: it must hold a peer ID and an MSP ID, a line each; delete it if %s and the ledgers beside it are this peer's", path, keyName)
	}
	return lines[0], lines[1], nil
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("read %s: more than %d bytes", path, limit)
	}
	return raw, err
}

// writeFile puts a file in place so that after a crash it is there as a whole or not at all.
func writeFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
