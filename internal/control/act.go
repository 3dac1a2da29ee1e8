package control

import (
	"context"
	"time"

	"hotswap/internal/crashpoint"
	"hotswap/internal/gateway"
	"hotswap/internal/online"
	"hotswap/internal/store"
	"hotswap/internal/workers"
)

// startAll starts the instances that are missing: first all their rows, then the instances.
func (r *reconciler) startAll(ctx context.Context, s snapshot, intents []intent) error {
	var wanted []workers.Instance
	var rows []store.Instance
	for i, in := range intents {
		for _, st := range in.starts {
			for range st.n {
				id := newID()
				wanted = append(wanted, instanceOf(st.version, id))
				rows = append(rows, store.Instance{ID: id, Endpoint: r.endpoint, Deployment: s.deployments[i].Name, Launch: st.version.Launch})
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	err := r.update(ctx, r.endpoint, func(tx *store.Tx) error {
		for _, row := range rows {
			if err := tx.AddInstance(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	crashpoint.At("control.instance.committed")
	for _, i := range wanted {
		r.ensure(ctx, i)
	}
	crashpoint.At("control.instance.ensured")
	return nil
}

func (r *reconciler) ensure(ctx context.Context, i workers.Instance) {
	r.own(i.ID, r.endpoint)
	if err := r.Launcher.Ensure(ctx, i); err != nil {
		r.inbox.post(func() { r.heard(workers.Event{Instance: i.ID, State: workers.Failed, Err: err}) })
	}
}

// route puts the routes in force that the intents want, unless they are. It returns how long until
// the traffic has to be looked at again.
func (r *reconciler) route(ctx context.Context, s snapshot, intents []intent, now time.Time) (again time.Duration, err error) {
	if s.endpoint.State == online.Deleting {
		if r.inForce != nil {
			r.Gateway.Remove(r.endpoint)
			r.inForce = nil
		}
		return 0, nil
	}
	keys, err := r.openKeys(*s.endpoint)
	if err != nil {
		return 0, err
	}
	var rs []routed
	present := map[string]bool{}
	for i, in := range intents {
		if in.version != nil {
			rs = append(rs, routed{s.deployments[i], *in.version, in.serve})
			present[s.deployments[i].Name] = true
		}
	}
	shares, again := r.lag.shares(s.endpoint.Endpoint, r.inForce, present, r.pace.traffic, now)
	return again, r.swap(ctx, routesOf(*s.endpoint, digests(keys), shares, rs, r.Launcher.Addresses))
}

func (r *reconciler) swap(ctx context.Context, next gateway.Endpoint) error {
	if r.inForce != nil && sameRoutes(*r.inForce, next) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	crashpoint.At("control.routes.before")
	if err := r.Gateway.Swap(ctx, next); err != nil {
		return err
	}
	r.inForce = &next
	crashpoint.At("control.routes.after")
	return nil
}

// endFailed commits the failures. They don't wait for routes: what serves goes on serving.
func (r *reconciler) endFailed(ctx context.Context, s snapshot, intents []intent, now time.Time) (again time.Duration) {
	for i, in := range intents {
		if in.outcome != failed {
			continue
		}
		d := s.deployments[i]
		o := operationOf(s, d.Name)
		if wait := r.due(o, now); wait > 0 {
			again = soonest(again, wait)
			continue
		}
		code, message := reason(in.culprit.err)
		o = end(o, online.OperationFailed, code, message)
		err := r.endDeployment(ctx, d, o, func(tx *store.Tx, row *store.Deployment) error {
			row.State = online.Failed
			return tx.KeepInstance(ctx, in.culprit.ID)
		})
		if err != nil {
			r.Log.ErrorContext(ctx, "commit of a failure failed, will be tried again", "endpoint", r.endpoint, "deployment", d.Name, "error", err)
			again = soonest(again, retryStep)
		}
	}
	return again
}

// reason is the code and the text of a failed operation (AZUREML.md §1.8). The user's code is to
// blame where the launcher says that the request has to change.
func reason(err error) (code, message string) {
	switch {
	case err == nil:
		return "ResourceNotReady", "The instance could not be started."
	case online.CodeOf(err) == online.Invalid:
		return "BadArgument", "User container has crashed or terminated: " + err.Error()
	}
	return "ResourceNotReady", "The instance could not be started: " + err.Error()
}

// endRouted commits what is done now that the routes are in force.
func (r *reconciler) endRouted(ctx context.Context, s snapshot, intents []intent, now time.Time) (again time.Duration, err error) {
	for i, in := range intents {
		var wait time.Duration
		switch d := s.deployments[i]; {
		case in.outcome == succeeded:
			wait, err = r.endSucceeded(ctx, s, d, now)
		case in.drop && r.drops[d.Incarnation] == dropped:
			wait, err = r.endDropped(ctx, s, d, now)
		}
		if err != nil {
			return 0, err
		}
		again = soonest(again, wait)
	}
	wait, err := r.endEndpoint(ctx, s, now)
	return soonest(again, wait), err
}

func (r *reconciler) endSucceeded(ctx context.Context, s snapshot, d store.Deployment, now time.Time) (wait time.Duration, err error) {
	o := operationOf(s, d.Name)
	if wait := r.due(o, now); wait > 0 {
		return wait, nil
	}
	o = end(o, online.OperationSucceeded, "", "")
	return 0, r.endDeployment(ctx, d, o, func(_ *store.Tx, row *store.Deployment) error {
		served := row.Desired
		row.Served, row.State = &served, online.Succeeded
		return nil
	})
}

// endDeployment commits the end of a change of d with that of its operation, unless a delete came
// before it.
func (r *reconciler) endDeployment(ctx context.Context, d store.Deployment, o online.Operation, change func(*store.Tx, *store.Deployment) error) error {
	return r.end(ctx, o, func(tx *store.Tx) (overtaken bool, err error) {
		row, err := tx.Deployment(ctx, r.endpoint, d.Name)
		if err != nil {
			return false, err
		}
		if row.Revision != d.Revision {
			return true, nil
		}
		if err := change(tx, &row); err != nil {
			return false, err
		}
		return false, tx.PutDeployment(ctx, row)
	})
}

// endDropped deletes the row of a deployment of which nothing else is left.
func (r *reconciler) endDropped(ctx context.Context, s snapshot, d store.Deployment, now time.Time) (wait time.Duration, err error) {
	for _, i := range s.instances {
		if i.Deployment == d.Name {
			return 0, nil // its removal will wake us
		}
	}
	o := operationOf(s, d.Name)
	if wait := r.due(o, now); wait > 0 {
		return wait, nil
	}
	o = end(o, online.OperationSucceeded, "", "")
	err = r.end(ctx, o, func(tx *store.Tx) (overtaken bool, err error) {
		return false, tx.DeleteDeployment(ctx, r.endpoint, d.Name)
	})
	if err == nil {
		delete(r.drops, d.Incarnation)
	}
	return 0, err
}

// endEndpoint commits the end of a change of the endpoint itself.
func (r *reconciler) endEndpoint(ctx context.Context, s snapshot, now time.Time) (wait time.Duration, err error) {
	e := *s.endpoint
	if !e.State.Busy() || (e.State == online.Deleting && len(s.deployments) > 0) {
		return 0, nil
	}
	o := operationOf(s, "")
	if wait := r.due(o, now); wait > 0 {
		return wait, nil
	}
	o = end(o, online.OperationSucceeded, "", "")
	return 0, r.end(ctx, o, func(tx *store.Tx) (overtaken bool, err error) {
		row, err := tx.Endpoint(ctx, r.endpoint)
		switch {
		case err != nil || row.State != e.State:
			return true, err
		case row.State == online.Deleting:
			return false, tx.DeleteEndpoint(ctx, r.endpoint)
		}
		row.State = online.Succeeded
		return false, tx.PutEndpoint(ctx, row)
	})
}

// end commits the end of an operation with what it changes, and tells who waits for it.
func (r *reconciler) end(ctx context.Context, o online.Operation, change func(*store.Tx) (overtaken bool, err error)) error {
	crashpoint.At("control.done.before")
	err := r.update(ctx, r.endpoint, func(tx *store.Tx) error {
		overtaken, err := change(tx)
		if err != nil || overtaken || o.ID == "" {
			return err
		}
		return tx.PutOperation(ctx, o)
	})
	if err != nil {
		return err
	}
	crashpoint.At("control.done.after")
	r.waiters.done(o.ID)
	r.inbox.wake() // there may be more to do now

	if o.ID != "" { // a deployment that goes with its endpoint has none of its own
		r.Log.InfoContext(ctx, "operation ended", "operation", o.ID, "endpoint", r.endpoint, "deployment", o.Deployment, "status", o.Status, "error_code", o.ErrorCode)
	}
	return nil
}

// operationOf is the operation under way on a deployment, or on the endpoint itself for "". It is
// the zero Operation for a deployment that goes with its endpoint.
func operationOf(s snapshot, deployment string) online.Operation {
	for _, o := range s.running {
		if o.Deployment == deployment {
			return o
		}
	}
	return online.Operation{}
}
