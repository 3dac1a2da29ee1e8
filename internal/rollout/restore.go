package rollout

import (
	"context"
	"strconv"

	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
)

// refuse ends the rollout without its candidate: the slot is given back what it held, since
// that may be the only copy that a rollback could return to. It returns err, with what went
// wrong on the way; what could not be given back leaves the rollout open, for the next one to settle.
func (t *turn) refuse(ctx context.Context, p Phase, err error) error {
	if online.CodeOf(err) == online.Stale {
		return t.drop(ctx, err) // another rollout has the lock: nothing here is ours to write
	}
	t.state.Reason, t.state.Ends = err.Error(), p
	if e := t.restore(ctx); e != nil {
		code := online.Internal
		if p == RolledBack {
			code = online.RolledBack // the traffic is safe
		}
		return t.drop(ctx, online.Errorf(code,
			"%w; and the slot does not hold again what it held, the next rollout or rollback sees to that: %w", err, e))
	}
	return t.endWith(ctx, p, err)
}

// restore puts back what the slot held, if the slot still holds what this rollout put there.
// An update in place keeps the time of creation, so what is put back has its old fingerprint.
func (t *turn) restore(ctx context.Context) error {
	displaced := t.state.Plan.Displaced
	if displaced == nil {
		return nil
	}
	kept, stop := t.lease.keep(ctx)
	defer stop()
	ours, err := t.holdsOurs(kept)
	if err != nil || !ours {
		return err
	}
	if err := t.enter(kept, Restoring); err != nil {
		return err
	}
	t.Say("slot %s: putting back %s", displaced.Name, displaced.Model)
	crashpoint.At("rollout.restore.before")
	_, err = t.Cloud.PutDeployment(kept, t.fenced(*displaced))
	crashpoint.At("rollout.restore.after")
	if err != nil {
		return cause(kept, err)
	}
	_, err = t.confirm(kept, *displaced)
	return err
}

// fenced gives a deployment our fence, which is no part of its fingerprint, and leaves all its
// other tags as they were.
func (t *turn) fenced(d online.Deployment) online.Deployment {
	d.Tags = overlay(d.Tags, map[string]string{online.TagFence: strconv.FormatInt(t.state.Fence, 10)})
	return d
}

// holdsOurs reports whether the slot holds this rollout's deployment as it was put, and no traffic.
func (t *turn) holdsOurs(ctx context.Context) (bool, error) {
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return false, err
	}
	if e.Traffic.Share(t.state.Plan.Slot) > 0 {
		return false, nil
	}
	d, err := t.quiet(ctx)
	if online.CodeOf(err) == online.NotFound {
		return false, nil
	}
	known := t.state.Candidate.Fingerprint // "" where the reply to its PUT was lost
	return err == nil && d.Tags[online.TagRollout] == t.state.ID && (known == "" || known == d.Fingerprint), err
}

// awaitShown waits for a write whose reply was lost to show, as long as a read of it may be late: else
// what the slot held before would be taken for what it holds, and not be put back.
func (t *turn) awaitShown(ctx context.Context, d online.Deployment) {
	_ = poll(ctx, staleTime, staleEvery, func() (bool, error) { // it may never show: then it was not taken
		e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
		if err == nil && e.Properties[online.RoutesAtOnce] != "" {
			return true, nil
		}
		there, err := t.Cloud.Deployment(ctx, t.Endpoint, d.Name)
		return err == nil && there.Tags[online.TagRollout] == d.Tags[online.TagRollout], nil
	})
}
