package rollout

import (
	"context"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// settleLast closes the newest rollout of the journal if it was cut off. The lock is ours, so
// nobody works on it any more. giveBack asks that its slot is given back what it held; without
// it that is left to whoever takes the slot next.
func (t *turn) settleLast(ctx context.Context, giveBack bool) error {
	groups, err := t.Journal.Rollouts(ctx)
	if err != nil || len(groups) == 0 {
		return err
	}
	entries, err := t.Journal.Entries(ctx, groups[0])
	if err != nil {
		return err
	}
	s, err := last(entries)
	if err != nil || s.Phase.Terminal() {
		return err
	}
	t.Say("rollout %s was cut off when %s", s.ID, s.Phase)
	cut := &turn{Runner: t.Runner, lease: t.lease, state: s, seq: len(entries)}
	return cut.settle(ctx, giveBack)
}

// settle resumes the rollout if its traffic was written, and undoes it otherwise.
func (t *turn) settle(ctx context.Context, giveBack bool) error {
	if t.state.Phase != Swapping {
		return t.abandon(ctx, giveBack)
	}
	e, err := t.moved(ctx)
	if online.CodeOf(err) == online.NotFound {
		t.state.Reason = "cut off, and the endpoint is gone since"
		return t.enter(ctx, Failed)
	}
	if err != nil {
		return err
	}
	switch t.state.Plan.standing(e) {
	case atAfter:
		if e.State != online.Succeeded {
			return online.Errorf(online.Conflict, "rollout %s was cut off in its swap, which is %s: set the traffic by hand", t.state.ID, e.State)
		}
		t.Say("rollout %s: resumed, its swap had happened: the traffic is %s", t.state.ID, e.Traffic)
		return t.enter(ctx, Promoted)
	case atBefore:
		return t.abandon(ctx, giveBack)
	}
	t.state.Reason = "cut off, and the traffic was moved since"
	return t.enter(ctx, Failed)
}

// moved reads the endpoint until it shows that the traffic was moved. Where it does not, a read
// may lag behind the write, unless the server says that it never does.
func (t *turn) moved(ctx context.Context) (online.Endpoint, error) {
	e, err := t.quietEndpoint(ctx)
	if err != nil || e.Properties[online.RoutesAtOnce] != "" {
		return e, err
	}
	start := time.Now()
	err = poll(ctx, quietTime, staleEvery, func() (bool, error) {
		var err error
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		known := t.state.Plan.standing(e) != atBefore || time.Since(start) > staleTime
		return known && !e.State.Busy(), err
	})
	return e, err
}

// abandon closes a rollout that wrote no traffic. A rollback has written nothing at all.
func (t *turn) abandon(ctx context.Context, giveBack bool) error {
	if t.state.Plan.Undoes == "" {
		if _, err := t.quiet(ctx); err != nil && online.CodeOf(err) != online.NotFound {
			return err
		}
	}
	if giveBack {
		if err := t.restore(ctx); online.CodeOf(err) == online.Stale {
			return err
		} else if err != nil {
			t.Say("slot %s could not be given back what it held: %v", t.state.Plan.Slot, err)
			return nil // left open: the next try may
		}
	}
	t.Say("rollout %s: undone, it had moved no traffic", t.state.ID)
	t.state.Reason = "cut off before it moved any traffic"
	return t.enter(ctx, Abandoned)
}

// displaced is what the slot held before candidates that did not make it took it: what stands
// there now, or what the abandoned rollout that put it there had displaced.
func (t *turn) displaced(ctx context.Context, there *azure.Deployment) (*online.Deployment, error) {
	if there == nil {
		return nil, nil
	}
	if id := there.Tags[online.TagRollout]; id != "" {
		_, entries, err := t.find(ctx, id)
		if err != nil && online.CodeOf(err) != online.NotFound {
			return nil, err
		}
		if s, err := last(entries); err == nil && s.Phase == Abandoned {
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
