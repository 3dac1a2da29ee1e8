package rollout

import (
	"cmp"
	"context"

	"hotswap/internal/online"
)

// Rollback restores the traffic from before the last promoted rollout. Where that is already
// so it changes nothing, and already is true.
func (r *Runner) Rollback(ctx context.Context, reason string) (s State, already bool, err error) {
	t, err := r.open(ctx, cmp.Or(reason, "rollback"), true)
	if err != nil {
		return State{}, false, err
	}
	undone, err := t.lastPromoted(ctx)
	if err != nil {
		return State{}, false, t.drop(ctx, err)
	}
	if undone.Plan.Undoes != "" {
		return undone, true, t.drop(ctx, nil)
	}
	if err := t.planBack(ctx, undone); err != nil {
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

// planBack plans the traffic from before undone, if its deployments are still there unchanged.
func (t *turn) planBack(ctx context.Context, undone State) error {
	e, err := t.quietEndpoint(ctx)
	if err != nil {
		return err
	}
	back := undone.Plan.Before
	switch {
	case undone.Plan.standing(e) != atAfter:
		return online.Errorf(online.Refused, "the traffic is %s, rollout %s left it at %s: someone else moved it; set it by hand",
			e.Traffic, undone.ID, undone.Plan.After)
	case back.Traffic.Closed():
		return online.Errorf(online.Refused, "nothing was live before rollout %s: traffic is never taken to 0", undone.ID)
	}
	if err := t.healthy(ctx, back); err != nil {
		return err
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
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
	if err := t.beforeStands(ctx, e); err != nil {
		return t.refuse(ctx, Refused, err)
	}
	if err := t.enter(ctx, Swapping); err != nil {
		return t.drop(ctx, err)
	}
	return t.write(ctx, e)
}
