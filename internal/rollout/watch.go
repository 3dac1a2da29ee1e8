package rollout

import (
	"context"
	"fmt"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/journal"
	"hotswap/internal/online"
)

// Bounds of how often a step is looked at.
const (
	lookAtLeast = 15 * time.Second
	lookAtMost  = 200 * time.Millisecond
	lookShare   = 20 // looks in a step's time
	sayEvery    = 15 * time.Second
)

// watch looks at a step that carries traffic until the policy decides.
func (t *turn) watch(ctx context.Context) error {
	kept, stop := t.lease.keep(ctx)
	defer stop()
	length := t.state.Plan.Strategy.watchTime(t.state.Step)
	every := min(max(length/lookShare, lookAtMost), lookAtLeast)
	if t.state.Phase == Watching {
		t.Say("%d %%: watching for %v", t.state.Plan.Strategy.Steps[t.state.Step], length)
	}
	said := time.Now()
	for {
		o, err := t.observe(kept)
		if err != nil {
			return t.lost(ctx, cause(kept, err))
		}
		act, a := t.state.next(o)
		if act != wait {
			t.Say("%d %%: %s: %s", a.Percent, a.Outcome, a)
			return t.act(ctx, act, a)
		}
		if time.Since(said) > sayEvery {
			said = time.Now()
			t.Say("%d %%: %s", a.Percent, a)
		}
		if err := sleep(kept, every); err != nil {
			return t.drop(ctx, err)
		}
	}
}

// act does what the policy has decided.
func (t *turn) act(ctx context.Context, act action, a Analysis) error {
	next := t.state.after(act, a)
	t.state.Analyses = next.Analyses
	switch next.Phase {
	case Swapping:
		return t.take(ctx, next.Step)
	case RollingBack:
		return t.rollBack(ctx, next.Reason)
	case Paused:
		t.Say("paused at %d %%: run hotswap promote or hotswap abort", a.Percent)
		if err := t.enter(ctx, Paused); err != nil {
			return t.drop(ctx, err)
		}
		return nil
	}
	return t.retireOrEnd(ctx)
}

// observe reads what is known of the step now. It fails where the traffic is not what the step
// made it. What the metrics don't say is unknown, and so is everything while the endpoint, or what
// people decided, can't be read.
func (t *turn) observe(ctx context.Context) (o Observation, err error) {
	var e online.Endpoint
	start := time.Now()
	err = poll(ctx, staleTime, staleEvery, func() (bool, error) {
		e, err = t.Cloud.Endpoint(ctx, t.Endpoint)
		if err != nil {
			return false, err
		}
		return !e.State.Busy() && (t.state.standing(e) == atAfter || time.Since(start) > staleness(e)), nil
	})
	switch {
	case ctx.Err() != nil:
		return o, context.Cause(ctx)
	case e.Name != "" && t.state.standing(e) != atAfter:
		return o, t.moved(e)
	case online.CodeOf(err) == online.Unavailable:
		return t.blind(e, err), nil
	case err != nil:
		return o, err
	}
	abort, promote, err := t.decided(ctx)
	if err != nil {
		return t.blind(e, err), nil
	}
	changed, err := t.changed(ctx, e)
	if err != nil {
		return t.blind(e, err), nil
	}
	reach := t.reach(e)
	return Observation{
		Elapsed: reach.Sub(t.state.InForce), Window: t.window(ctx, e, reach), Abort: abort, Changed: changed, Promote: promote,
	}, nil
}

// changed says why the candidate is not the one that was tested, or "". A read may be stale: one is
// not enough for that.
func (t *turn) changed(ctx context.Context, e online.Endpoint) (why string, err error) {
	start := time.Now()
	_ = poll(ctx, staleTime, staleEvery, func() (bool, error) { // what err is then counts
		err = t.unchanged(ctx)
		return !isAnother(err) || time.Since(start) > staleness(e), nil
	})
	if isAnother(err) {
		return err.Error(), nil
	}
	return "", err
}

func isAnother(err error) bool {
	return online.CodeOf(err) == online.Refused || online.CodeOf(err) == online.NotFound
}

// blind is what is known where err keeps all of it from being read.
func (t *turn) blind(e online.Endpoint, err error) Observation {
	reach := t.reach(e)
	return Observation{
		Elapsed: reach.Sub(t.state.InForce), Window: Window{From: t.state.InForce, To: reach, Unknown: err.Error()},
	}
}

// decided reads what people have decided about the rollout.
func (t *turn) decided(ctx context.Context) (abort string, promote bool, err error) {
	decisions, err := t.Journal.Decisions(ctx, t.state.ID)
	if err != nil {
		return "", false, fmt.Errorf("what was decided can't be read: %w", err)
	}
	for _, d := range decisions {
		switch {
		case d.Kind == journal.Abort:
			abort = d.String()
		case d.Kind == journal.Promote && d.Step == t.state.Step:
			promote = true
		}
	}
	return abort, promote, nil
}

// MetricsLag is how long Azure's newest minutes may still read zero (learn.microsoft.com, "Azure
// Monitor Metrics", on latency: most metrics are there within minutes).
const MetricsLag = 5 * time.Minute

// grain of Azure's metrics (learn.microsoft.com, "Supported metrics for Microsoft.MachineLearningServices/workspaces/onlineEndpoints").
const grain = time.Minute

// final reports whether a server's metrics are final at once, and counted by the second.
func final(e online.Endpoint) bool { return e.Properties[online.MetricsAtOnce] != "" }

// reach is until when the metrics can be believed.
func (t *turn) reach(e online.Endpoint) time.Time {
	if final(e) {
		return t.Cloud.Now().Truncate(time.Second)
	}
	return t.Cloud.Now().Add(-t.MetricsLag).Truncate(t.grain())
}

func (t *turn) grain() time.Duration { return max(min(grain, t.MetricsLag), time.Second) }

// window reads what both sides have answered since the step's traffic was in force. While the
// rollout is paused it is the newest stretch, as long as the step was watched.
func (t *turn) window(ctx context.Context, e online.Endpoint, to time.Time) Window {
	from := t.ceil(e, t.state.InForce)
	if newest := to.Add(-t.state.Plan.Strategy.watchTime(t.state.Step)); t.state.Phase == Paused && newest.After(from) {
		from = newest
	}
	w := Window{From: from, To: to}
	if !to.After(from) {
		w.Unknown = "no time has passed that the metrics tell of"
		return w
	}
	w.Candidate, w.Unknown = t.side(ctx, e, t.state.Candidate.Deployment, from, to)
	live := t.state.Plan.Before.Traffic.Live()
	if live == "" || w.Unknown != "" {
		return w
	}
	if t.state.to().traffic.Share(live) == 0 { // nothing to compare with now: the time before the swap
		to = t.state.Written.Truncate(t.piece(e))
		from = to.Add(-w.To.Sub(w.From))
	}
	w.Live = new(Side)
	*w.Live, w.Unknown = t.side(ctx, e, live, from, to)
	return w
}

// ceil is the first moment from at on that begins a piece of the metrics.
func (t *turn) ceil(e online.Endpoint, at time.Time) time.Time {
	piece := t.piece(e)
	return at.Add(piece - 1).Truncate(piece)
}

// piece is what the metrics count as one.
func (t *turn) piece(e online.Endpoint) time.Duration {
	if final(e) {
		return time.Second
	}
	return t.grain()
}

// side adds up what a deployment answered. A minute that is missing, or reads zero where the
// newest may, makes it unknown.
func (t *turn) side(ctx context.Context, e online.Endpoint, deployment string, from, to time.Time) (s Side, unknown string) {
	q := azure.MetricsQuery{Endpoint: t.Endpoint, Deployment: deployment, From: from, To: to}
	if !final(e) {
		q.Interval = t.grain()
	}
	points, err := t.Cloud.Metrics(ctx, q)
	if err != nil {
		return s, "the metrics can't be read: " + err.Error()
	}
	if len(points) == 0 {
		return s, "the metrics of " + deployment + " are missing"
	}
	for _, p := range points {
		if !p.Known || p.Requests == 0 && !final(e) {
			return s, "the metrics of " + deployment + " are missing or zero at " + p.At.UTC().Format(time.TimeOnly)
		}
		s = s.plus(p)
	}
	return s, ""
}

// plus adds a point to the side. Percentiles don't add up: the mean by requests stands for them,
// on both sides alike; from a server that counts by the second there is one point, which is exact.
func (s Side) plus(p azure.MetricsPoint) Side {
	before, more := float64(s.Requests), p.Requests
	if before+more > 0 {
		s.P50 = time.Duration((float64(s.P50)*before + float64(p.P50)*more) / (before + more))
		s.P99 = time.Duration((float64(s.P99)*before + float64(p.P99)*more) / (before + more))
	}
	s.Requests += int(p.Requests)
	for status, n := range p.ByStatus {
		switch {
		case status >= 500 || status == 424 || status == 408:
			s.Errors += int(n)
		case status == 429:
			s.Throttled += int(n)
		case status >= 400:
			s.ClientErrors += int(n)
		}
	}
	return s
}
