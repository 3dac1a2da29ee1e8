package rollout

import (
	"context"
	"errors"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// Tests are what a candidate must pass before it gets any traffic.
type Tests struct {
	Suite checks.Suite
	Diff  *Diff // nil where predictions are not compared
}

// Diff asks that live and candidate are sent the same requests and their predictions compared.
type Diff struct {
	Requests []checks.Request // none: those of the suite
	Options  checks.DiffOptions
}

// Test runs the tests against the candidate of a rollout, by header, and saves the verdict. id ""
// means the newest rollout.
func (r *Runner) Test(ctx context.Context, id string, tests Tests) (State, error) {
	t, err := r.rejoin(ctx, id, false)
	if err != nil {
		return State{}, err
	}
	if t.state.Phase.Terminal() {
		return t.state, online.Errorf(online.Refused, "rollout %s is over (%s): there is no candidate to test; run hotswap deploy",
			t.state.ID, t.state.Phase)
	}
	if err := t.test(ctx, tests); err != nil {
		return t.state, err
	}
	return t.state, t.lease.rest(ctx)
}

func (t *turn) test(ctx context.Context, tests Tests) error {
	switch p := t.state.Phase; {
	case p == Deployed, p == Tested:
	case p.carries():
		return t.drop(ctx, online.Errorf(online.Conflict, "rollout %s has moved traffic: run hotswap resume to go on with it", t.state.ID))
	default:
		return t.drop(ctx, online.Errorf(online.Refused, "rollout %s has no candidate: it is %s; run hotswap deploy again", t.state.ID, t.state.Phase))
	}
	kept, stop := t.lease.keep(ctx)
	defer stop()
	v, err := t.verdict(kept, tests)
	if err != nil {
		return t.leave(ctx, cause(kept, err))
	}
	t.state.Verdict = &v
	if !v.Passed {
		return t.refuse(ctx, Refused, online.Errorf(online.Refused, "the test of %s failed: %w", v.Deployment, errors.Join(reasons(v)...)))
	}
	if err := t.enter(ctx, Tested); err != nil {
		return t.drop(ctx, err)
	}
	t.Say("test: %s passed", v.Deployment)
	return nil
}

func reasons(v checks.Verdict) (errs []error) {
	for _, r := range v.Reasons {
		errs = append(errs, errors.New(r))
	}
	return errs
}

// verdict runs the tests. The candidate must be the same deployment before and after them, else
// the verdict says nothing about what would go live.
func (t *turn) verdict(ctx context.Context, tests Tests) (v checks.Verdict, err error) {
	if err := t.unchanged(ctx); err != nil {
		return v, err
	}
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return v, err
	}
	name := t.state.Candidate.Deployment
	candidate := t.Target(e, name)
	var live checks.Target // nil where nothing is live yet
	if former := t.state.former(); former != "" {
		live = t.Target(e, former)
	}
	report, err := tests.Suite.Run(ctx, name, candidate, live)
	if err != nil {
		return v, err
	}
	if tests.Diff != nil {
		if err := t.diff(ctx, tests, live, candidate, &report); err != nil {
			return v, err
		}
	}
	if err := t.unchanged(ctx); err != nil {
		return v, err
	}
	report.Fingerprint = t.state.Candidate.Fingerprint
	if t.Report != nil {
		t.Report(report)
	}
	return report.Verdict(), nil
}

// diff compares the predictions of live and candidate.
func (t *turn) diff(ctx context.Context, tests Tests, live, candidate checks.Target, report *checks.Report) error {
	requests := tests.Diff.Requests
	if len(requests) == 0 {
		requests = tests.Suite.Requests()
	}
	d, err := checks.RunDiff(ctx, requests, live, candidate, t.state.former(), t.state.Candidate.Deployment, tests.Diff.Options)
	report.Diff = &d
	return err
}

// unchanged requires that the candidate is still the deployment that was put.
func (t *turn) unchanged(ctx context.Context) error {
	d, err := t.Cloud.Deployment(ctx, t.Endpoint, t.state.Candidate.Deployment)
	if err != nil {
		return err
	}
	switch {
	case d.Fingerprint != t.state.Candidate.Fingerprint:
		return online.Errorf(online.Refused, "deployment %s was changed since rollout %s deployed it; run hotswap deploy again", d.Name, t.state.ID)
	case d.State != online.Succeeded:
		return online.Errorf(online.Conflict, "deployment %s is %s; wait and try again", d.Name, d.State)
	}
	return nil
}
