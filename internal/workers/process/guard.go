package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hotswap/internal/workers"
)

// guard owns the workers of one instance. Its main goroutine alone forks and reaps, on one thread:
// so a child that was just started is never taken for an orphan, and PDEATHSIG, which tells of the end of
// a thread, tells of the end of the guard.
type guard struct {
	log     io.Writer
	grace   time.Duration
	calls   chan func()           // for the main goroutine
	known   map[int]bool          // children that someone waits for
	workers []*workers.Supervisor // by number
	running sync.WaitGroup        // the supervisors

	mu  sync.Mutex
	out *json.Encoder
}

// Guard is the body of a guard process: it reads its orders from in, the control pipe, and keeps the
// workers running until it is told to stop, or in ends. It returns the exit status, when nothing that it
// or its workers started is left.
func Guard(ctx context.Context, in io.Reader, out io.Writer) int {
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE) // a report that nobody reads must not end the guard
	status, err := guardOrders(ctx, in, out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guard:", err)
		return 1
	}
	return status
}

func guardOrders(ctx context.Context, in io.Reader, out io.Writer) (status int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become the reaper of orphans: %w", err)
	}
	lines := json.NewDecoder(in)
	var o orders
	if err := lines.Decode(&o); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, nil // the server was gone before it had given any
		}
		return 0, fmt.Errorf("read the orders: %w", err)
	}
	if o.Once != nil {
		return guardOnce(ctx, *o.Once, in)
	}
	return 0, guardWorkers(ctx, o, lines, out)
}

// guardWorkers keeps workers running.
func guardWorkers(ctx context.Context, o orders, lines *json.Decoder, out io.Writer) error {
	var log io.WriteCloser = newLog(o.Log)
	defer log.Close()
	g := &guard{log: log, grace: o.Grace, calls: make(chan func()), known: map[int]bool{}, out: json.NewEncoder(out)}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for n, what := range o.Workers {
		g.workers = append(g.workers, g.supervisor(n, what))
	}
	for _, s := range g.workers {
		g.running.Go(func() { s.Run(ctx) })
	}
	gone := make(chan struct{})
	go func() { defer close(gone); g.obey(lines, stop) }() // ends with in, or the process
	return g.run(gone, stop)
}

func (g *guard) supervisor(n int, what order) *workers.Supervisor {
	start := func() (workers.Process, error) { return g.start(what) }
	return workers.NewSupervisor(start, func(p workers.Phase, cause error) { g.tell(n, p, cause) }, g.grace)
}

// obey carries commands out until the control pipe ends.
func (g *guard) obey(lines *json.Decoder, stop func()) {
	for {
		var c command
		if lines.Decode(&c) != nil {
			return
		}
		switch {
		case c.Do == doStop:
			stop()
		case c.Do == doRestart && c.Worker >= 0 && c.Worker < len(g.workers):
			g.workers[c.Worker].Restart()
		}
	}
}

// run serves the other goroutines until the supervisors have ended, and then leaves nothing behind.
func (g *guard) run(gone <-chan struct{}, stop func()) error {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	finished := make(chan struct{})
	go func() { g.running.Wait(); close(finished) }()
	var kill <-chan time.Time
	for {
		select {
		case call := <-g.calls:
			call()
		case <-children:
			g.reapOrphans()
		case <-gone:
			gone, kill = nil, time.Tick(killPause)
			stop()
		case <-kill:
			killAll(g.tree())
		case <-finished:
			err := killUntilGone(below)
			for wait() {
			}
			return err
		}
	}
}

// tree lists all that the guard and its workers ever started and that is still there.
func (g *guard) tree() []process {
	all, err := processes()
	if err != nil {
		return nil
	}
	return below(all)
}

// below picks the descendants of this process.
func below(all []process) []process { return descendants(all, os.Getpid()) }

// reapOrphans asks for the ends of children that came to the guard because their parent ended.
func (g *guard) reapOrphans() {
	for _, p := range g.tree() {
		if p.parent == os.Getpid() && p.ended() && !g.known[p.pid] {
			unix.Wait4(p.pid, nil, unix.WNOHANG, nil) //nolint:errcheck // because it can only be gone already
		}
	}
}

// wait asks for the end of any child, and reports whether there was one.
func wait() bool {
	pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	return pid > 0 || errors.Is(err, unix.EINTR)
}

// call runs f on the main goroutine and waits for it.
func (g *guard) call(f func()) {
	done := make(chan struct{})
	g.calls <- func() { defer close(done); f() }
	<-done
}

// tell reports to the server. Where it is gone, the control pipe tells so too.
func (g *guard) tell(n int, p workers.Phase, cause error) {
	r := report{Worker: n, Phase: p}
	if cause != nil {
		r.Cause = cause.Error()
	}
	if e, ok := errors.AsType[*exitError](cause); ok {
		r.Tail = e.tail
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out.Encode(r)
}
