package rollout

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// settleLast closes the newest rollout of the journal if it was cut off, and returns it. The lock is
// ours, so nobody works on it any more. giveBack asks that its slot is given back what it held;
// without it that is left to whoever takes the slot next.
func (t *turn) settleLast(ctx context.Context, giveBack bool) (State, error) {
	group, s, seq, err := t.newest(ctx, "")
	switch {
	case online.CodeOf(err) == online.NotFound:
		return State{}, nil
	case err != nil || s.Phase.Terminal():
		return State{}, err
	}
	t.Say("rollout %s was cut off when %s", s.ID, s.Phase)
	s.Fence = t.state.Fence
	cut := &turn{Runner: t.Runner, lease: t.lease, state: s, begun: group.Fence, seq: seq, settling: true}
	err = cut.settle(ctx, giveBack)
	if cut.state.Phase.Terminal() {
		return cut.state, nil // how it ended was told, and is not how this one ends
	}
	return State{}, err
}

// settle resumes the rollout if nothing is left to be judged, and undoes it otherwise.
func (t *turn) settle(ctx context.Context, giveBack bool) error {
	switch t.state.Phase {
	case Swapping:
		return t.settleSwap(ctx, giveBack)
	case Watching, Paused:
		return t.settleWatch(ctx)
	case RollingBack, Retiring:
		t.Say("rollout %s: resumed, it goes on %s", t.state.ID, t.state.Phase)
		return t.proceed(ctx)
	}
	return t.abandon(ctx, giveBack)
}

// settleSwap looks where a write that was cut off has left the traffic.
func (t *turn) settleSwap(ctx context.Context, giveBack bool) error {
	e, err := t.found(ctx)
	if online.CodeOf(err) == online.NotFound {
		return t.end(ctx, Failed, "cut off, and the endpoint is gone since")
	}
	if err != nil {
		return err
	}
	at := t.state.standing(e)
	last := t.state.Step >= len(t.state.Plan.Strategy.Steps)-1
	switch {
	case at == atOther:
		return t.end(ctx, Failed, "cut off, and the traffic was moved since")
	case at == atAfter && e.State != online.Succeeded:
		return online.Errorf(online.Conflict, "rollout %s was cut off in its swap, which is %s: set the traffic by hand", t.state.ID, e.State)
	case at == atAfter && last && t.state.Plan.Strategy.watchTime(t.state.Step) == 0:
		t.Say("rollout %s: resumed, its swap had happened: the traffic is %s", t.state.ID, e.Traffic)
		if err := t.arrive(ctx, e); err != nil {
			return err
		}
		return t.proceed(ctx)
	case at == atBefore && t.state.Step == 0:
		return t.abandon(ctx, giveBack)
	}
	return t.undo(ctx, "cut off on the way to "+t.state.to().traffic.String())
}

// settleWatch judges a bake that was cut off by its metrics, once. A step before the last is
// undone: its rollout would not go on by itself.
func (t *turn) settleWatch(ctx context.Context) error {
	st := t.state.Plan.Strategy
	if t.state.Phase == Watching && t.state.Step == len(st.Steps)-1 {
		o, err := t.observe(ctx)
		if err != nil {
			return t.lost(ctx, err)
		}
		if act, a := t.state.next(o); act == finish {
			t.Say("rollout %s: resumed, its bake has passed: %s", t.state.ID, a)
			if err := t.act(ctx, act, a); err != nil {
				return err
			}
			return t.proceed(ctx)
		}
	}
	return t.undo(ctx, fmt.Sprintf("cut off while %s at %d %%", t.state.Phase, st.Steps[t.state.Step]))
}

// undo restores the traffic from before.
func (t *turn) undo(ctx context.Context, reason string) error {
	t.Say("rollout %s: undone", t.state.ID)
	if err := t.rollBack(ctx, reason); err != nil {
		return err
	}
	return t.proceed(ctx)
}

// abandon closes a rollout that wrote no traffic. A rollback has written nothing at all.
func (t *turn) abandon(ctx context.Context, giveBack bool) error {
	if t.state.Plan.Undoes == "" {
		if _, err := t.quiet(ctx); err != nil && online.CodeOf(err) != online.NotFound {
			return err
		}
	}
	if giveBack || t.state.Ends == RolledBack {
		if err := t.restore(ctx); online.CodeOf(err) == online.Stale {
			return err
		} else if err != nil {
			t.Say("slot %s could not be given back what it held: %v", t.state.Plan.Slot, err)
			return nil // left open: the next try may
		}
	}
	if t.state.Ends == RolledBack {
		t.Say("rollout %s: resumed, its traffic was rolled back before", t.state.ID)
		return t.end(ctx, RolledBack, t.state.Reason)
	}
	t.Say("rollout %s: undone, it had moved no traffic", t.state.ID)
	return t.end(ctx, Abandoned, cmp.Or(t.state.Reason, "cut off before it moved any traffic"))
}

// displaced is what the slot held before candidates that did not make it took it: what stands
// there now, or what the abandoned rollout that put it there had displaced.
func (t *turn) displaced(ctx context.Context, there *azure.Deployment) (*online.Deployment, error) {
	if there == nil {
		return nil, nil
	}
	if id := there.Tags[online.TagRollout]; id != "" {
		_, s, _, err := t.newest(ctx, id)
		switch {
		case err != nil && online.CodeOf(err) != online.NotFound:
			return nil, err
		case err == nil && s.Phase == Abandoned:
			return s.Plan.Displaced, nil
		}
	}
	if there.State != online.Succeeded {
		return nil, nil
	}
	return &there.Deployment, nil
}

// How long an operation that a dead pipeline began may take, and how often it is looked at.
const (
	quietTime  = 30 * time.Minute
	quietEvery = time.Second
)

// quiet waits until no operation runs on the slot's deployment.
func (t *turn) quiet(ctx context.Context) (d azure.Deployment, err error) {
	err = poll(ctx, quietTime, quietEvery, func() (bool, error) {
		d, err = t.Cloud.Deployment(ctx, t.Endpoint, t.state.Plan.Slot)
		return !d.State.Busy(), err
	})
	return d, err
}

// quietEndpoint waits until no operation runs on the endpoint.
func (t *turn) quietEndpoint(ctx context.Context) (e online.Endpoint, err error) {
	err = poll(ctx, quietTime, quietEvery, func() (bool, error) {
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		return !e.State.Busy(), err
	})
	return e, err
}
