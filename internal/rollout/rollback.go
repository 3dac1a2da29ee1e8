package rollout

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// Rollback restores the traffic from before the last promoted rollout. Where that is already
// so it changes nothing, and already is true.
func (r *Runner) Rollback(ctx context.Context, reason string) (s State, already bool, err error) {
	t, err := r.open(ctx, cmp.Or(reason, "rollback"), restingToo, true)
	if err != nil {
		return State{}, false, err
	}
	undone, err := t.lastPromoted(ctx)
	if err != nil {
		return State{}, false, t.drop(ctx, err)
	}
	e, err := t.leftBy(ctx, undone)
	if err != nil {
		return State{}, false, t.drop(ctx, err)
	}
	if undone.Plan.Undoes != "" {
		return undone, true, t.drop(ctx, nil)
	}
	if err := t.planBack(ctx, e, undone); err != nil {
		return t.state, false, t.drop(ctx, err)
	}
	return t.state, false, t.swapBack(ctx)
}

// lastPromoted finds the rollout that made the traffic what it is.
func (t *turn) lastPromoted(ctx context.Context) (State, error) {
	groups, err := t.Journal.Rollouts(ctx)
	if err != nil {
		return State{}, err
	}
	for _, g := range groups {
		entries, err := t.Journal.Entries(ctx, g)
		if err != nil {
			return State{}, err
		}
		if s, err := last(entries); err != nil || s.Phase == Promoted {
			return s, err
		}
	}
	return State{}, online.Errorf(online.Refused, "endpoint %s has no rollout that went live: there is nothing to roll back", t.Endpoint)
}

// leftBy reads the endpoint, whose traffic must be as the rollout left it.
func (t *turn) leftBy(ctx context.Context, s State) (online.Endpoint, error) {
	e, err := t.quietEndpoint(ctx)
	if err == nil && s.Plan.standing(e) != atAfter {
		err = online.Errorf(online.Refused, "the traffic is %s, rollout %s left it at %s: someone else moved it; set it by hand",
			e.Traffic, s.ID, s.Plan.After)
	}
	return e, err
}

// planBack plans the traffic from before undone, if its deployments are still there unchanged.
func (t *turn) planBack(ctx context.Context, e online.Endpoint, undone State) error {
	back := undone.Plan.Before
	if back.Traffic.Closed() {
		return online.Errorf(online.Refused, "nothing was live before rollout %s: traffic is never taken to 0", undone.ID)
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	if err := healthy(there, back); err != nil {
		return err
	}
	now, err := snapshot(e, there)
	if err != nil {
		return err
	}
	slot := back.Traffic.Live()
	t.state.Plan = Plan{
		Endpoint: t.Endpoint, Slot: slot, Before: now, After: back.Traffic, Mirror: back.Mirror, Undoes: undone.ID,
	}
	if d := find(there, slot); d != nil {
		t.state.Plan.Model = d.Model
		t.state.Candidate = Candidate{Deployment: slot, Fingerprint: d.Fingerprint}
	}
	return t.enter(ctx, Planned)
}

// swapBack writes the planned traffic. It needs no verdict: what goes live has been live.
func (t *turn) swapBack(ctx context.Context) error {
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return t.drop(ctx, err)
	}
	return t.move(ctx, e)
}

// healthy reports what keeps the deployments of want from taking its traffic.
func healthy(there []azure.Deployment, want Snapshot) error {
	for _, name := range slices.Sorted(maps.Keys(want.Fingerprints)) {
		switch d := find(there, name); {
		case d == nil:
			return online.Errorf(online.Refused, "deployment %s is gone; deploy its model again with hotswap rollout --model-version", name)
		case d.Fingerprint != want.Fingerprints[name]:
			return online.Errorf(online.Refused, "deployment %s is not what it was: it holds %s now", name, d.Model)
		case d.State != online.Succeeded:
			return online.Errorf(online.Refused, "deployment %s is %s", name, d.State)
		}
	}
	return nil
}
