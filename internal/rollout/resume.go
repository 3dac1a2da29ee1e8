package rollout

import (
	"context"
	"time"

	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Resume goes on with a rollout whose pipeline has ended on the way: it takes a tested candidate
// to its end, watches a step that carries traffic, or finishes going back. A candidate without a
// verdict is undone, which is Refused. id "" means the newest rollout.
func (r *Runner) Resume(ctx context.Context, id string) (State, error) {
	t, err := r.regain(ctx, id)
	if err != nil {
		return t.last(), err
	}
	s := &t.state
	switch {
	case s.Phase.carries(), s.Phase == Retiring, s.Phase == Tested && len(s.Plan.Strategy.Steps) > 0:
		t.Say("rollout %s: resumed, it was cut off when %s", s.ID, s.Phase)
		err = t.proceed(ctx)
		return t.state, err
	case s.Phase == Tested:
		return t.state, t.drop(ctx, online.Errorf(online.Refused, "rollout %s waits for its swap: run hotswap swap", s.ID))
	case s.Phase == Deployed && len(s.Plan.Strategy.Steps) == 0:
		return t.state, t.drop(ctx, online.Errorf(online.Refused, "rollout %s waits for its test: run hotswap test", s.ID))
	}
	err = t.cancel(ctx, "cut off before its test had passed", online.Refused)
	return t.state, err
}

// regain takes the lock for a rollout that is not over.
func (r *Runner) regain(ctx context.Context, id string) (*turn, error) {
	t, err := r.rejoin(ctx, id, true)
	if err != nil {
		return nil, err
	}
	if s := t.state; s.Phase.Terminal() {
		return t, online.Errorf(online.Refused, "rollout %s is over: it is %s", s.ID, s.Phase)
	}
	return t, nil
}

// cancel undoes a rollout that has moved no traffic: the slot is given back what it held. It
// returns an error of that code, which tells that it was undone.
func (t *turn) cancel(ctx context.Context, reason string, code online.Code) error {
	t.state.Reason = reason
	if err := t.abandon(ctx, true); err != nil {
		return t.drop(ctx, err)
	}
	if !t.state.Phase.Terminal() {
		return t.drop(ctx, online.Errorf(online.Internal, "rollout %s is left open: %s", t.state.ID, reason))
	}
	return online.Errorf(code, "rollout %s was undone: %s", t.state.ID, reason)
}

// How often a rollout that another process runs is looked at.
const followEvery = 500 * time.Millisecond

// Promote lets a rollout go on that is paused. Where a process waits for that it goes on there;
// else it goes on here, to its end.
func (r *Runner) Promote(ctx context.Context, id string) (State, error) {
	_, s, _, err := r.newest(ctx, id)
	if err != nil {
		return s, err
	}
	if s.Phase != Paused {
		return s, online.Errorf(online.Refused, "rollout %s is not paused: it is %s", s.ID, s.Phase)
	}
	d := journal.Decision{Rollout: s.ID, Kind: journal.Promote, Step: s.Step}
	s, err = r.decide(ctx, d, func(now State) bool { return now.Phase != Paused || now.Step != s.Step })
	if err == nil && (s.Phase == RollingBack || s.Phase == Restoring || s.Phase == RolledBack) {
		err = online.Errorf(online.RolledBack, "rollout %s goes back instead: %s", s.ID, s.Reason)
	}
	return s, err
}

// Abort ends a rollout: one that has moved traffic is rolled back, any other is undone. Where a
// process runs it, that is done there.
func (r *Runner) Abort(ctx context.Context, id, reason string) (State, error) {
	_, s, _, err := r.newest(ctx, id)
	if err != nil {
		return s, err
	}
	if s.Phase.Terminal() {
		return s, online.Errorf(online.Refused, "rollout %s is over: it is %s", s.ID, s.Phase)
	}
	d := journal.Decision{Rollout: s.ID, Kind: journal.Abort, Reason: reason}
	s, err = r.decide(ctx, d, func(now State) bool { return now.Phase.Terminal() })
	switch {
	case err != nil:
	case s.Phase == Promoted:
		err = online.Errorf(online.Conflict, "too late: rollout %s is promoted; hotswap rollback takes it back", s.ID)
	case s.Phase == Failed:
		err = online.Errorf(online.Conflict, "rollout %s could not be taken back: %s", s.ID, s.Reason)
	}
	return s, err
}

// decide records what a person wants, and waits until it is done, by the process that runs the
// rollout or, where none does, by this one.
func (r *Runner) decide(ctx context.Context, d journal.Decision, done func(State) bool) (State, error) {
	d.By, d.Time = Self().Name, time.Now().UTC()
	if _, err := r.Journal.Decide(ctx, d); err != nil {
		return State{}, err
	}
	for said := false; ; said = true {
		_, s, _, err := r.newest(ctx, d.Rollout)
		if err != nil || done(s) {
			return s, err
		}
		l, err := r.Journal.Lock(ctx)
		if err != nil {
			return s, err
		}
		if !atWork(l, s.ID) {
			s, err := r.carryOut(ctx, d)
			if online.CodeOf(err) != online.Locked || l.Held && l.Rollout != d.Rollout {
				return s, err
			} // else another one carries out what was decided
		} else if !said {
			r.Say("%s runs rollout %s and is to do it; if that process is gone, it is done here once its lock ends, at %s, or is freed with hotswap unlock --force",
				l.Holder.Name, s.ID, l.Expires.UTC().Format(time.RFC3339))
		}
		if err := sleep(ctx, followEvery); err != nil {
			return s, err
		}
	}
}

// carryOut does what was decided about a rollout that nobody runs.
func (r *Runner) carryOut(ctx context.Context, d journal.Decision) (State, error) {
	t, err := r.regain(ctx, d.Rollout)
	switch {
	case t.last().Phase.Terminal(): // its process has ended it meanwhile
		return t.state, nil
	case err != nil:
		return t.last(), err
	}
	switch p := t.state.Phase; {
	case d.Kind == journal.Abort && p.carries() && p != RollingBack:
		err = t.undo(ctx, d.String())
	case p.carries(), p == Retiring:
		err = t.proceed(ctx)
	default:
		err = t.cancel(ctx, d.String(), online.RolledBack)
	}
	if d.Kind == journal.Abort && t.state.Phase.Terminal() && t.state.Phase != Failed {
		err = nil // it ended as it was asked to
	}
	return t.state, err
}
