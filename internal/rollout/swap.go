package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hotswap/internal/online"
)

// Swap gives the candidate of a rollout the traffic, by the strategy. id "" means the newest
// rollout. One that was cut off on its way goes on, by the strategy that it began with. Where the
// candidate is live already it changes nothing, and already is true.
func (r *Runner) Swap(ctx context.Context, id string, force bool, s Strategy) (state State, already bool, err error) {
	t, err := r.rejoin(ctx, id, false)
	if err != nil {
		return State{}, false, err
	}
	if t.state.Phase.Terminal() {
		return t.settled(ctx)
	}
	err = t.swap(ctx, force, s)
	return t.state, false, err
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
	if s.standing(e) != atAfter {
		return s, false, online.Errorf(online.Refused,
			"rollout %s went live, and the traffic has moved since: it is %s; start a new rollout", s.ID, e.Traffic)
	}
	return s, true, t.unchanged(ctx)
}

// swap takes a tested candidate to its end.
func (t *turn) swap(ctx context.Context, force bool, s Strategy) error {
	if !t.state.Phase.carries() && t.state.Phase != Retiring {
		if err := t.verdictStands(force); err != nil {
			return t.drop(ctx, err)
		}
		if err := t.adopt(ctx, s); err != nil {
			return t.drop(ctx, err)
		}
	}
	return t.proceed(ctx)
}

// proceed takes the rollout from the phase that it is in to its end. It is all that a resumed
// rollout needs.
func (t *turn) proceed(ctx context.Context) error {
	for {
		var err error
		switch t.state.Phase {
		case Deployed, Tested:
			err = t.begin(ctx)
		case Swapping:
			err = t.retake(ctx)
		case Watching, Paused:
			err = t.watch(ctx)
		case RollingBack:
			err = t.goBack(ctx)
		case Retiring:
			err = t.retire(ctx)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// verdictStands requires a passing verdict for exactly the candidate.
func (t *turn) verdictStands(force bool) error {
	s := t.state
	if !slices.Contains([]Phase{Deployed, Tested}, s.Phase) {
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

// begin is the first write: until then the rollout may be refused with nothing to undo but the slot.
func (t *turn) begin(ctx context.Context) error {
	if err := t.unchanged(ctx); err != nil {
		return t.leave(ctx, err)
	}
	switch by, _, err := t.decided(ctx); {
	case err != nil:
		return t.drop(ctx, err)
	case by != "":
		return t.refuse(ctx, Refused, online.Errorf(online.Refused, "%s", by))
	}
	return t.take(ctx, 0)
}

// take writes a step's traffic, if the endpoint is as the step starts from.
func (t *turn) take(ctx context.Context, step int) error {
	t.state.Step = step
	e, at, err := t.ready(ctx)
	switch {
	case isMoved(err):
		return t.halt(ctx, err)
	case online.CodeOf(err) == online.Refused && step == 0:
		return t.refuse(ctx, Refused, err)
	case online.CodeOf(err) == online.Refused: // where there is no way back, that halts
		return t.rollBack(ctx, err.Error())
	case err != nil:
		return t.drop(ctx, err)
	}
	t.state.Written = t.Cloud.Now()
	if err := t.enter(ctx, Swapping); err != nil {
		return t.drop(ctx, err)
	}
	if at == atAfter {
		return t.arrive(ctx, e)
	}
	return t.send(ctx, e)
}

// retake goes on with a write that was cut off: it may have happened. The first one, if it has not,
// needs a candidate that is still the one that was tested.
func (t *turn) retake(ctx context.Context) error {
	e, err := t.found(ctx)
	if err != nil {
		return t.drop(ctx, err)
	}
	if t.state.standing(e) == atAfter {
		return t.arrive(ctx, e)
	}
	if t.state.Step == 0 {
		return t.begin(ctx)
	}
	return t.take(ctx, t.state.Step)
}

// send writes, and goes on by what became of it.
func (t *turn) send(ctx context.Context, e online.Endpoint) error {
	e, err := t.write(ctx, e)
	if err == nil {
		return t.arrive(ctx, e)
	}
	_, not := errors.AsType[notTakenError](err)
	switch {
	case not && t.state.Step == 0:
		return t.refuse(ctx, Failed, err)
	case not:
		return t.rollBack(ctx, err.Error())
	}
	return t.lost(ctx, err)
}

// lost ends a turn whose write did not go as planned: halted where someone else wrote, else left
// for the next one to find out.
func (t *turn) lost(ctx context.Context, err error) error {
	if isMoved(err) {
		return t.halt(ctx, err)
	}
	return t.drop(ctx, err)
}

func isMoved(err error) bool {
	_, is := errors.AsType[movedError](err)
	return is
}

// arrive goes on from a step whose traffic was read back.
func (t *turn) arrive(ctx context.Context, e online.Endpoint) error {
	t.state.Traffic, t.state.InForce = t.state.to().traffic, t.Cloud.Now().Add(max(0, lag(e, t.Cloud.Now())))
	s := t.state.Plan.Strategy
	if s.watchTime(t.state.Step) == 0 {
		return t.retireOrEnd(ctx)
	}
	if err := t.enter(ctx, Watching); err != nil {
		return t.drop(ctx, err)
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

// halt stops for good, with everything left as it is: err says what that is.
func (t *turn) halt(ctx context.Context, err error) error {
	return t.endWith(ctx, Failed, online.Errorf(online.Conflict, "%w", err))
}

// promoted closes the rollout: what it planned is what was read.
func (t *turn) promoted(ctx context.Context, note string) error {
	if err := t.end(ctx, Promoted, note); err != nil {
		return fmt.Errorf("the traffic is %s as planned, and that could not be saved, which the next rollout will do: %w", t.state.Plan.After, err)
	}
	t.Say("swap: done, the traffic is %s", t.state.Plan.After)
	if t.state.Plan.Undoes == "" {
		t.Say("%s", t.state.Plan.allocated())
	}
	return nil
}
