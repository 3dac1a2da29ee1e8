package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hotswap/internal/checks"
	"hotswap/internal/online"
)

// Check is the request that a candidate must answer, and the answer where one is expected.
type Check struct {
	Request   []byte
	Want      []byte // JSON; nil where any answer that is not an error's text will do
	Tolerance float64
}

// Test sends the check to the candidate of a rollout, by header, and saves the verdict. id ""
// means the newest rollout.
func (r *Runner) Test(ctx context.Context, id string, c Check) (State, error) {
	t, err := r.rejoin(ctx, id)
	if err != nil {
		return State{}, err
	}
	if t.state.Phase.Terminal() {
		return t.state, online.Errorf(online.Refused, "rollout %s is over (%s): there is no candidate to test; run hotswap deploy",
			t.state.ID, t.state.Phase)
	}
	if err := t.test(ctx, c); err != nil {
		return t.state, err
	}
	return t.state, t.lease.rest(ctx)
}

func (t *turn) test(ctx context.Context, c Check) error {
	switch t.state.Phase {
	case Deployed, Tested:
	case Swapping:
		return t.drop(ctx, online.Errorf(online.Conflict, "rollout %s was cut off in its swap: run hotswap swap to go on with it", t.state.ID))
	default:
		return t.drop(ctx, online.Errorf(online.Refused, "rollout %s has no candidate: it is %s; run hotswap deploy again", t.state.ID, t.state.Phase))
	}
	v, err := t.verdict(ctx, c)
	if err != nil {
		return t.leave(ctx, err)
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

// verdict judges one answer. The candidate must be the same deployment before and after it,
// else the verdict says nothing about what would go live.
func (t *turn) verdict(ctx context.Context, c Check) (checks.Verdict, error) {
	v := checks.Verdict{Deployment: t.state.Candidate.Deployment, Fingerprint: t.state.Candidate.Fingerprint}
	if err := t.unchanged(ctx); err != nil {
		return v, err
	}
	e, err := t.Cloud.Endpoint(ctx, t.Endpoint)
	if err != nil {
		return v, err
	}
	answer, err := t.Target(e, v.Deployment).Score(ctx, checks.Request{Body: c.Request})
	if err != nil {
		return v, err
	}
	if err := t.unchanged(ctx); err != nil {
		return v, err
	}
	v.Reasons = judge(answer, v.Deployment, c)
	v.Passed = len(v.Reasons) == 0
	v.Requests, v.Status, v.Answered = 1, answer.Status, time.Now().UTC()
	return v, nil
}

// judge lists what is wrong with the answer.
func judge(a checks.Answer, candidate string, c Check) (reasons []string) {
	if a.Deployment != candidate {
		reasons = append(reasons, fmt.Sprintf("the answer came from deployment %q, want %q", a.Deployment, candidate))
	}
	if a.Status != http.StatusOK {
		return append(reasons, fmt.Sprintf("the answer has status %d, want 200: %s", a.Status, excerpt(a.Body)))
	}
	if text, is := checks.ErrorText(a.Body); is {
		return append(reasons, fmt.Sprintf("the answer has status 200 and is an error's text: %s", excerpt([]byte(text))))
	}
	if c.Want != nil {
		if err := checks.Compare(c.Want, a.Body, c.Tolerance); err != nil {
			reasons = append(reasons, "the answer is not the expected one: "+err.Error())
		}
	}
	return reasons
}

// excerpt keeps messages readable.
func excerpt(body []byte) string {
	const most = 300
	if len(body) > most {
		return string(body[:most]) + "…"
	}
	return string(body)
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
