package process

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"hotswap/internal/frame"
	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// probe waits until every worker answers.
func (i *instance) probe() error { return i.await(i.ready) }

const (
	// The pause between tries is a tenth of the time that has passed, so that a worker is found
	// ready soon after it is. A try that finds no socket costs next to nothing.
	leastPause = 5 * time.Millisecond
	mostPause  = 200 * time.Millisecond
)

// watch probes a worker that was just started, until ctx ends with it.
func (i *instance) watch(ctx context.Context, n int) {
	w := watcher{address: i.launcher.Addresses(i.want)[n], readiness: i.want.Readiness, liveness: i.want.Liveness}
	tell := func(f func()) {
		i.post(func() {
			if ctx.Err() == nil { // else it is of a process that is gone
				f()
			}
		})
	}
	i.guards.Go(func() {
		if err := w.untilReady(ctx); err != nil {
			tell(func() { i.workerSilent(n, err) })
			return
		}
		tell(func() { i.workerReady(n) })
		if err := w.untilSilent(ctx); err != nil {
			tell(func() { i.workerSilent(n, err) })
		}
	})
}

func (i *instance) workerReady(n int) {
	i.note("worker %d: answers", n)
	i.workers[n].ready = true
	i.settle(nil)
}

// workerSilent has the worker killed, so that the guard starts it again; or, where the instance never
// was ready, ends the instance.
func (i *instance) workerSilent(n int, err error) {
	i.status.add("Unhealthy", "Warning", fmt.Sprintf("worker %d: %v", n, err))
	if i.state != workers.Starting {
		i.kill(n, err.Error())
		return
	}
	text, _ := lastLines(filepath.Join(i.folder, workersLog), tailLines) // none is told as none
	var lines []string
	if text != "" {
		lines = strings.Split(strings.TrimRight(text, "\n"), "\n")
	}
	i.broken = online.Errorf(online.Invalid, "worker %d: %w%s", n, err, indent(lines))
}

// watcher asks one worker whether it is well: it dials and waits for the hello.
type watcher struct {
	address             workers.Address
	readiness, liveness online.Probe
}

// untilReady tries at once and again and again: of Azure's delays, only the sum counts.
func (w watcher) untilReady(ctx context.Context) error {
	budget := w.readiness.Budget()
	timed, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	began := time.Now()
	for good := 0; good < max(1, w.readiness.SuccessThreshold); {
		if w.ask(timed, w.readiness.Timeout) == nil {
			good++
			continue
		}
		good = 0
		select {
		case <-time.After(min(max(time.Since(began)/10, leastPause), mostPause)):
		case <-timed.Done():
			return online.Errorf(online.Invalid, "it did not answer within %v, so its init() has not returned: give the readiness probe more time, or mend it", budget)
		}
	}
	return nil
}

// untilSilent returns when the worker missed as many probes in a row as it may.
func (w watcher) untilSilent(ctx context.Context) error {
	tick := time.NewTicker(w.liveness.Period)
	defer tick.Stop()
	for failures := 0; failures < w.liveness.FailureThreshold; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		failures++
		if w.ask(ctx, w.liveness.Timeout) == nil {
			failures = 0
		}
	}
	return fmt.Errorf("liveness probe failed %d times in a row", w.liveness.FailureThreshold)
}

func (w watcher) ask(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errSilent)
	defer cancel()
	conn, err := frame.Dial(ctx, w.address.Network, w.address.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

var errSilent = errors.New("no hello in time")
