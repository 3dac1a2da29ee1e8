package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
)

// routingLag is how long, where nothing is said, an endpoint may route by the traffic of before.
// Our reading of Azure, where up to ten seconds were seen; half as much again is the margin.
const routingLag = 15 * time.Second

// Swap gives the candidate of a rollout all the traffic. id "" means the newest rollout. Where
// that is already so it changes nothing, and already is true.
func (r *Runner) Swap(ctx context.Context, id string, force bool) (s State, already bool, err error) {
	t, err := r.rejoin(ctx, id)
	if err != nil {
		return State{}, false, err
	}
	if t.state.Phase.Terminal() {
		return t.settled(ctx)
	}
	return t.state, false, t.swap(ctx, force)
}

// settled answers a swap of a rollout that is over: fine if its deployment, as it was then, is what is live.
func (t *turn) settled(ctx context.Context) (State, bool, error) {
	s := t.state
	if s.Phase != Promoted {
		return s, false, online.Errorf(online.Refused, "rollout %s is over (%s: %s); start a new one", s.ID, s.Phase, s.Reason)
	}
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return s, false, err
	}
	if s.Plan.standing(e) != atAfter {
		return s, false, online.Errorf(online.Refused,
			"rollout %s went live, and the traffic has moved since: it is %s; start a new rollout", s.ID, e.Traffic)
	}
	return s, true, t.unchanged(ctx)
}

// swap is the hot swap. It is a desired state, not a toggle: it reads, requires what the plan
// started from, writes what the plan ends at, and reads again. Repeating it changes nothing.
func (t *turn) swap(ctx context.Context, force bool) error {
	if err := t.verdictStands(force); err != nil {
		return t.drop(ctx, err)
	}
	if t.state.Phase == Swapping { // cut off: the write may have happened
		e, err := t.moved(ctx)
		switch {
		case err != nil:
			return t.drop(ctx, err)
		case t.state.Plan.standing(e) == atAfter:
			return t.promoted(ctx)
		}
	}
	if err := t.unchanged(ctx); err != nil {
		return t.leave(ctx, err)
	}
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return t.drop(ctx, err)
	}
	switch t.state.Plan.standing(e) {
	case atOther:
		return t.halt(ctx, e)
	case atAfter:
		return t.promoted(ctx)
	}
	return t.move(ctx, e)
}

// move requires what the plan starts from, and writes what it ends at.
func (t *turn) move(ctx context.Context, e online.Endpoint) error {
	err := t.beforeStands(ctx, e)
	switch {
	case online.CodeOf(err) == online.Refused:
		return t.refuse(ctx, Refused, err)
	case err != nil:
		return t.drop(ctx, err)
	}
	if err := t.enter(ctx, Swapping); err != nil {
		return t.drop(ctx, err)
	}
	return t.write(ctx, e)
}

// verdictStands requires a passing verdict for exactly the candidate.
func (t *turn) verdictStands(force bool) error {
	s := t.state
	if !slices.Contains([]Phase{Deployed, Tested, Swapping}, s.Phase) {
		return online.Errorf(online.Refused, "rollout %s has no candidate: it is %s; run hotswap deploy again", s.ID, s.Phase)
	}
	if !s.passed() && !force {
		return online.Errorf(online.Refused, "rollout %s has no passing test of %s; run hotswap test", s.ID, s.Candidate.Deployment)
	}
	if t.state.Forced = !s.passed(); t.state.Forced {
		t.Say("swap: forced, without a passing test of %s", s.Candidate.Deployment)
	}
	return nil
}

// leave ends the rollout if its candidate was changed by someone else. The slot is left as they
// made it.
func (t *turn) leave(ctx context.Context, err error) error {
	if online.CodeOf(err) != online.Refused {
		return t.drop(ctx, err)
	}
	return t.endWith(ctx, Refused, err)
}

// beforeStands requires that the endpoint and whatever carries its traffic are as planned from.
func (t *turn) beforeStands(ctx context.Context, e online.Endpoint) error {
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	now, err := snapshot(e, there)
	if err != nil {
		return err
	}
	before := t.state.Plan.Before
	for name, fingerprint := range before.Fingerprints {
		if now.Fingerprints[name] != fingerprint {
			return online.Errorf(online.Refused, "deployment %s, which is live, was changed since the plan was made", name)
		}
	}
	if !now.Equal(before) {
		return online.Errorf(online.Refused, "the traffic is %s, the plan was made for %s", now.Traffic, before.Traffic)
	}
	return nil
}

// write puts the planned traffic and believes only what it reads afterwards: a reply may be
// lost after the effect, and is never answered by sending again.
func (t *turn) write(ctx context.Context, e online.Endpoint) error {
	e.Traffic, e.Mirror, e.Tags = t.state.Plan.After, t.state.Plan.Mirror, t.tags(e.Tags)
	if err := t.lease.outlives(ctx, 1); err != nil {
		return t.drop(ctx, err)
	}
	t.Say("swap: %s to %s", t.state.Plan.Before.Traffic, e.Traffic)
	crashpoint.At("rollout.traffic.before")
	kept, stop := t.lease.keep(ctx)
	defer stop()
	_, wrote := t.Cloud.PutEndpoint(kept, e)
	crashpoint.At("rollout.traffic.after")
	return t.believe(kept, wrote)
}

// believe reads until the endpoint shows what was written, or is quiet and does not.
func (t *turn) believe(ctx context.Context, wrote error) error {
	var e online.Endpoint
	err := poll(ctx, staleTime, staleEvery, func() (bool, error) {
		var err error
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		if err != nil {
			return false, ignoreUnavailable(err)
		}
		standing := t.state.Plan.standing(e)
		return standing == atOther && !e.State.Busy() || standing == atAfter && e.State == online.Succeeded, nil
	})
	switch standing := t.state.Plan.standing(e); {
	case err == nil && standing == atAfter:
		return t.promoted(ctx)
	case err == nil:
		return t.halt(ctx, e)
	case ctx.Err() != nil: // interrupted: no read was the last
	case wrote != nil && standing == atBefore && !e.State.Busy() && e.Name != "":
		return t.refuse(ctx, Failed, fmt.Errorf("the swap was not taken, the traffic is as before: %w", wrote))
	case wrote != nil:
		err = wrote
	}
	return t.drop(ctx, fmt.Errorf("the swap's outcome is not known: %w; the next rollout will find out", err))
}

// ignoreUnavailable lets a read be tried again.
func ignoreUnavailable(err error) error {
	if online.CodeOf(err) == online.Unavailable {
		return nil
	}
	return err
}

// promoted closes the rollout: what it planned is what was read.
func (t *turn) promoted(ctx context.Context) error {
	if err := t.end(ctx, Promoted, ""); err != nil {
		return fmt.Errorf("the traffic is %s as planned, and that could not be saved, which the next rollout will do: %w", t.state.Plan.After, err)
	}
	t.Say("swap: done, the traffic is %s", t.state.Plan.After)
	return nil
}

// halt stops before an endpoint that someone else has written: it must not fight.
func (t *turn) halt(ctx context.Context, e online.Endpoint) error {
	err := online.Errorf(online.Conflict, "the traffic is %s, neither what it was (%s) nor what was planned (%s): someone else moved it; nothing more is done",
		e.Traffic, t.state.Plan.Before.Traffic, t.state.Plan.After)
	return t.endWith(ctx, Failed, err)
}

// lag is how much longer the endpoint may route by the traffic of before.
func lag(e online.Endpoint, now time.Time) time.Duration {
	switch {
	case e.Properties[online.RoutesAtOnce] != "":
		return 0
	case e.ModifiedAt.IsZero(): // unknown is not long ago
		return routingLag
	}
	return min(e.ModifiedAt.Add(routingLag).Sub(now), routingLag)
}

// awaitQuiet waits, where routes follow the traffic late, until the slot is sure to get none.
// What is written into a slot while clients still reach it would be live without a test.
func (t *turn) awaitQuiet(ctx context.Context, e online.Endpoint) error {
	wait := lag(e, time.Now())
	if wait <= 0 {
		return nil
	}
	t.Say("slot %s: waiting %v, its last requests may still be on their way", t.state.Plan.Slot, wait.Round(time.Second))
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
