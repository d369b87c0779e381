// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/block"
)

const blockSuffix = ".block"

// genesisFile is where the genesis block of a joined channel is kept.
func (d *directory) genesisFile(channel string) string {
	return filepath.Join(d.path, channelsName, channel+blockSuffix)
}

// remembered are the channels whose genesis blocks are kept, sorted.
func (d *directory) remembered() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, channelsName))
	if err != nil {
		return nil, fmt.Errorf("list the joined channels: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), blockSuffix); ok && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// forget removes the genesis block of a channel, if it is there.
func (d *directory) forget(channel string) error {
	err := os.Remove(d.genesisFile(channel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Join(d.path, channelsName))
}

// genesis is a block that somebody wants to join by, and the channel that it names. Whether it is a genesis block is not known yet.
type genesis struct {
	channel string
	block   *common.Block
	raw     []byte
}

func parseGenesis(raw []byte) (genesis, error) {
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return genesis{}, fmt.Errorf("it is no block: %w", err)
	}
	id, err := block.ChannelID(b)
	if err != nil {
		return genesis{}, fmt.Errorf("it is no genesis block: %w", err)
	}
	return genesis{channel: id, block: b, raw: raw}, nil
}

func readGenesis(path string) (genesis, error) {
	raw, err := readFile(path, admin.MaxBlock)
	if err != nil {
		return genesis{}, fmt.Errorf("read genesis block: %w", err)
	}
	g, err := parseGenesis(raw)
	if err != nil {
		return genesis{}, fmt.Errorf("read genesis block %s: %w", path, err)
	}
	return g, nil
}
