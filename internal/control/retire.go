package control

import (
	"context"
	"time"

	"hotswap/internal/crashpoint"
	"hotswap/internal/store"
)

// drainGrace is what a drain waits beyond the request timeout: by then every request that was
// under way has its answer or its 408.
const drainGrace = 5 * time.Second

// retire lets go of what the routes in force don't name any more. Draining and stopping take
// their time, so tasks do it, which leave mail when they are through.
func (r *reconciler) retire(s snapshot, intents []intent) {
	for i, in := range intents {
		d := s.deployments[i]
		for _, id := range in.leave {
			if !r.leaving[id] && !names(r.inForce, id) {
				r.leaving[id] = true
				r.tasks.Go(func() { r.removeInstance(r.running, d, id) })
			}
		}
		if in.drop && r.drops[d.Incarnation] == 0 && !names(r.inForce, d.Incarnation) {
			r.drops[d.Incarnation] = dropping
			ids := r.takeAll(s, d)
			r.tasks.Go(func() { r.removeDeployment(r.running, d, ids) })
		}
	}
}

// takeAll marks all instances of d that no task removes yet as leaving, and returns them.
func (r *reconciler) takeAll(s snapshot, d store.Deployment) (ids []string) {
	for _, i := range s.instances {
		if i.Deployment == d.Name && !r.leaving[i.ID] {
			r.leaving[i.ID] = true
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// removeInstance drains an instance that the routes don't name, and then removes it.
func (r *reconciler) removeInstance(ctx context.Context, d store.Deployment, id string) {
	drain := func(ctx context.Context) error { return r.Gateway.DrainInstance(ctx, id) }
	drained := r.drain(ctx, d, drain)
	crashpoint.At("control.retire.drained")
	if !r.remove(ctx, id) {
		return
	}
	if !drained {
		r.drain(ctx, d, drain) // its workers are gone, and so is what it waited for
	}
	crashpoint.At("control.retire.stopped")
	r.inbox.post(func() { r.news.removed = append(r.news.removed, id) })
}

// removeDeployment drains a deployment that the routes don't name, and then removes its instances.
func (r *reconciler) removeDeployment(ctx context.Context, d store.Deployment, ids []string) {
	crashpoint.At("control.delete.routed")
	drain := func(ctx context.Context) error { return r.Gateway.Drain(ctx, d.Incarnation) }
	drained := r.drain(ctx, d, drain)
	crashpoint.At("control.delete.drained")
	for _, id := range ids {
		if !r.remove(ctx, id) {
			return
		}
	}
	if !drained {
		r.drain(ctx, d, drain)
	}
	crashpoint.At("control.delete.stopped")
	r.inbox.post(func() {
		r.news.removed = append(r.news.removed, ids...)
		r.drops[d.Incarnation] = dropped
	})
}

// drain waits for the requests under way, but not forever, and tells whether they ended.
func (r *reconciler) drain(ctx context.Context, d store.Deployment, wait func(context.Context) error) bool {
	timeout := d.Desired.Request.Timeout
	if d.Served != nil {
		timeout = max(timeout, d.Served.Request.Timeout)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout+drainGrace)
	defer cancel()
	err := wait(bounded)
	if err != nil && ctx.Err() == nil {
		r.Log.WarnContext(ctx, "requests did not end in time and are cut off", "endpoint", r.endpoint, "deployment", d.Name, "error", err)
	}
	return err == nil
}

// remove removes an instance, again and again until nothing of it is left. It reports false when
// ctx ended before.
func (r *reconciler) remove(ctx context.Context, id string) bool {
	for ctx.Err() == nil {
		err := r.Launcher.Remove(ctx, id)
		if err == nil {
			return true
		}
		r.Log.ErrorContext(ctx, "removing an instance failed, will be tried again", "endpoint", r.endpoint, "instance", id, "error", err)
		select {
		case <-time.After(retryStep):
		case <-ctx.Done():
		}
	}
	return false
}
