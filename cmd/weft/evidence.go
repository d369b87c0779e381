// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
)

// evidenceList is what "evidence" prints as JSON.
type evidenceList struct {
	Evidence []admin.Evidence `json:"evidence"`
	Files    []string         `json:"files,omitempty"` // that were exported, in the same order
}

func newEvidence() *cobra.Command {
	var dir string
	c := channelFlag(newAsking("evidence -c NAME [--export DIR]", "Show who was caught signing what nobody honest signs",
		`Show the evidence that the node has found on a channel, oldest first: that the ordering service has signed two blocks with one
number (fork), or that a member has announced a block as something that it is not (false_announcement). Each piece is proven by
signatures of the culprits. With --export the proofs are written to files, which "weft evidence verify" checks anywhere.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (l evidenceList, err error) {
			if l.Evidence, err = node.Evidence(c.Context(), channelOf(c)); err != nil || dir == "" {
				return l, err
			}
			l.Files, err = exportEvidence(c.Context(), node, dir, l.Evidence)
			return l, err
		},
		showEvidence))
	c.Flags().StringVar(&dir, "export", "", "write each proof to a file ID.evidence in the folder `DIR`, which is made if it is missing")
	c.AddCommand(newEvidenceVerify())
	return c
}

// exportEvidence writes proofs to files and returns their paths.
func exportEvidence(ctx context.Context, node *admin.Client, dir string, all []admin.Evidence) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, e := range all {
		if _, err := hex.DecodeString(e.ID); err != nil { // it becomes the name of a file
			return nil, fmt.Errorf("the node answers with %q for an ID", e.ID)
		}
		raw, err := node.Proof(ctx, e.Channel, e.ID)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, e.ID+".evidence")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			return nil, fmt.Errorf("write proof: %w", err)
		}
		files = append(files, path)
	}
	return files, nil
}

func showEvidence(out io.Writer, l evidenceList) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tBLOCK\tFOUND\tCULPRITS")
	for _, e := range l.Evidence {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", e.ID, e.Kind, e.Number, e.Found.UTC().Format(time.RFC3339), culprits(e))
	}
	for _, file := range l.Files {
		fmt.Fprintf(w, "Wrote %s.\n", file)
	}
	return w.Flush()
}

// culprits names the culprits; of a fork that nobody signed both sides of, who signed which.
func culprits(e admin.Evidence) string {
	if len(e.Culprits) > 0 {
		return signerNames(e.Culprits)
	}
	var sides []string
	for _, h := range e.Headers {
		sides = append(sides, signerNames(h.Signers))
	}
	return cmp.Or(strings.Join(sides, " or "), none)
}

func signerNames(all []admin.Signer) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = fmt.Sprintf("%s/%q", s.MSPID, s.Name)
	}
	return strings.Join(names, ", ")
}
