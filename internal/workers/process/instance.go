package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"hotswap/internal/environ"
	"hotswap/internal/workers"
)

// grace is what a worker is given to end after SIGTERM. The gateway has drained it by then.
const grace = 5 * time.Second

// instance is one that is wanted. One goroutine, in run, owns its state; what happens elsewhere is
// sent to it as a function, by post.
type instance struct {
	launcher *Launcher
	want     workers.Instance
	folder   string
	status   *status
	steps    io.WriteCloser // the log of the steps

	leaving bool // it is being removed; under the launcher's lock

	ctx    context.Context //nolint:containedctx // because it is the life of the goroutine run, which Ensure starts
	cancel context.CancelCauseFunc
	done   chan struct{}   // closed when run has returned
	hurry  context.Context //nolint:containedctx // because it is a signal to the guard that runs then: it shall kill at once
	hasten func()          // ends hurry
	inbox  chan func()     // for run's goroutine
	closed chan struct{}   // closed when inbox is read no more
	guards sync.WaitGroup  // the supervisor of the guard

	// Owned by run's goroutine.
	state   workers.State
	broken  error // why it can't start
	model   string
	code    string
	python  string
	workers []seat
	leash   *leash // to the guard that runs; nil while there is none
}

// seat is the place of one worker, with what is known of the process that has it.
type seat struct {
	up, ready bool
	probing   context.CancelFunc // ends the probe of the process that is up
}

// The causes of the end of an instance's context.
var (
	errRemoved = errors.New("the instance was removed")
	errStopped = errors.New("the instance has ended")
)

func newInstance(ctx context.Context, l *Launcher, want workers.Instance) *instance {
	ctx, cancel := context.WithCancelCause(ctx)
	hurry, hasten := context.WithCancel(context.WithoutCancel(ctx))
	folder := l.folder(want.ID)
	return &instance{
		launcher: l, want: want, folder: folder, ctx: ctx, cancel: cancel, state: workers.Starting,
		status: newStatus(filepath.Join(folder, statusFile)), steps: newLog(filepath.Join(folder, stepsLog)),
		done: make(chan struct{}), hurry: hurry, hasten: hasten, closed: make(chan struct{}),
		inbox: make(chan func(), 16), workers: make([]seat, want.Processes),
	}
}

// run brings the instance up and keeps it up until its context ends.
func (i *instance) run() {
	defer close(i.done)
	defer i.hasten()
	defer i.steps.Close()
	defer i.down()
	i.report(workers.Event{})
	if err := i.startUp(); err != nil {
		i.fail(err)
		return
	}
	i.turn(workers.Ready, nil)
	i.settle(nil)
	i.await(func() bool { return false }) //nolint:errcheck // because it ends with the context, which is no failure
}

// await carries out what is posted until done says so. It fails when the context ends or the
// instance is found broken.
func (i *instance) await(done func() bool) error {
	for i.broken == nil && !done() {
		select {
		case f := <-i.inbox:
			f()
		case <-i.ctx.Done():
			return context.Cause(i.ctx)
		}
	}
	return i.broken
}

// post has f called on run's goroutine, unless that has ended.
func (i *instance) post(f func()) {
	select {
	case i.inbox <- f:
	case <-i.closed:
	}
}

// fail ends the instance for good. One that is being removed has not failed.
func (i *instance) fail(err error) {
	if i.ctx.Err() != nil {
		return
	}
	i.hasten()
	i.turn(workers.Failed, err)
}

// turn changes the state and tells of it.
func (i *instance) turn(s workers.State, cause error) {
	i.state = s
	log := i.launcher.log.With("instance", i.want.ID, "endpoint", i.want.Endpoint, "deployment", i.want.Deployment, "state", s)
	if cause != nil {
		log = log.With("error", cause)
	}
	log.Info("instance changed")
	i.report(workers.Event{Err: cause})
}

func (i *instance) report(e workers.Event) {
	e.Instance, e.State = i.want.ID, i.state
	i.launcher.report(e)
}

// settle derives the state of an instance that has started from that of its workers.
func (i *instance) settle(cause error) {
	ready := i.ready()
	switch {
	case i.state == workers.Ready && !ready:
		i.turn(workers.Unready, cause)
	case i.state == workers.Unready && ready:
		i.turn(workers.Ready, nil)
	}
}

func (i *instance) up() bool    { return i.all(func(w seat) bool { return w.up }) }
func (i *instance) ready() bool { return i.all(func(w seat) bool { return w.ready }) }

func (i *instance) all(is func(seat) bool) bool {
	for _, w := range i.workers {
		if !is(w) {
			return false
		}
	}
	return true
}

// warn tells the user of something that is not as it was asked for.
func (i *instance) warn(env environ.Environment) {
	for _, warning := range env.Warnings {
		i.status.add("Environment", "Warning", warning)
		i.report(workers.Event{Warning: warning})
	}
}

// restart has the guard kill one worker. It doesn't wait for a busy owner: what was stuck before is
// found stuck again.
func (i *instance) restart(n int) {
	select {
	case i.inbox <- func() { i.kill(n, "it is stuck in a request") }:
	default:
	}
}

func (i *instance) kill(n int, why string) {
	if n < 0 || n >= len(i.workers) || i.leash == nil {
		return
	}
	i.note("worker %d is killed: %s", n, why)
	i.status.add("Killing", "Warning", fmt.Sprintf("Killing worker %d: %s", n, why))
	i.leash.send(command{Do: doRestart, Worker: n})
}

// stop ends the instance and waits for that; where ctx ends first, without grace.
func (i *instance) stop(ctx context.Context) {
	i.cancel(errRemoved)
	select {
	case <-i.done:
	case <-ctx.Done():
		i.hasten()
		<-i.done
	}
}

// down ends what the instance runs. It is the last that run's goroutine does.
func (i *instance) down() {
	close(i.closed)
	for _, w := range i.workers {
		if w.probing != nil {
			w.probing()
		}
	}
	i.cancel(errStopped)
	i.guards.Wait()
}

// note writes a line to the log of the steps.
func (i *instance) note(format string, args ...any) {
	fmt.Fprintf(i.steps, time.Now().UTC().Format(timeFormat)+" "+format+"\n", args...)
}
