package rollout

import (
	"context"
	"fmt"
	"maps"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/crashpoint"
	"hotswap/internal/online"
)

// routing is what one write of the traffic sets.
type routing struct {
	traffic online.Traffic
	mirror  online.Mirror
}

func (r routing) shownBy(e online.Endpoint) bool {
	return e.Traffic.Equal(r.traffic) && e.Mirror == r.mirror
}

// routing of a step; of the one before the first it is what the plan starts from.
func (p Plan) routing(step int) routing {
	if step < 0 {
		return routing{p.Before.Traffic, p.Before.Mirror}
	}
	return routing{p.at(step), p.Mirror}
}

// from and to are what the write of the phase starts from and ends at.
func (s State) from() routing {
	if s.Phase == RollingBack {
		return s.Plan.routing(s.Step)
	}
	return s.Plan.routing(s.Step - 1)
}

func (s State) to() routing {
	if s.Phase == RollingBack {
		return s.Plan.routing(-1)
	}
	return s.Plan.routing(s.Step)
}

// A standing says where an endpoint's traffic is, seen from a write of it.
type standing int

const (
	atBefore standing = iota // the write has not happened
	atAfter                  // it has
	atOther                  // someone else wrote
)

func (s State) standing(e online.Endpoint) standing {
	switch {
	case s.to().shownBy(e):
		return atAfter
	case s.from().shownBy(e), s.Phase == RollingBack && s.ours(e):
		return atBefore
	}
	return atOther
}

// ours reports whether the endpoint shows the traffic of one of the rollout's steps: of a write
// that was cut off it is not known which one is in force.
func (s State) ours(e online.Endpoint) bool {
	for step := range s.Plan.Strategy.Steps {
		if s.Plan.routing(step).shownBy(e) {
			return true
		}
	}
	return false
}

// required is what the endpoint must be like for the step to be written.
func (s State) required() Snapshot {
	from := s.from()
	want := Snapshot{from.traffic, from.mirror, maps.Clone(s.Plan.Before.Fingerprints)}
	if from.traffic.Share(s.Candidate.Deployment) > 0 {
		want.Fingerprints[s.Candidate.Deployment] = s.Candidate.Fingerprint
	}
	return want
}

// stands requires that the endpoint, and whatever carries its traffic, is as the step starts from.
func (t *turn) stands(ctx context.Context, e online.Endpoint) error {
	there, err := t.Cloud.Deployments(ctx, t.Endpoint)
	if err != nil {
		return err
	}
	now, err := snapshot(e, there)
	if err != nil {
		return err
	}
	want := t.state.required()
	for name, fingerprint := range want.Fingerprints {
		if now.Fingerprints[name] != fingerprint {
			return online.Errorf(online.Refused, "deployment %s, which is live, was changed since the plan was made", name)
		}
	}
	if !now.Equal(want) {
		return online.Errorf(online.Refused, "the traffic is %s, the plan was made for %s", now.Traffic, want.Traffic)
	}
	return nil
}

// ready reads the endpoint until it is as the step starts from, with nothing of that changed, or as
// it ends at. What is wrong with it counts when a read can't be stale any more; the error is then
// Refused, or one of moved.
func (t *turn) ready(ctx context.Context) (e online.Endpoint, at standing, err error) {
	start := time.Now()
	_ = poll(ctx, staleTime, staleEvery, func() (bool, error) { // what err is then counts
		if e, err = t.Cloud.Endpoint(ctx, t.Endpoint); err != nil {
			return true, nil
		}
		switch at = t.state.standing(e); at {
		case atBefore:
			err = t.stands(ctx, e)
		case atOther:
			err = t.moved(e)
		case atAfter:
		}
		wrong := online.CodeOf(err) == online.Refused || online.CodeOf(err) == online.Conflict
		return err == nil || !wrong || time.Since(start) > staleness(e), nil
	})
	return e, at, cause(ctx, err)
}

// Writes of the traffic. One that a read has shown not to be taken is made again: it asks for the
// same state, so it does no harm if the one before arrives late.
const writes = 3

// write puts the traffic of the phase and believes only what it reads afterwards: a reply may be
// lost after the effect, and is never answered by sending again before a read. It returns the
// endpoint as it was read last; the error is a notTakenError where the traffic is as before.
func (t *turn) write(ctx context.Context, e online.Endpoint) (online.Endpoint, error) {
	kept, stop := t.lease.keep(ctx)
	defer stop()
	for try := 1; ; try++ {
		e.Traffic, e.Mirror, e.Tags = t.state.to().traffic, t.state.to().mirror, t.tags(e.Tags)
		if err := t.lease.outlives(kept, 1); err != nil {
			return e, err
		}
		t.Say("swap: %s to %s", t.state.from().traffic, e.Traffic)
		crashpoint.At("rollout.traffic.before")
		_, wrote := t.Cloud.PutEndpoint(kept, e)
		crashpoint.At("rollout.traffic.after")
		now, err := t.believe(kept, wrote)
		if err != nil {
			return e, err
		}
		e = now
		switch t.state.standing(e) {
		case atAfter:
			t.state.Traffic = e.Traffic
			return e, nil
		case atOther:
			return e, t.moved(e)
		}
		t.Say("swap: not taken: %v", wrote)
		if try == writes || !worthRepeating(wrote) {
			return e, notTakenError{wrote}
		}
		if err := sleep(kept, time.Second); err != nil {
			return e, err
		}
	}
}

// worthRepeating reports whether a write that failed so may be taken the next time.
func worthRepeating(err error) bool {
	switch online.CodeOf(err) {
	case online.Unavailable, online.Conflict, online.Internal:
		return true
	}
	return false
}

// notTakenError is the error of a write that a read has shown not to be in force.
type notTakenError struct{ wrote error }

func (e notTakenError) Error() string {
	return fmt.Sprintf("the swap was not taken, the traffic is as before: %v", e.wrote)
}
func (e notTakenError) Unwrap() error { return e.wrote }

// believe reads until the endpoint shows what was written, or is quiet and does not.
func (t *turn) believe(ctx context.Context, wrote error) (e online.Endpoint, err error) {
	err = poll(ctx, staleTime, staleEvery, func() (bool, error) {
		var err error
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		if err != nil {
			return false, ignoreUnavailable(err)
		}
		switch t.state.standing(e) {
		case atAfter:
			return e.State == online.Succeeded, nil
		case atOther:
			return !e.State.Busy(), nil
		default: // a server whose reads are never late has refused it
			return wrote != nil && !e.State.Busy() && e.Properties[online.RoutesAtOnce] != "" && online.CodeOf(wrote) != online.Unavailable, nil
		}
	})
	switch {
	case err == nil:
		return e, nil
	case ctx.Err() != nil: // interrupted: no read was the last
	case wrote != nil && t.state.standing(e) == atBefore && !e.State.Busy() && e.Name != "":
		return e, nil
	case wrote != nil:
		err = wrote
	}
	return e, fmt.Errorf("the swap's outcome is not known: %w; the next rollout will find out", cause(ctx, err))
}

// ignoreUnavailable lets a read be tried again.
func ignoreUnavailable(err error) error {
	if online.CodeOf(err) == online.Unavailable {
		return nil
	}
	return err
}

// moved is the error of an endpoint that someone else has written: it must not be fought over.
func (t *turn) moved(e online.Endpoint) error {
	return movedError{online.Errorf(online.Conflict, "the traffic is %s, neither what it was (%s) nor what was planned (%s): someone else moved it; nothing more is done",
		e.Traffic, t.state.from().traffic, t.state.to().traffic)}
}

// movedError halts a rollout.
type movedError struct{ error }

func (e movedError) Unwrap() error { return e.error }

// found reads the endpoint until it shows whether the write of the phase has happened, after a
// crash. Where it does not, a read may lag behind the write, unless the server says that it never does.
func (t *turn) found(ctx context.Context) (online.Endpoint, error) {
	e, err := t.quietEndpoint(ctx)
	if err != nil || e.Properties[online.RoutesAtOnce] != "" {
		return e, err
	}
	start := time.Now()
	err = poll(ctx, quietTime, staleEvery, func() (bool, error) {
		var err error
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		known := t.state.standing(e) != atBefore || time.Since(start) > staleTime
		return known && !e.State.Busy(), err
	})
	return e, err
}

// staleness is how long a read may lag behind. A server whose routes follow at once has no late
// reads either: a moment is for what stands between.
func staleness(e online.Endpoint) time.Duration {
	if e.Properties[online.RoutesAtOnce] != "" {
		return time.Second
	}
	return staleTime - staleEvery
}

// routingLag is how long, where nothing is said, an endpoint may route by the traffic of before.
// Our reading of Azure, where up to ten seconds were seen; half as much again is the margin.
const routingLag = 15 * time.Second

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
	left := lag(e, t.Cloud.Now())
	if left <= 0 {
		return nil
	}
	t.Say("slot %s: waiting %v, its last requests may still be on their way", t.state.Plan.Slot, left.Round(time.Second))
	return sleep(ctx, left)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// healthy reports what keeps the deployments of want from taking its traffic.
func healthy(there []azure.Deployment, want Snapshot) error {
	for _, name := range sortedKeys(want.Fingerprints) {
		switch d := find(there, name); {
		case d == nil:
			return online.Errorf(online.Refused, "deployment %s is gone; deploy its model again with hotswap rollback --to", name)
		case d.Fingerprint != want.Fingerprints[name]:
			return online.Errorf(online.Refused, "deployment %s is not what it was: it holds %s now", name, d.Model)
		case d.State != online.Succeeded:
			return online.Errorf(online.Refused, "deployment %s is %s", name, d.State)
		}
	}
	return nil
}
