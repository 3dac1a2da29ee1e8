package process

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/online"
	"hotswap/internal/workers"
	"hotswap/worker"
)

// guardGrace is what a guard is given to end its workers; it needs a little more than they do.
const guardGrace = grace + grace/2

// start puts the guard under supervision and waits until it has started every worker.
func (i *instance) start() error {
	dir, err := i.emptied("worker")
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "worker.py")
	if err := os.WriteFile(program, worker.Source, 0o600); err != nil {
		return err
	}
	o := orders{Log: filepath.Join(i.folder, workersLog), Grace: grace}
	for _, address := range i.launcher.Addresses(i.want) {
		argv := []string{i.python, "-u", program, "--socket", address.Address}
		o.Workers = append(o.Workers, order{Argv: argv, Env: i.variables(), Dir: i.code})
	}
	guard := workers.NewSupervisor(func() (workers.Process, error) { return i.fork(o) }, i.guardChanged, guardGrace)
	i.guards.Go(func() { guard.Run(i.ctx) })
	return i.await(i.up)
}

// variables is the environment of the workers: what Azure's images set, the user's own, and nothing
// of the server's, which may hold secrets.
func (i *instance) variables() []string {
	env := map[string]string{
		"PATH":                    filepath.Dir(i.python) + ":/usr/local/bin:/usr/bin:/bin",
		"HOME":                    i.folder,
		"TMPDIR":                  filepath.Join(i.folder, "tmp"),
		"LANG":                    "C.UTF-8",
		"PYTHONUNBUFFERED":        "1",
		"PYTHONDONTWRITEBYTECODE": "1",
	}
	maps.Copy(env, i.want.Variables)
	env["AML_APP_ROOT"] = i.code
	env["AZUREML_ENTRY_SCRIPT"] = i.want.Script
	if i.model != "" {
		env["AZUREML_MODEL_DIR"] = i.model
	}
	env[markVariable] = i.folder
	lines := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		lines = append(lines, name+"="+env[name])
	}
	return lines
}

// guardChanged is told by the supervisor how the guard is.
func (i *instance) guardChanged(p workers.Phase, cause error) {
	if p == workers.Waiting {
		i.post(func() { i.guardEnded(cause) })
	}
}

// guardStarted tells of the process that owns the instance's others now.
func (i *instance) guardStarted(l *leash) {
	i.leash = l
	i.report(workers.Event{PID: l.process.pid, StartTime: l.process.started})
}

// guardEnded takes every worker for gone. A guard that ends before the instance ever was ready ends it.
func (i *instance) guardEnded(cause error) {
	i.leash = nil
	err := online.Errorf(online.Internal, "guard ended: %w", cause)
	i.note("%v", err)
	if i.state == workers.Starting {
		i.broken = err
		return
	}
	for n := range i.workers {
		i.lost(n)
	}
	i.settle(err)
}

// workerChanged is told by the guard how a worker is.
func (i *instance) workerChanged(r report) {
	if r.Worker < 0 || r.Worker >= len(i.workers) {
		return
	}
	switch r.Phase {
	case workers.Running:
		i.workerStarted(r.Worker)
	case workers.Waiting:
		i.workerEnded(r)
	}
}

func (i *instance) workerStarted(n int) {
	i.note("worker %d: started", n)
	i.status.add("Started", "Normal", fmt.Sprintf("Started container inference-server, worker %d", n))
	ctx, cancel := context.WithCancel(i.ctx)
	i.workers[n] = seat{up: true, probing: cancel}
	i.watch(ctx, n)
}

// workerEnded has nothing to start again: the guard does. But a worker that ends before the
// instance ever was ready ends it, for it would end again.
func (i *instance) workerEnded(r report) {
	i.lost(r.Worker)
	err := online.Errorf(online.Invalid, "worker %d ended: %s%s", r.Worker, r.Cause, indent(r.Tail))
	first, _, _ := strings.Cut(err.Error(), "\n")
	i.note("%s", first)
	i.status.add("BackOff", "Warning", first)
	if i.state == workers.Starting {
		i.broken = err
		return
	}
	i.settle(err)
}

// lost forgets the process of a worker.
func (i *instance) lost(n int) {
	if i.workers[n].probing != nil {
		i.workers[n].probing()
	}
	i.workers[n] = seat{}
}
