// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// maxBlockFile is the most bytes of a block file: Fabric's largest message is 100 MB.
const maxBlockFile = 128 << 20

const (
	accepted = "ACCEPTED"
	rejected = "REJECTED"
	noReason = "-"
)

func newBlock() *cobra.Command {
	return newGroup("block", "Look at blocks", newBlockVerify())
}

func newBlockVerify() *cobra.Command {
	v := blockVerify{}
	c := &cobra.Command{
		Use:   "verify --chain DIR [--at N [--attestation] FILE...]",
		Short: "Judge blocks by the rules of a Fabric peer",
		Long: `Verify the chain of blocks in DIR, files block-NNNNNN.pb from the genesis block on; other files are ignored.
The genesis block is trusted as it is; every other block is judged under the configuration in force at its number.
A rejected block ends the chain: the ones behind it are rejected without a judgement.

With --at N the chain is followed up to block N-1, and every FILE is then judged as block N, each on its own.

Output is one line for each block: file, ACCEPTED or REJECTED, reason ("-" when accepted), separated by tabs.
The exit code is 0 when all are accepted.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, files []string) error {
			v.files, v.out, v.judgesFiles = files, c.OutOrStdout(), c.Flags().Changed("at")
			if err := v.validate(); err != nil {
				return usage(c, err)
			}
			return v.run(c.Context())
		},
	}
	c.Flags().StringVar(&v.chain, "chain", "", "folder with the blocks of the chain")
	c.Flags().Uint64Var(&v.at, "at", 0, "judge every FILE as block `N`")
	c.Flags().BoolVar(&v.attestation, "attestation", false, "judge only header and signatures of every FILE")
	return c
}

// blockVerify is one run of "weft block verify".
type blockVerify struct {
	chain       string
	at          uint64
	judgesFiles bool // --at is given
	attestation bool
	files       []string
	out         io.Writer

	judged, refused int
}

func (v *blockVerify) validate() error {
	switch {
	case v.chain == "":
		return errors.New("--chain DIR is missing")
	case v.judgesFiles && v.at == 0:
		return errors.New("--at must be 1 or more: block 0 is the genesis block, which is trusted as it is")
	case v.judgesFiles && len(v.files) == 0:
		return errors.New("--at needs one FILE or more")
	case !v.judgesFiles && len(v.files) > 0:
		return errors.New("a FILE needs --at N, the number to judge it as")
	case !v.judgesFiles && v.attestation:
		return errors.New("--attestation needs --at N and FILE")
	}
	return nil
}

// run judges and reports. The error counts what was rejected, or says why nothing could be judged.
func (v *blockVerify) run(ctx context.Context) error {
	chain, err := listChain(v.chain)
	if err != nil {
		return err
	}
	if v.judgesFiles {
		err = v.runFiles(ctx, chain)
	} else {
		err = v.runChain(ctx, chain)
	}
	if err == nil && v.refused > 0 {
		err = fmt.Errorf("%d of %d blocks rejected", v.refused, v.judged)
	}
	return err
}

func (v *blockVerify) runChain(ctx context.Context, chain []string) error {
	verifier, err := openChain(chain[0])
	if err != nil {
		return err
	}
	if err := v.report(filepath.Base(chain[0]), nil); err != nil {
		return err
	}
	var broken error
	for _, path := range chain[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		verdict := broken
		if broken == nil {
			if verdict = follow(verifier, path); verdict != nil {
				broken = fmt.Errorf("not judged: block %d before it is rejected", verifier.Next())
			}
		}
		if err := v.report(filepath.Base(path), verdict); err != nil {
			return err
		}
	}
	return nil
}

func (v *blockVerify) runFiles(ctx context.Context, chain []string) error {
	if have := uint64(len(chain)); have < v.at {
		return fmt.Errorf("chain %s ends with block %d, --at %d needs all blocks up to %d", v.chain, have-1, v.at, v.at-1)
	}
	verifier, err := openChain(chain[0])
	if err != nil {
		return err
	}
	for _, path := range chain[1:v.at] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := follow(verifier, path); err != nil {
			return fmt.Errorf("chain file %s: %w", path, err)
		}
	}
	for _, path := range v.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.report(path, v.judge(verifier, path)); err != nil {
			return err
		}
	}
	return nil
}

func (v *blockVerify) judge(verifier *channelconfig.Verifier, path string) error {
	b, err := readBlock(path)
	if err != nil {
		return err
	}
	if v.attestation {
		return verifier.VerifyAttestation(b)
	}
	return verifier.Verify(b)
}

// report writes the line of one block.
func (v *blockVerify) report(file string, reason error) error {
	verdict, text := accepted, noReason
	v.judged++
	if reason != nil {
		v.refused++
		verdict, text = rejected, reason.Error()
	}
	oneField := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	_, err := fmt.Fprintf(v.out, "%s\t%s\t%s\n", oneField.Replace(file), verdict, oneField.Replace(text))
	return err
}

// listChain returns the paths of the blocks in a folder; the block at index n has number n.
func listChain(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	var numbers []uint64
	for _, e := range entries {
		digits, isBlock := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".pb"), "block-")
		n, err := strconv.ParseUint(digits, 10, 64)
		if isBlock && err == nil && e.Name() == blockFile(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	chain := make([]string, 0, len(numbers))
	for i, n := range numbers {
		if n != uint64(i) {
			return nil, fmt.Errorf("chain %s has a gap: %s is missing, the next file is %s", dir, blockFile(uint64(i)), blockFile(n))
		}
		chain = append(chain, filepath.Join(dir, blockFile(n)))
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("chain %s holds no %s", dir, blockFile(0))
	}
	return chain, nil
}

func blockFile(number uint64) string { return fmt.Sprintf("block-%06d.pb", number) }

// openChain returns the verifier behind a genesis block, whose signatures nobody can check.
func openChain(path string) (*channelconfig.Verifier, error) {
	b, err := readBlock(path)
	if err != nil {
		return nil, fmt.Errorf("genesis block: %w", err)
	}
	bundle, err := channelconfig.FromBlock(b)
	if err != nil {
		return nil, fmt.Errorf("genesis block %s: %w", path, err)
	}
	if n := b.GetHeader().GetNumber(); n != 0 {
		return nil, fmt.Errorf("genesis block %s has number %d instead of 0", path, n)
	}
	if is := block.DataHash(b.GetData()); !bytes.Equal(is, b.GetHeader().GetDataHash()) {
		return nil, fmt.Errorf("genesis block %s: the header names data hash %x, the data hashes to %x", path, b.GetHeader().GetDataHash(), is)
	}
	return channelconfig.NewVerifier(bundle, b.GetHeader()), nil
}

// follow verifies the next block of the chain and moves behind it.
func follow(verifier *channelconfig.Verifier, path string) error {
	b, err := readBlock(path)
	if err != nil {
		return err
	}
	if err := verifier.Verify(b); err != nil {
		return err
	}
	return verifier.Advance(b)
}

func readBlock(path string) (*common.Block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := readCapped(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%s is not a block: %w", path, err)
	}
	return b, nil
}

// readCapped reads a file to its end. A big one is refused by its size, without reading; what has no size, such as a
// pipe, when it does not end in time.
func readCapped(f *os.File) ([]byte, error) {
	tooBig := fmt.Errorf("more than %d bytes, which no block has", maxBlockFile)
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > maxBlockFile {
		return nil, tooBig
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxBlockFile+1))
	if err == nil && len(raw) > maxBlockFile {
		err = tooBig
	}
	return raw, err
}
