// Package app puts the parts of the server together, so that the command, the demo and the tests
// run the same one.
//
//	                       ┌─ {account}.blob.{host} ─► blob
//	main listener (TLS) ───┼─ /endpoints/ ───────────► gateway ──► workers
//	                       └─ everything else ───────► api ──► control ──► launcher, gateway, store
//
// With a listener of its own for scoring, the gateway is served there and only there.
//
// The state folder holds everything: lock (one server a folder), state.db, blobs, certs, the keys,
// environments, instances, and credentials.json, the only place where the client secret is.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hotswap/internal/certs"
	"hotswap/internal/control"
	"hotswap/internal/online"
)

// Options is what an operator may set.
type Options struct {
	StateDir    string        // made with mode 0700
	Addr        string        // host:port to listen on; port 0 picks a free one
	ScoringAddr string        // of a listener that only scores; "" scores on Addr
	Hostname    string        // in every URL; "" is localhost
	AzureLike   bool          // be as slow and as eventually consistent as Azure
	MetricsLag  time.Duration // with AzureLike: the newest metrics read zero for so long; 0 is Azure's 5 minutes
	Strict      bool          // refuse a Python version that isn't installed instead of taking the nearest
	Guard       []string      // the command line that runs process.Guard; nil is this program's guard command
	Log         *slog.Logger
}

// azureLag is how long Azure's newest metrics may read zero.
const azureLag = 5 * time.Minute

// App is a server that was built and can be run once.
type App struct {
	options     Options
	listener    net.Listener
	scoring     net.Listener // the same as listener unless scoring has its own
	certs       *certs.Authority
	control     *control.Control
	servers     []*server
	running     sync.WaitGroup // of the servers that serve
	stopping    atomic.Bool
	credentials string
	stops       []stop
}

// stop takes one part down.
type stop struct {
	name string
	f    func(context.Context) error
}

// New builds every part in the order of its needs. What it built before an error, it takes down.
func New(ctx context.Context, o Options) (*App, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &App{options: o, credentials: filepath.Join(o.StateDir, "credentials.json")}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.StateDir == "" || o.Addr == "" {
		return o, online.Errorf(online.Invalid, "the server needs a state folder and an address to listen on")
	}
	dir, err := filepath.Abs(o.StateDir)
	if err != nil {
		return o, online.Errorf(online.Invalid, "find the state folder %s: %w", o.StateDir, err)
	}
	o.StateDir = dir
	if !o.AzureLike {
		o.MetricsLag = 0
	} else if o.MetricsLag == 0 {
		o.MetricsLag = azureLag
	}
	o.Hostname = strings.ToLower(cmp.Or(o.Hostname, "localhost"))
	if net.ParseIP(o.Hostname) != nil {
		return o, online.Errorf(online.Invalid, "the server's host name is %s, want a name: the artifact store has the host %s.blob.NAME", o.Hostname, account)
	}
	if o.Guard == nil {
		o.Guard = []string{"/proc/self/exe", "guard"}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// URL is the base URL of the management plane.
func (a *App) URL() string { return a.url(a.listener) }

// ScoringURL is the base URL below which the endpoints are.
func (a *App) ScoringURL() string { return a.url(a.scoring) }

func (a *App) url(l net.Listener) string { return "https://" + a.host(l) }

func (a *App) host(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's address has both
	return net.JoinHostPort(a.options.Hostname, port)
}

// CAFile is the certificate that clients have to trust.
func (a *App) CAFile() string { return a.certs.CAFile() }

// CredentialsFile is the JSON file with which clients log in.
func (a *App) CredentialsFile() string { return a.credentials }

// Run serves until ctx ends or a listener fails. It first makes what the state wants come up.
func (a *App) Run(ctx context.Context) error {
	if err := a.control.Start(ctx); err != nil {
		return errUnlessDone(ctx, err)
	}
	failed := make(chan error, len(a.servers))
	for _, s := range a.servers {
		a.running.Go(func() { failed <- s.serve() })
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// errUnlessDone drops an error that is only the end of ctx.
func errUnlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Stop takes the parts down in the reverse order of New: it accepts no more, waits for the
// requests under way, stops the workers, and closes the state. When ctx ends, it does so at once.
// A part that fails does not keep the next one up.
func (a *App) Stop(ctx context.Context) (err error) {
	for _, s := range slices.Backward(a.stops) {
		if e := s.f(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("stop the %s: %w", s.name, e))
		}
	}
	a.stops = nil
	return err
}

func (a *App) onStop(name string, f func(context.Context) error) {
	a.stops = append(a.stops, stop{name, f})
}

// folder makes the state folder, for its owner only.
func (a *App) folder() error {
	if err := os.MkdirAll(a.options.StateDir, 0o700); err != nil {
		return online.Errorf(online.Invalid, "make the state folder: %w; choose one that can be written", err)
	}
	if err := os.Chmod(a.options.StateDir, 0o700); err != nil { // one that was there may be open to others
		return online.Errorf(online.Invalid, "close the state folder to others: %w; choose one of your own", err)
	}
	return nil
}
