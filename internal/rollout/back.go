package rollout

import (
	"context"
	"errors"
	"time"

	"hotswap/internal/online"
)

// rollBack begins to restore the traffic from before, because of reason.
func (t *turn) rollBack(ctx context.Context, reason string) error {
	t.state.Reason = reason
	t.Say("rolling back: %s", reason)
	if err := t.enter(ctx, RollingBack); err != nil {
		return t.drop(ctx, err)
	}
	return nil
}

// How often going back is tried, and what lies between two tries: with a management plane that is
// away for some minutes, nobody else would do it.
const (
	backTries = 60
	backEvery = 5 * time.Second
)

// goBack restores the traffic from before, if its deployments are still there unchanged and
// healthy, and gives the slot back what it held. Else the candidate may be the only healthy copy:
// it halts and leaves the traffic as it is, since traffic never goes to 0.
func (t *turn) goBack(ctx context.Context) error {
	e, err := t.back(ctx)
	for try := 1; err != nil && worthRepeating(err) && !isMoved(err) && try < backTries; try++ {
		t.Say("rolling back: %v; trying again", err)
		if err := sleep(ctx, backEvery); err != nil {
			return t.drop(ctx, err)
		}
		e, err = t.back(ctx)
	}
	switch {
	case err == nil:
		return t.isBack(ctx, e)
	case online.CodeOf(err) == online.Refused:
		return t.stay(ctx, e, err)
	}
	return t.lost(ctx, err)
}

// back tries once.
func (t *turn) back(ctx context.Context) (online.Endpoint, error) {
	e, err := t.quietEndpoint(ctx)
	if err != nil {
		return e, err
	}
	switch t.state.standing(e) {
	case atOther:
		return e, t.moved(e)
	case atAfter:
		return e, nil
	}
	if err := t.wayBack(ctx); err != nil {
		return e, err
	}
	return t.write(ctx, e)
}

// wayBack requires that what had the traffic before can take it again.
func (t *turn) wayBack(ctx context.Context) error {
	if t.state.Plan.Before.Traffic.Closed() {
		return online.Errorf(online.Refused, "nothing was live before")
	}
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	return healthy(there, t.state.Plan.Before)
}

// stay halts where there is no way back.
func (t *turn) stay(ctx context.Context, e online.Endpoint, err error) error {
	return t.halt(ctx, online.Errorf(online.Conflict, "%s; and there is no way back: %w; %s may be the only healthy copy, so the traffic is left at %s: mend it with hotswap rollout, or move the traffic by hand",
		t.state.Reason, err, t.state.Candidate.Deployment, e.Traffic))
}

// isBack gives the slot back what it held, and tells that the rollout was rolled back.
func (t *turn) isBack(ctx context.Context, e online.Endpoint) error {
	t.state.Traffic = t.state.to().traffic
	t.Say("rolled back: the traffic is %s", t.state.Traffic)
	if t.state.Plan.Displaced != nil {
		if err := t.awaitQuiet(ctx, e); err != nil {
			return t.drop(ctx, err)
		}
	}
	return t.refuse(ctx, RolledBack, online.Errorf(online.RolledBack, "%w", errors.New(t.state.Reason)))
}
