package rollout

import (
	"context"
	"fmt"

	"hotswap/internal/azure"
	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// Reinstatement is what is to be live again, as it was.
type Reinstatement struct {
	Content     online.Deployment // as it was put
	Endpoint    spec.Endpoint     // to be created where it is gone; without one it must be there
	Fingerprint string            // as it was read back then
	Commit      string
	Reason      string
}

// Reinstate makes a deployment live that was verified before: at once where a slot still holds that
// very one, else by a rollout of its content, all at once after the tests; without tests that is
// forced, which is recorded. What an earlier rollout has left open is closed first.
func (r *Runner) Reinstate(ctx context.Context, want Reinstatement, tests Tests) (State, error) {
	t, err := r.open(ctx, want.Reason, restingToo, true)
	if err != nil {
		return State{}, err
	}
	there, err := t.swapBack(ctx, want)
	if err != nil || there {
		return t.state, err
	}
	if want.Endpoint.Name == "" {
		if _, err := r.Cloud.Endpoint(ctx, r.Endpoint); online.CodeOf(err) == online.NotFound {
			return State{}, online.Errorf(online.NotFound, "endpoint %q is gone: give --endpoint-file, which says how it is made", r.Endpoint)
		}
		want.Endpoint.Name = r.Endpoint
	}
	d := want.Content
	d.Tags = unmarked(d.Tags)
	return r.Rollout(ctx, Request{
		Endpoint: want.Endpoint, Deployment: spec.Deployment{Deployment: d}, ModelVersion: FromFile, Commit: want.Commit, Reason: want.Reason,
		Strategy: Strategy{Steps: []int{everything}, Retain: Warm, Bounds: DefaultStrategy().Bounds},
	}, tests, len(tests.Suite.Names()) == 0)
}

// swapBack gives the traffic to the slot that holds what is wanted, unchanged and healthy, and
// ends the turn; false where none does.
func (t *turn) swapBack(ctx context.Context, want Reinstatement) (bool, error) {
	e, err := t.quietEndpoint(ctx)
	if online.CodeOf(err) == online.NotFound {
		return false, t.drop(ctx, nil) // the rollout says what is missing
	}
	if err != nil {
		return false, t.drop(ctx, err)
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return false, t.drop(ctx, err)
	}
	d := holding(there, want.Fingerprint)
	if d == nil {
		return false, t.drop(ctx, nil)
	}
	if e.Traffic.Live() == d.Name {
		t.Say("slot %s: holds what is wanted, and has all the traffic", d.Name)
		return true, t.drop(ctx, nil)
	}
	now, err := snapshot(e, there)
	if err != nil {
		return false, t.drop(ctx, err)
	}
	after := now
	after.Traffic = online.AllTo(d.Name)
	t.state.Traffic = now.Traffic
	t.state.Plan = Plan{
		Endpoint: t.Endpoint, Slot: d.Name, Model: d.Model, Commit: want.Commit, Before: now, After: after.Traffic, Mirror: online.Mirror{},
		Undoes: undone(e, there), Strategy: Strategy{Steps: []int{everything}, Retain: Warm},
	}
	t.state.Candidate = Candidate{Deployment: d.Name, Fingerprint: d.Fingerprint}
	t.Say("slot %s: holds what is wanted, unchanged: the traffic goes back to it", d.Name)
	if err := t.enter(ctx, Planned); err != nil {
		return false, t.drop(ctx, err)
	}
	return true, t.take(ctx, 0)
}

// holding finds the deployment with that fingerprint, if it can take traffic: parked it has another.
func holding(there []azure.Deployment, fingerprint string) *azure.Deployment {
	for i := range there {
		if d := &there[i]; d.Fingerprint == fingerprint && d.State == online.Succeeded {
			return d
		}
	}
	return nil
}

// undone names what loses the traffic: the rollout that made it live or, where none is known, who
// has moved the traffic.
func undone(e online.Endpoint, there []azure.Deployment) string {
	if d := find(there, e.Traffic.Live()); d != nil && d.Tags[online.TagRollout] != "" {
		return d.Tags[online.TagRollout]
	}
	return fmt.Sprintf("the traffic %s, which no rollout has set", e.Traffic)
}
