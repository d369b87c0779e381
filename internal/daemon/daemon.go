// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/operations"
	"github.com/weft-p2p/weft/msp"
)

// ErrSlow: what ended could not be ended in time. Nothing that was committed is lost.
var ErrSlow = errors.New("daemon: not everything ended in time")

// stopTime is how long Run takes to end at most: a process is to be gone 5 s after its signal.
const stopTime = 4500 * time.Millisecond

// Config says what daemon to build. Core is required.
type Config struct {
	Core    *coreyaml.Config
	Join    []string           // files with genesis blocks of channels to join, unless they are joined already
	Version operations.Version // what we say that we are
	LogSpec operations.LogSpec // behind /logspec; nil: none
	Hangup  <-chan os.Signal   // every one has the MSP folder looked at now; nil: it is once a minute
	Log     *slog.Logger       // nil: none
}

// Daemon is a peer. It holds a data directory and listens from New on.
type Daemon struct {
	core        *coreyaml.Config
	log         *slog.Logger
	hangup      <-chan os.Signal
	identity    *msp.Local // at the start
	joinOptions []weft.JoinOption
	genesis     []genesis
	channels    *channels

	dir        *directory
	metrics    *prometheus.Registry // nil: none are kept
	host       *host.Host
	node       *weft.Node
	operations *operations.Server
	outlets    []outlet
	socket     net.Listener
	admin      *admin.Server

	opened []func() error // what closes what New has opened, in the order of opening
}

// New builds a daemon: it reads everything that the configuration names, takes the data directory and listens. Whoever calls it calls
// Run, which gives everything back. On an error nothing is left open.
func New(cfg Config) (*Daemon, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Daemon{core: cfg.Core, log: cfg.Log, hangup: cfg.Hangup}
	d.channels = &channels{daemon: d, by: map[string]entry{}}
	if err := d.start(cfg); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *Daemon) start(cfg Config) error {
	if err := d.read(cfg.Join); err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	return d.listen(cfg)
}

// read reads the files that the configuration names.
func (d *Daemon) read(join []string) (err error) {
	if d.identity, err = msp.Load(d.core.MSPPath, d.core.MSPID); err != nil {
		return fmt.Errorf("local MSP, peer.mspConfigPath and peer.localMspId: %w", err)
	}
	if d.joinOptions, err = joinOptions(d.core); err != nil {
		return err
	}
	for _, path := range join {
		g, err := readGenesis(path)
		if err != nil {
			return err
		}
		d.genesis = append(d.genesis, g)
	}
	return nil
}

// open takes the data directory and builds the node.
func (d *Daemon) open() (err error) {
	if d.dir, err = openDirectory(d.core.DataDir()); err != nil {
		return err
	}
	d.opened = append(d.opened, d.dir.close)
	d.metrics = newRegistry(d.core.MetricsProvider)
	return d.build()
}

// listen opens every listener: libp2p's last, when its protocols are there.
func (d *Daemon) listen(cfg Config) (err error) {
	if d.socket, err = admin.Listen(SocketPath(d.dir.path)); err != nil {
		return err
	}
	d.opened = append(d.opened, func() error { return ignoreClosed(d.socket.Close()) })
	version := admin.Version{
		Version: cfg.Version.Version, CommitSHA: cfg.Version.CommitSHA, Go: runtime.Version(), OSArch: runtime.GOOS + "/" + runtime.GOARCH,
		PeerID: d.node.ID().String(), MSPID: d.node.MSPID(),
	}
	if d.admin, err = admin.New(admin.Config{Node: d.channels, Witness: d.channels, Peers: d.peers, Version: version, Log: d.log}); err != nil {
		return err
	}
	if d.operations, err = operations.Listen(d.operationsConfig(cfg)); err != nil {
		return err
	}
	d.opened = append(d.opened, func() error { return ignoreClosed(d.operations.Close()) })
	if err := d.openOutlets(); err != nil {
		return err
	}
	addrs, err := parseAddrs("weft.listenAddresses", d.core.ListenAddresses)
	if err != nil {
		return err
	}
	return listen(d.host, addrs)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (d *Daemon) operationsConfig(cfg Config) operations.Config {
	o := operations.Config{
		ListenAddress: d.core.Operations.ListenAddress, Health: d.health, LogSpec: cfg.LogSpec, Version: cfg.Version, Log: d.log,
	}
	if d.metrics != nil {
		o.Gatherer = d.metrics
	}
	if tls := d.core.Operations.TLS; tls.Enabled {
		o.TLS = &operations.TLS{Cert: tls.Cert, Key: tls.Key, ClientCAs: tls.ClientRootCAs, ClientAuthRequired: tls.ClientAuthRequired}
	}
	return o
}

// Run joins the channels again and serves until ctx ends, or something that cannot go on breaks, and gives everything back. It ends
// within 5 s of ctx; then an error that wraps [ErrSlow] says that something has not, and the process is to exit. It runs once.
func (d *Daemon) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(d.serve(ctx), d.close()) }()
	defer context.AfterFunc(ctx, func() { d.log.Info("stopping") })()
	return await(ctx, ended)
}

// await waits for the end; from ctx's end on for stopTime at most.
func await(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	limit := time.NewTimer(stopTime)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		return fmt.Errorf("%w, %s: what was committed is safe", ErrSlow, stopTime)
	}
}

func (d *Daemon) serve(ctx context.Context) error {
	d.announce()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.operations.Run(ctx) })
	g.Go(func() error { return d.watchIdentity(ctx, d.hangup) })
	g.Go(func() error { return d.watchNode(ctx) })
	for _, o := range d.outlets {
		g.Go(func() error { return o.serve(ctx, d.node) })
	}
	g.Go(func() error {
		if err := d.joinAll(ctx); err != nil {
			return err
		}
		return d.admin.Serve(ctx, d.socket)
	})
	return g.Wait()
}

// announce says what has started, and what of the configuration an operator should know.
func (d *Daemon) announce() {
	for _, warning := range d.core.Warnings {
		d.log.Warn(warning)
	}
	for _, note := range d.core.Notes {
		d.log.Info(note)
	}
	d.log.Info("node started", "peer", d.node.ID(), "mspid", d.node.MSPID(), "listens", d.host.Network().ListenAddresses(),
		"external", d.core.ExternalEndpoint, "leader", d.core.LeaderMode(), "operations", d.operations.Addr(), "data", d.dir.path)
}

// joinAll joins the channels that are remembered, then those of the command line. ctx's end is no error.
func (d *Daemon) joinAll(ctx context.Context) error {
	err := d.channels.rejoin(ctx)
	for _, g := range d.genesis {
		if err == nil {
			err = d.channels.ensure(ctx, g)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// watchNode ends with an error when the node does, or with ctx.
func (d *Daemon) watchNode(ctx context.Context) error {
	select {
	case <-d.node.Done():
		return errors.New("the node has stopped by itself")
	case <-ctx.Done():
		return nil
	}
}

// close closes what New has opened, the last first.
func (d *Daemon) close() error {
	var errs []error
	for i := len(d.opened) - 1; i >= 0; i-- {
		errs = append(errs, d.opened[i]())
	}
	d.opened = nil
	return errors.Join(errs...)
}
