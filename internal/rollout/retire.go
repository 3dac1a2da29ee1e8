package rollout

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
)

// retireOrEnd goes on from the last step, which has passed.
func (t *turn) retireOrEnd(ctx context.Context) error {
	former := t.state.former()
	if former == "" || t.state.Plan.Strategy.Retain == Warm || t.state.Plan.Undoes != "" {
		return t.promoted(ctx, "")
	}
	if err := t.enter(ctx, Retiring); err != nil {
		return t.drop(ctx, err)
	}
	return nil
}

// former is the deployment that was live before; "" where none was, or several were.
func (s State) former() string { return s.Plan.Before.Traffic.Live() }

// retire deletes or parks the former live slot. The candidate is live by now, so what goes wrong
// here is told, and fails nothing.
func (t *turn) retire(ctx context.Context) error {
	kept, stop := t.lease.keep(ctx)
	defer stop()
	err := t.release(kept)
	if kept.Err() != nil {
		return t.drop(ctx, context.Cause(kept))
	}
	if err != nil {
		t.Say("slot %s is left as it is: %v", t.state.former(), err)
		return t.promoted(ctx, fmt.Sprintf("slot %s was left as it is: %v", t.state.former(), err))
	}
	return t.promoted(ctx, "")
}

func (t *turn) release(ctx context.Context) error {
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	former, err := t.Cloud.Deployment(ctx, t.Endpoint, t.state.former())
	switch {
	case online.CodeOf(err) == online.NotFound:
		return nil
	case err != nil:
		return err
	case former.InstanceCount == 0 && t.state.Plan.Strategy.Retain == Parked:
		return t.isParked(former)
	case former.Fingerprint != t.state.Plan.Before.Fingerprints[former.Name]:
		return online.Errorf(online.Conflict, "it was changed since the swap")
	case t.state.standing(e) != atAfter:
		return online.Errorf(online.Conflict, "the traffic was moved since the swap: it is %s", e.Traffic)
	}
	if err := t.awaitIdle(ctx, e, former.Name); err != nil {
		return err
	}
	if err := t.lease.outlives(ctx, 1); err != nil {
		return err
	}
	crashpoint.At("rollout.retire.before")
	defer crashpoint.At("rollout.retire.after")
	if t.state.Plan.Strategy.Retain == None {
		t.Say("slot %s: deleting %s", former.Name, former.Model)
		return t.Cloud.DeleteDeployment(ctx, t.Endpoint, former.Name)
	}
	return t.park(ctx, former)
}

// park stops the processes of the former live slot and keeps all else. A reply may be lost after the
// effect, and a rollback has to know.
func (t *turn) park(ctx context.Context, former azure.Deployment) error {
	t.Say("slot %s: parking %s", former.Name, former.Model)
	d := t.fenced(former.Deployment)
	d.InstanceCount = 0
	parked, err := t.Cloud.PutDeployment(ctx, d)
	if err != nil {
		there, e := t.Cloud.Deployment(ctx, t.Endpoint, former.Name)
		if e == nil && there.InstanceCount == 0 {
			return t.isParked(there)
		}
		return err
	}
	t.state.Parked = &Parking{Deployment: parked.Name, Fingerprint: parked.Fingerprint, Instances: former.InstanceCount}
	return nil
}

// isParked records a parking that was cut off after its effect.
func (t *turn) isParked(former azure.Deployment) error {
	fence, err := strconv.ParseInt(former.Tags[online.TagFence], 10, 64)
	if t.state.Plan.Former != nil && err == nil && fence >= t.begun { // ours: nobody else can have begun since
		t.state.Parked = &Parking{Deployment: former.Name, Fingerprint: former.Fingerprint, Instances: t.state.Plan.Former.InstanceCount}
	}
	return nil
}

// awaitIdle leaves the former live slot alone until it can have no request any more. Where routes
// follow late, that is when its requests were zero for a whole piece of its metrics, or when the
// wait that the strategy sets has passed.
func (t *turn) awaitIdle(ctx context.Context, e online.Endpoint, deployment string) error {
	if e.Properties[online.RoutesAtOnce] != "" {
		return nil
	}
	end := t.state.InForce.Add(t.state.Plan.Strategy.DrainWait)
	t.Say("slot %s: waiting until its requests are zero for %v, at most until %s", deployment, t.grain(), end.UTC().Format(time.TimeOnly))
	for t.Cloud.Now().Before(end) && !t.idle(ctx, e, deployment) {
		if err := sleep(ctx, min(t.grain(), lookAtLeast)); err != nil {
			return err
		}
	}
	return nil
}

// idle reports whether the metrics show a piece without requests since the swap. The newest pieces
// may read zero, so none of them counts. The time before the swap is asked for as well: of a
// deployment without any request Azure has no series, and so no zero.
func (t *turn) idle(ctx context.Context, e online.Endpoint, deployment string) bool {
	from, to := t.ceil(e, t.state.InForce), t.reach(e)
	if !to.After(from) {
		return false
	}
	points, err := t.Cloud.Metrics(ctx, azure.MetricsQuery{
		Endpoint: t.Endpoint, Deployment: deployment, From: from.Add(-piecesBefore * t.grain()), To: to, Interval: t.grain(),
	})
	if err != nil {
		return false
	}
	for _, p := range points {
		if p.Known && p.Requests == 0 && !p.At.Before(from) {
			return true
		}
	}
	return false
}

// piecesBefore is how much of the time before the swap is asked for.
const piecesBefore = 10

// allocated says what stays allocated of the former live slot.
func (p Plan) allocated() string {
	f := p.Former
	switch {
	case p.Before.Traffic.Closed():
		return "nothing was live before: there is no way back yet"
	case f == nil:
		return "what shared the traffic before stays allocated, and hotswap rollback returns to " + p.Before.Traffic.String()
	case p.Strategy.Retain == None:
		return f.Name + " is not kept: nothing of it stays allocated, and hotswap rollback can't return to it"
	case p.Strategy.Retain == Parked:
		return f.Name + " is parked: no instance stays allocated, and hotswap rollback starts it again"
	}
	return fmt.Sprintf("%s is kept warm: %d × %s stay allocated, and hotswap rollback returns to it at once", f.Name, f.InstanceCount, f.InstanceType)
}
