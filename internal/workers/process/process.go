// Package process runs instances as processes of this machine.
//
// Each instance has a guard, this program executed again, which owns the instance's workers:
//
//	server ── control pipe (orders, then commands) ──► guard ──fork──► worker 0, worker 1 …
//	       ◄──────── reports, a JSON line each ──────
//
// The pipe is the leash: when its other end is gone, however the server ended, the guard kills all
// that it and its workers ever started, and exits. Should the guard itself be killed, the kernel kills
// the workers (PDEATHSIG), and what they started is found by a variable in its environment.
//
// In the state folder an instance has instances/ID (its files) and run/ID.N.sock (a socket a worker).
package process

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"hotswap/internal/environ"
	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// A Fetcher copies the files of an asset into a folder that exists. What it returns is the folder to
// hand to the worker: dir itself for a model, the uploaded folder in it for code.
type Fetcher interface {
	Fetch(ctx context.Context, ref online.Ref, dir string) (root string, err error)
}

// Options says what a Launcher works with.
type Options struct {
	Dir          string   // the state folder, which this process has to itself
	Guard        []string // the command line that runs Guard
	Fetch        Fetcher
	Environments *environ.Builder
	Log          *slog.Logger
}

// Launcher runs instances on this machine. It is a workers.Launcher.
type Launcher struct {
	dir    string
	guard  []string
	fetch  Fetcher
	python *environ.Builder
	log    *slog.Logger
	report func(workers.Event)

	mu        sync.Mutex
	instances map[string]*instance
}

var _ workers.Launcher = (*Launcher)(nil)

const (
	// maxProcesses bounds the workers of an instance, and with them the length of a socket's name.
	maxProcesses = 999
	// longestSocket is the longest name of a socket, with the folder that it is in.
	longestSocket = len("/run/0123456789abcdef.998.sock")
)

// longestPath is the longest path of a unix socket: sun_path holds it and a zero byte (unix(7)).
var longestPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// New returns a Launcher that works in a state folder. It makes the folders that it needs.
func New(o Options) (*Launcher, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if most := longestPath - longestSocket; len(dir) > most {
		return nil, online.Errorf(online.Invalid, "state folder %s has a path of %d bytes, which leaves too little for the paths of sockets: choose one of at most %d bytes", dir, len(dir), most)
	}
	for _, folder := range []string{"instances", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("make the folders of the workers: %w", err)
		}
	}
	return &Launcher{
		dir: dir, guard: o.Guard, fetch: o.Fetch, python: o.Environments, log: o.Log,
		report: func(workers.Event) {}, instances: map[string]*instance{},
	}, nil
}

// Watch sets the receiver of events.
func (l *Launcher) Watch(report func(workers.Event)) { l.report = report }

// Ensure starts an instance, if there is none of its ID.
func (l *Launcher) Ensure(ctx context.Context, want workers.Instance) error {
	want = withDefaults(want)
	if err := check(want); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.instances[want.ID]; ok {
		if i.leaving {
			return online.Errorf(online.Conflict, "start instance %s: it is being removed", want.ID)
		}
		return nil
	}
	i := newInstance(context.WithoutCancel(ctx), l, want)
	l.instances[want.ID] = i
	go i.run()
	return nil
}

// check refuses what could never run, or would reach out of its place.
func check(i workers.Instance) error {
	if err := workers.CheckID(i.ID); err != nil {
		return err
	}
	if i.Processes < 1 || i.Processes > maxProcesses {
		return online.Errorf(online.Invalid, "instance %s has %d workers, want 1 to %d", i.ID, i.Processes, maxProcesses)
	}
	for name, value := range i.Variables {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return online.Errorf(online.Invalid, "environment variable %q: a name without %q, and no zero byte", name, "=")
		}
	}
	return cmp.Or(checkProbe("readiness", i.Readiness), checkProbe("liveness", i.Liveness))
}

// checkProbe refuses a probe that would fail before it was tried, or never end.
func checkProbe(name string, p online.Probe) error {
	if p.Period <= 0 || p.Timeout <= 0 || p.SuccessThreshold < 1 || p.FailureThreshold < 1 {
		return online.Errorf(online.Invalid, "%s probe: want a period and a timeout above 0, and thresholds of at least 1", name)
	}
	return nil
}

// withDefaults returns i with the probes that it may leave out.
func withDefaults(i workers.Instance) workers.Instance {
	if i.Readiness == (online.Probe{}) {
		i.Readiness = online.DefaultProbe()
	}
	if i.Liveness == (online.Probe{}) {
		i.Liveness = online.DefaultProbe()
	}
	return i
}

// Remove stops an instance and removes what is left of it.
func (l *Launcher) Remove(ctx context.Context, id string) error {
	if err := workers.CheckID(id); err != nil {
		return err
	}
	l.mu.Lock()
	i := l.instances[id]
	if i != nil {
		i.leaving = true
	}
	l.mu.Unlock()
	if i != nil {
		i.stop(ctx)
	}
	if err := l.clear(id); err != nil {
		return fmt.Errorf("remove instance %s: %w", id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.instances, id)
	return nil
}

// clear removes the files of an instance whose processes have ended.
func (l *Launcher) clear(id string) error {
	if err := killMarked(l.folder(id)); err != nil {
		return err
	}
	if err := l.clearSockets(func(owner string) bool { return owner == id }); err != nil {
		return err
	}
	return os.RemoveAll(l.folder(id))
}

// clearSockets removes the sockets of the instances that gone picks.
func (l *Launcher) clearSockets(gone func(id string) bool) error {
	entries, err := os.ReadDir(filepath.Join(l.dir, "run"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id, _, _ := strings.Cut(entry.Name(), ".")
		if !gone(id) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.dir, "run", entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Restart kills one worker; its guard starts it again.
func (l *Launcher) Restart(id string, worker int) {
	l.mu.Lock()
	i := l.instances[id]
	l.mu.Unlock()
	if i != nil {
		i.restart(worker)
	}
}

// Addresses tells where the workers of an instance listen.
func (l *Launcher) Addresses(i workers.Instance) []workers.Address {
	addresses := make([]workers.Address, i.Processes)
	for n := range addresses {
		addresses[n] = workers.Address{Network: "unix", Address: l.socket(i.ID, n)}
	}
	return addresses
}

func (l *Launcher) folder(id string) string { return filepath.Join(l.dir, "instances", id) }

func (l *Launcher) socket(id string, n int) string {
	return filepath.Join(l.dir, "run", fmt.Sprintf("%s.%d.sock", id, n))
}

// Close stops all instances at the same time and waits for them.
func (l *Launcher) Close(ctx context.Context) error {
	l.mu.Lock()
	all := slices.Collect(maps.Values(l.instances))
	for _, i := range all {
		i.leaving = true
	}
	l.mu.Unlock()
	var wg sync.WaitGroup
	for _, i := range all {
		wg.Go(func() { i.stop(ctx) })
	}
	wg.Wait()
	return l.clearSockets(func(string) bool { return true })
}
