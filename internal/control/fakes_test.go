package control

import (
	"context"
	"fmt"
	"slices"

	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

type fakeInstance struct {
	workers.Instance
	state workers.State
	pid   int
}

type fakeLauncher world

func (l *fakeLauncher) Watch(report func(workers.Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report = report
}

func (l *fakeLauncher) Ensure(_ context.Context, i workers.Instance) error {
	w := (*world)(l)
	row, ok := w.row(i.ID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("ensure %s", i.Deployment)
	if !ok || row.PID != 0 {
		w.wrong("instance %s was started with the row %+v", i.ID, row)
	}
	if err := workers.CheckID(i.ID); err != nil {
		w.wrong("%v", err)
	}
	w.launched++
	f := &fakeInstance{i, workers.Starting, w.launched}
	w.running[i.ID] = f
	switch i.Variables[behave] {
	case "":
		go w.become(i.ID, workers.Ready, nil)
	case warns:
		go func() {
			w.tell(workers.Event{Instance: i.ID, State: workers.Starting, Warning: "python 3.8 is not here"})
			w.become(i.ID, workers.Ready, nil)
		}()
	case hangs:
		go w.become(i.ID, workers.Starting, nil)
	case fails:
		go w.become(i.ID, workers.Failed, online.Errorf(online.Invalid, "worker 0 ended: exit status 3\nValueError: no model here"))
	}
	return nil
}

func (w *world) tell(e workers.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report(e)
}

// become changes the state of an instance and tells of it, after its process was told of.
func (w *world) become(id string, state workers.State, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.running[id]; f != nil && (state != workers.Starting || f.state == workers.Starting) {
		f.state = state
		w.report(workers.Event{Instance: id, State: workers.Starting, PID: f.pid, StartTime: uint64(f.pid)})
		w.report(workers.Event{Instance: id, State: state, Err: err})
	}
}

func (l *fakeLauncher) Remove(_ context.Context, id string) error {
	w := (*world)(l)
	_, ok := w.row(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.running[id]; f != nil {
		w.note("remove %s", f.Deployment)
	}
	if !ok {
		w.wrong("instance %s was removed after its row", id)
	}
	if w.undone[id] {
		w.wrong("instance %s was removed before it was drained", id)
	}
	delete(w.running, id)
	return nil
}

func (l *fakeLauncher) Restart(string, int) {}

func (l *fakeLauncher) Addresses(i workers.Instance) (all []workers.Address) {
	for n := range i.Processes {
		all = append(all, workers.Address{Network: "unix", Address: fmt.Sprintf("/run/%s/%d", i.ID, n)})
	}
	return all
}

func (l *fakeLauncher) Log(id, container string, tail int) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.running[id]
	if f == nil {
		return "", online.Errorf(online.NotFound, "no instance %s", id)
	}
	return fmt.Sprintf("%s %s of %s %s, %d lines", container, f.state, f.Model.Name, f.Model.Version, tail), nil
}

func (l *fakeLauncher) Sweep(_ context.Context, leftovers []workers.Leftover) error {
	w := (*world)(l)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("sweep")
	for id, f := range w.running {
		n := slices.IndexFunc(leftovers, func(o workers.Leftover) bool { return o.ID == id })
		if n < 0 {
			w.wrong("instance %s of %s is left and has no row", id, f.Deployment)
		}
	}
	return nil
}

func (l *fakeLauncher) Close(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	(*world)(l).note("close")
	clear(l.running)
	return nil
}

type fakeGateway world

func (g *fakeGateway) Swap(_ context.Context, e gateway.Endpoint) error {
	w := (*world)(g)
	rows := map[string]store.Instance{}
	for _, d := range e.Deployments {
		for _, i := range d.Instances {
			rows[i.ID], _ = w.row(i.ID)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.swapFail != nil {
		return w.swapFail
	}
	w.note("swap %v", e.Shares)
	if e.Revision < w.routes[e.Name].Revision {
		w.wrong("revision %d after %d", e.Revision, w.routes[e.Name].Revision)
	}
	for _, d := range e.Deployments {
		w.undone[d.ID] = true
		for _, i := range d.Instances {
			w.undone[i.ID] = true
			if f := w.running[i.ID]; f == nil || f.state == workers.Starting || rows[i.ID].PID != f.pid {
				w.wrong("instance %s is routed, it is %+v with the row %+v", i.ID, f, rows[i.ID])
			}
		}
	}
	w.routes[e.Name] = e
	return nil
}

func (g *fakeGateway) Remove(endpoint string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	(*world)(g).note("unroute %s", endpoint)
	delete(g.routes, endpoint)
}

func (g *fakeGateway) Drain(ctx context.Context, id string) error {
	w := (*world)(g)
	if err := w.wait(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("drain deployment")
	for _, e := range w.routes {
		if names(&e, id) {
			w.wrong("deployment %s was drained while it was routed", id)
		}
	}
	delete(w.undone, id)
	for id := range w.undone {
		routed := false
		for _, e := range w.routes {
			routed = routed || names(&e, id)
		}
		if !routed {
			delete(w.undone, id) // the instances of a drained deployment are
		}
	}
	return nil
}

func (g *fakeGateway) DrainInstance(ctx context.Context, id string) error {
	w := (*world)(g)
	if err := w.wait(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("drain instance")
	for _, e := range w.routes {
		if names(&e, id) {
			w.wrong("instance %s was drained while it was routed", id)
		}
	}
	delete(w.undone, id)
	return nil
}

func (w *world) wait(ctx context.Context) error {
	w.mu.Lock()
	draining := w.draining
	w.mu.Unlock()
	if draining == nil {
		return nil
	}
	select {
	case <-draining:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fakeAssets has every model and code but those of version 0, and environments whose conda file is
// their version.
type fakeAssets struct{}
