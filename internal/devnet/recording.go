// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

// ErrRecording means that a folder does not hold the blocks of one channel with at least one config block.
var ErrRecording = errors.New("devnet: unusable recording")

// maxRecordedBlock is Fabric's largest message; a bigger file is no block.
const maxRecordedBlock = 100 << 20

var blockFile = regexp.MustCompile(`^block-([0-9]{6,19})\.pb$`)

// Recording is what a folder of recorded blocks offers for playing again.
type Recording struct {
	ChannelID    string
	Config       *common.Config     // of the newest config block
	Transactions []*common.Envelope // all that are not configuration, in order
}

// ReadTransactions reads the files block-NNNNNN.pb (a marshalled common.Block each) of dir in order of their numbers and
// keeps everything in memory. Nothing is verified: whoever plays the transactions again gets new blocks around them.
// ErrRecording names the file that does not fit.
func ReadTransactions(dir string) (*Recording, error) {
	files, err := blockFiles(dir)
	if err != nil {
		return nil, err
	}
	recording := &Recording{}
	for _, path := range files {
		b, err := readBlock(path)
		if err != nil {
			return nil, err
		}
		if err := recording.add(b); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrRecording, path, err)
		}
	}
	if recording.Config == nil {
		return nil, fmt.Errorf("%w: %s holds no config block; it needs block-000000.pb", ErrRecording, dir)
	}
	return recording, nil
}

// blockFiles lists the block files of dir by ascending number.
func blockFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	names := make(map[uint64]string)
	var numbers []uint64
	for _, entry := range entries {
		match := blockFile.FindStringSubmatch(entry.Name())
		if match == nil {
			continue
		}
		number, err := strconv.ParseUint(match[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("number of %s: %w", entry.Name(), err)
		}
		if _, twice := names[number]; twice {
			return nil, fmt.Errorf("%w: %s holds block %d twice", ErrRecording, dir, number)
		}
		names[number] = filepath.Join(dir, entry.Name())
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	files := make([]string, 0, len(numbers))
	for _, number := range numbers {
		files = append(files, names[number])
	}
	return files, nil
}

func readBlock(path string) (*common.Block, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", path, err)
	}
	if info.Size() > maxRecordedBlock {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d", ErrRecording, path, info.Size(), maxRecordedBlock)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: %s is no block: %w", ErrRecording, path, err)
	}
	return b, nil
}

// add takes the transactions of one more block.
func (r *Recording) add(b *common.Block) error {
	for i, raw := range b.GetData().GetData() {
		header, err := block.ChannelHeader(raw)
		if err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		r.ChannelID = cmp.Or(r.ChannelID, header.GetChannelId())
		if header.GetChannelId() != r.ChannelID {
			return fmt.Errorf("transaction %d is of channel %q, not %q", i, header.GetChannelId(), r.ChannelID)
		}
		envelope := &common.Envelope{}
		if err := proto.Unmarshal(raw, envelope); err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
		if header.GetType() != int32(common.HeaderType_CONFIG) {
			r.Transactions = append(r.Transactions, envelope)
		} else if r.Config, err = configOf(envelope); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	return nil
}

// configOf returns the configuration in a CONFIG transaction.
func configOf(envelope *common.Envelope) (*common.Config, error) {
	payload, content := &common.Payload{}, &common.ConfigEnvelope{}
	if err := proto.Unmarshal(envelope.GetPayload(), payload); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(payload.GetData(), content); err != nil {
		return nil, err
	}
	if content.GetConfig() == nil {
		return nil, errors.New("empty")
	}
	return content.GetConfig(), nil
}
