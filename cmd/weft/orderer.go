// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/devnet/netdir"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/traffic"
)

// orderSettings are the flags of "weft orderer".
type orderSettings struct {
	listen    string
	blocks    uint64
	rate      float64
	blockSize int
	verbose   bool
}

func newOrderer() *cobra.Command {
	s := orderSettings{rate: 1, blockSize: 64 << 10}
	c := &cobra.Command{
		Use:   "orderer DIR",
		Short: "Run the DEVELOPMENT ordering service (one process, no consensus)",
		Long: `Run a DEVELOPMENT ordering service: one process, no consensus, nothing of value. Whoever stops it stops the channel, and
whoever has its key writes the chain. It speaks Fabric's AtomicBroadcast (Broadcast and Deliver) over TLS.

DIR is the folder "orderer" of a network made with "weft devnet init". The chain is kept below it; the next start goes on
where the last one ended, also after a kill.

With --blocks N it orders random transactions of a client of the first organization by itself, --rate blocks a second from
when the first Deliver stream is open until N blocks stand behind the genesis block, and serves them from then on.

It ends with Ctrl-C or SIGTERM, and then with exit code 0.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := s.validate(c.Flags().Changed); err != nil {
				return usage(c, err)
			}
			level := slog.LevelInfo
			if s.verbose {
				level = slog.LevelDebug
			}
			return s.run(c.Context(), args[0], slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: level})))
		},
	}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "", "listen at `HOST:PORT` instead of what orderer.yaml says; peers go where the genesis block says")
	f.Uint64Var(&s.blocks, "blocks", 0, "order random transactions until there are so many blocks; 0: none")
	f.Float64Var(&s.rate, "rate", s.rate, "blocks a second, with --blocks")
	f.Var(byteSize{&s.blockSize}, "block-size", "bytes of a block, about, with --blocks; KiB and MiB may follow the number")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "log every block and every refused request")
	return c
}

func (s orderSettings) validate(given func(flag string) bool) error {
	for _, name := range []string{"rate", "block-size"} {
		if given(name) && s.blocks == 0 {
			return fmt.Errorf("--%s needs --blocks", name)
		}
	}
	if !(s.rate > 0 && s.rate <= traffic.MaxRate) {
		return fmt.Errorf("--rate %g: want more than 0 and at most %d blocks a second", s.rate, traffic.MaxRate)
	}
	if s.blockSize < traffic.MinBlockSize {
		return fmt.Errorf("--block-size %d: want at least %d bytes", s.blockSize, traffic.MinBlockSize)
	}
	if s.listen != "" {
		if _, _, err := net.SplitHostPort(s.listen); err != nil {
			return fmt.Errorf("--listen: %w; write HOST:PORT", err)
		}
	}
	return nil
}

// run serves the folder until ctx ends.
func (s orderSettings) run(ctx context.Context, dir string, log *slog.Logger) (err error) {
	material, err := netdir.ReadOrderer(dir)
	if err != nil {
		return err
	}
	chain, err := ledger.Open(material.DataDir, ledger.Options{Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Close()) }()
	o, err := orderer.New(orderer.Config{Genesis: material.Genesis, Identity: material.Identity, TLS: material.TLS, Ledger: chain, Log: log})
	if errors.Is(err, orderer.ErrOtherChain) {
		return fmt.Errorf("%w; the genesis block of %s was replaced: remove %s to start its chain anew", err, dir, material.DataDir)
	}
	if err != nil {
		return err
	}
	if s.listen != "" {
		material.ListenAddress = s.listen
	}
	listener, err := listen(ctx, material.ListenAddress)
	if err != nil {
		return err
	}
	log.Info("Listening", "address", listener.Addr().String(), "channel", o.Channel(), "height", o.Height())
	return s.serve(ctx, o, material, listener, log)
}

// serve runs the service and the traffic until ctx ends or one of them breaks.
func (s orderSettings) serve(ctx context.Context, o *orderer.Orderer, material *netdir.Orderer, listener net.Listener, log *slog.Logger) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.Serve(ctx, listener) })
	if s.blocks > 0 {
		g.Go(func() error { return s.order(ctx, o, material, log) })
	}
	return g.Wait()
}

// order orders the random transactions.
func (s orderSettings) order(ctx context.Context, o *orderer.Orderer, material *netdir.Orderer, log *slog.Logger) error {
	log.Info("Ordering random transactions from when the first peer asks for blocks", "blocks", s.blocks, "rate", s.rate, "bytes", s.blockSize)
	err := traffic.Run(ctx, traffic.Config{
		Orderer: o, Client: material.Client, Blocks: s.blocks, Rate: s.rate, BlockSize: s.blockSize, Random: rand.Reader,
	})
	if err == nil && ctx.Err() == nil {
		log.Info("Ordered all random transactions, serving them until the end", "height", o.Height())
	}
	return err
}

// listen opens a TCP address and says what to do when that is not possible.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w; stop the process that listens there, or make a network on other ports: weft devnet init --orderer-port", err)
	case err != nil:
		return nil, fmt.Errorf("%w; choose an address of this machine with --listen", err)
	}
	return l, nil
}
