package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/checks"
	"hotswap/internal/online"
	"hotswap/internal/rollout"
	"hotswap/internal/spec"
)

// first puts the first model live.
func (s *story) first(ctx context.Context) error {
	s.Say("Version 1: a model that knows the distance only.")
	if err := s.train(ctx, "1", "distance"); err != nil {
		return err
	}
	if err := s.rollout(ctx, rollout.DefaultStrategy()); err != nil {
		return err
	}
	return s.answers(ctx)
}

// answers waits until the endpoint does: where routes follow late, it has none at first.
func (s *story) answers(ctx context.Context) error {
	_, tests, err := s.request()
	if err != nil {
		return err
	}
	e, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		a, err := s.client.Score(ctx, azure.Request{Endpoint: e, Body: tests.Suite.Requests()[0].Body})
		if err == nil && a.Status == http.StatusOK {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("the endpoint does not answer: %w", err)
		}
	}
}

// underLoad is what happens while the clients score.
func (s *story) underLoad(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{s.second, s.third, s.fourth, s.back} {
		if err := pause(ctx); err != nil {
			return err
		}
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return pause(ctx)
}

// pause lets the load go on for a moment between the scenes.
func pause(ctx context.Context) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *story) second(ctx context.Context) error {
	s.Say("Version 2: a better model, with the time, the hour and the place, in steps.")
	if err := s.train(ctx, "2", "all"); err != nil {
		return err
	}
	return s.rollout(ctx, inSteps())
}

// inSteps is a swap in two steps, as short and with bounds as wide as 8 clients on a busy machine
// need: of 20 requests one may wait long for a processor. Version 4 is slower by far.
func inSteps() rollout.Strategy {
	st := rollout.DefaultStrategy()
	st.Steps, st.Interval = []int{25, 100}, 2*time.Second
	st.Bounds.MinRequests, st.Bounds.Timeout = 20, time.Minute
	st.Bounds.P99, st.Bounds.Slack = 10, 200*time.Millisecond
	return st
}

// broken is how many a score.py goes wrong: it answers its error's text with status 200.
const broken = `def init():
    pass


def run(raw_data):
    try:
        return 1 / 0
    except Exception as error:
        return str(error)
`

func (s *story) third(ctx context.Context) error {
	s.Say("Version 3: a score.py that answers its error with status 200.")
	if err := s.train(ctx, "3", "all"); err != nil {
		return err
	}
	err := s.unchanged(ctx, func() error {
		return s.withScript(func(string) string { return broken }, func() error { return s.rollout(ctx, inSteps()) })
	})
	if online.CodeOf(err) != online.Refused {
		return fmt.Errorf("version 3 was not refused: %w", err)
	}
	s.summary.Refused++
	s.Say("    refused: %v", err)
	return nil
}

// leaking is what a test of one request can't see: each answer looks through all that were asked
// for before. It is added to a score.py that is right.
const leaking = `

import time

asked = []
answer = run


def run(raw_data):
    asked.append(raw_data)
    time.sleep(min(0.002 * len(asked), 0.1))
    return answer(raw_data)
`

func (s *story) fourth(ctx context.Context) error {
	s.Say("Version 4: a score.py that answers as well, and ever more slowly, the more it is asked.")
	if err := s.train(ctx, "4", "all"); err != nil {
		return err
	}
	err := s.unchanged(ctx, func() error {
		return s.withScript(func(good string) string { return good + leaking }, func() error { return s.rollout(ctx, inSteps()) })
	})
	if online.CodeOf(err) != online.RolledBack {
		return fmt.Errorf("version 4 was not rolled back: %w", err)
	}
	s.summary.RolledBack++
	return nil
}

// withScript has another score.py than the example's while f runs.
func (s *story) withScript(change func(good string) string, f func() error) error {
	file := filepath.Join(s.dir, endpoint, "src", "score.py")
	good, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(change(string(good))), 0o644); err != nil {
		return err
	}
	failed := f()
	if err := os.WriteFile(file, good, 0o644); err != nil {
		return err
	}
	return failed
}

// unchanged runs a rollout that is to fail, and requires that the traffic is afterwards what it was.
func (s *story) unchanged(ctx context.Context, rollout func() error) error {
	before, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	failed := rollout()
	if failed == nil {
		return errors.New("it went live")
	}
	after, err := s.client.Endpoint(ctx, endpoint)
	if err != nil {
		return err
	}
	if !after.Traffic.Equal(before.Traffic) {
		return fmt.Errorf("the traffic was %s before a rollout that failed (%w), and is %s", before.Traffic, failed, after.Traffic)
	}
	s.Say("    the traffic is still %s", after.Traffic)
	return failed
}

func (s *story) back(ctx context.Context) error {
	s.Say("Back to version 1: hotswap rollback.")
	began := time.Now()
	state, already, err := s.runner.Rollback(ctx, "the demo")
	if err != nil {
		return err
	}
	if already {
		return fmt.Errorf("nothing was rolled back: the traffic is %s", state.Plan.After)
	}
	s.summary.RollbackMS = milliseconds(time.Since(began))
	s.summary.Rollbacks++
	s.summary.Live = state.Plan.After.Live()
	s.Say("    live is %s with %s", s.summary.Live, state.Plan.Model)
	return nil
}

// rollout deploys what the example's files say, tests it and gives it the traffic.
func (s *story) rollout(ctx context.Context, strategy rollout.Strategy) error {
	req, tests, err := s.request()
	if err != nil {
		return err
	}
	req.Strategy = strategy
	state, err := s.runner.Rollout(ctx, req, tests, false)
	if err != nil {
		return err
	}
	s.summary.Rollouts++
	s.summary.Live = state.Plan.Slot
	return nil
}

// The test of every version, as the example has it: within a dollar and a half of the published fare.
const tolerance = 1.5

func (s *story) request() (req rollout.Request, tests rollout.Tests, err error) {
	dir := filepath.Join(s.dir, endpoint)
	if req.Endpoint, err = spec.ReadEndpoint(filepath.Join(dir, "endpoint.yml")); err != nil {
		return req, tests, err
	}
	if req.Deployment, err = spec.ReadDeployment(filepath.Join(dir, "deployment.yml")); err != nil {
		return req, tests, err
	}
	req.ModelVersion, req.Reason = rollout.Latest, "the demo"
	trip, err := os.ReadFile(filepath.Join(dir, "request.json"))
	if err != nil {
		return req, tests, err
	}
	fare, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		return req, tests, err
	}
	tests.Suite = checks.Single(trip, fare, tolerance)
	tests.Diff, err = diff()
	return req, tests, err
}

// A fare that is another by up to a dollar is the same, in the prediction diff.
const dollar = 1

// diff compares the predictions of live and candidate for trips like those of the clients. Any
// share of them may disagree: that is what a better model is for.
func diff() (*rollout.Diff, error) {
	const trips = 100
	d := &rollout.Diff{Options: checks.DiffOptions{Absolute: dollar, MaxDisagreement: -1}}
	rng := rand.New(rand.NewPCG(clientCount, 0))
	for n := range trips {
		body, err := json.Marshal(map[string][]trip{"data": {randomTrip(rng)}})
		if err != nil {
			return nil, err
		}
		d.Requests = append(d.Requests, checks.Request{Name: fmt.Sprintf("trip %d", n+1), Body: body})
	}
	return d, nil
}

// compared tells of the prediction diff.
func (s *story) compared(r checks.Report) {
	d := r.Diff
	if d == nil || d.NotCompared != "" || d.Predictions == 0 {
		return
	}
	s.Say("    prediction diff: %d of %d trips cost another fare than with %s, by more than a dollar (%.0f %%)",
		d.Disagree, d.Predictions, d.Live, 100*d.Share)
}
