// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics/evidence"
)

// evidenceVerify is one run of "weft evidence verify".
type evidenceVerify struct {
	config, block string
	output        output
}

func newEvidenceVerify() *cobra.Command {
	v := evidenceVerify{output: table}
	c := &cobra.Command{
		Use:   "verify FILE --config BLOCK [--block BLOCK]",
		Short: "Check a proof, without a node",
		Long: `Check the proof in FILE under the channel configuration in a config block, as "weft channel fetch" or "peer channel fetch" writes
it; an error names the number of the block that is needed. A false announcement of a block above 4 MiB needs the announced block as
well. The exit code is 0 if the proof holds, whatever the time is and whoever wrote the file.

For a fork, also compare the hash of block N-1 in your own ledger: the proof names it, and orderers do not sign for which channel a
block is.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if v.config == "" {
				return usage(c, errors.New("--config BLOCK, a file with the config block, is missing"))
			}
			f, err := v.run(args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if v.output == asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(f)
			}
			return showProof(c, f)
		},
	}
	c.Flags().StringVar(&v.config, "config", "", "file with the config block that the proof names, `BLOCK`; required")
	c.Flags().StringVar(&v.block, "block", "", "file with the announced block, `BLOCK`")
	c.Flags().Var(&v.output, "output", "how to print the result: table or json")
	return c
}

func (v *evidenceVerify) run(path string) (admin.Evidence, error) {
	p, err := readProof(path)
	if err != nil {
		return admin.Evidence{}, err
	}
	b, err := readBlock(v.config)
	if err != nil {
		return admin.Evidence{}, err
	}
	config, err := channelconfig.FromBlock(b)
	if err != nil {
		return admin.Evidence{}, fmt.Errorf("%s: %w", v.config, err)
	}
	var body []byte
	if v.block != "" {
		announced, err := readBlock(v.block)
		if err != nil {
			return admin.Evidence{}, err
		}
		if body, err = (proto.MarshalOptions{Deterministic: true}).Marshal(announced.GetData()); err != nil {
			return admin.Evidence{}, err
		}
	}
	f, err := p.Verify(config, body)
	if errors.Is(err, evidence.ErrNoBody) {
		return admin.Evidence{}, fmt.Errorf("%w; give the file with that block as --block", err)
	}
	if err != nil {
		return admin.Evidence{}, err
	}
	return daemon.Describe(f), nil
}

func readProof(path string) (*evidence.Proof, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := readCapped(f)
	if err != nil {
		return nil, err
	}
	return evidence.Decode(raw)
}

func showProof(c *cobra.Command, e admin.Evidence) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "Proven: %s.\nChannel %s, judged by config block %d.\nCulprits: %s.\n", e.Reason, e.Channel, e.Config, culprits(e))
	return err
}
