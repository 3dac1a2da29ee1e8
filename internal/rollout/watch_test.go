package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// stepped is a request whose traffic moves in two steps, with a bake, in a time that the fake
// metrics make pass.
func stepped(version string) Request {
	req := request(version)
	req.Strategy.Steps, req.Strategy.Interval, req.Strategy.Bake = []int{25, 100}, 4*time.Second, 4*time.Second
	req.Strategy.Bounds.Timeout = 4 * time.Second
	return req
}

// hurry lets time pass with every look at the metrics, which then say what say does of a deployment.
func (r *rig) hurry(say func(deployment string) (azure.MetricsPoint, error)) {
	r.cloud.metrics = func(q azure.MetricsQuery) ([]azure.MetricsPoint, error) {
		r.cloud.ahead += time.Second
		p, err := say(q.Deployment)
		p.At = q.From
		return []azure.MetricsPoint{p}, err
	}
}

func fine(string) (azure.MetricsPoint, error) { return answered(1000, 0, 10*time.Millisecond), nil }

// traffics are the writes of the traffic, in order.
func (f *fakeCloud) traffics() (all []string) {
	for _, w := range f.writes {
		if t, is := strings.CutPrefix(w, "traffic "); is {
			all = append(all, t)
		}
	}
	return all
}

func TestStepsAndBake(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.hurry(fine)
	s, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false)
	if err != nil || s.Phase != Promoted {
		t.Fatalf("ended %s: %v", s.Phase, err)
	}
	if got, want := r.cloud.traffics(), []string{"none", "blue=100", "blue=75 green=25", "green=100"}; !slices.Equal(got, want) {
		t.Errorf("the traffic was written %q, want %q", got, want)
	}
	if len(s.Analyses) != 2 || s.Analyses[0].Percent != 25 || s.Analyses[1].Percent != 100 || s.Analyses[1].Window.Live == nil {
		t.Errorf("verdicts %+v, want one of 25 and one of 100 that has live's side", s.Analyses)
	}
}

// A candidate that does not pass gets no further: the traffic is restored, and the slot holds again
// what a rollback by hand could return to.
func TestStepThatDoesNotPass(t *testing.T) {
	candidate := func(p azure.MetricsPoint, err error) func(string) (azure.MetricsPoint, error) {
		return func(deployment string) (azure.MetricsPoint, error) {
			if deployment == "blue" {
				return p, err
			}
			return fine(deployment)
		}
	}
	tests := map[string]struct {
		say  func(string) (azure.MetricsPoint, error)
		says string
	}{
		"errors":          {candidate(answered(1000, 100, 10*time.Millisecond), nil), "errors: 10 %"},
		"slow":            {candidate(answered(1000, 0, 100*time.Millisecond), nil), "p50 latency: 100ms"},
		"too few":         {candidate(answered(7, 0, 10*time.Millisecond), nil), "too few requests: the candidate answered 7"},
		"none":            {candidate(answered(0, 0, 0), nil), "too few requests: the candidate answered 0"},
		"missing":         {candidate(azure.MetricsPoint{}, nil), "are missing"},
		"away":            {candidate(azure.MetricsPoint{}, online.Errorf(online.Unavailable, "away")), "can't be read: away"},
		"live is missing": {func(d string) (azure.MetricsPoint, error) { p, _ := fine(d); p.Known = d != "green"; return p, nil }, "metrics of green are missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.live(t, "one", "two")
			held := r.cloud.deployments["blue"].Fingerprint
			first := true
			r.hurry(func(d string) (azure.MetricsPoint, error) {
				if first { // the look ahead of the rollout, at whether there are metrics at all
					first = false
					return fine(d)
				}
				return tt.say(d)
			})
			_, err := r.Rollout(t.Context(), stepped("three"), wanting(""), false)
			r.wants(t, err, online.RolledBack, tt.says, RolledBack)
			if got := r.cloud.traffics(); !slices.Equal(got[3:], []string{"blue=25 green=75", "green=100"}) {
				t.Errorf("the traffic was written %q", got)
			}
			if now := r.cloud.deployments["blue"].Fingerprint; now != held {
				t.Errorf("the slot holds %s, want what it held, %s", now, held)
			}
			r.cloud.metrics = nil
			if s, already, err := r.Rollback(t.Context(), ""); err != nil || already || !s.Plan.After.Equal(online.AllTo("blue")) {
				t.Errorf("rollback by hand: %v, already %v, after %s", err, already, s.Plan.After)
			}
		})
	}
}

// Metrics that nobody may read are found before anything is written.
func TestMetricsThatCannotBeRead(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	before := slices.Clone(r.cloud.writes)
	r.hurry(func(string) (azure.MetricsPoint, error) {
		return azure.MetricsPoint{}, online.Errorf(online.Forbidden, "ask for the role Monitoring Reader")
	})
	if _, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false); online.CodeOf(err) != online.Forbidden {
		t.Errorf("error %v, want %s", err, online.Forbidden)
	}
	if !slices.Equal(r.cloud.writes, before) {
		t.Errorf("it wrote %q", r.cloud.writes[len(before):])
	}
}

// when runs f once, at the first look at the metrics of a step with that traffic.
func (r *rig) when(traffic string, f func()) {
	done := false
	r.hurry(func(d string) (azure.MetricsPoint, error) {
		if !done && r.cloud.endpoint.Traffic.String() == traffic {
			done = true
			f()
		}
		return fine(d)
	})
}

func TestTrafficMovedDuringAStepHalts(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.when("blue=75 green=25", func() { r.cloud.endpoint.Traffic = traffic(t, map[string]int{"blue": 60, "green": 40}) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := r.Rollout(ctx, stepped("two"), wanting(""), false)
	r.wants(t, err, online.Conflict, "someone else moved it", Failed)
	if got := r.cloud.endpoint.Traffic.String(); got != "blue=60 green=40" {
		t.Errorf("the traffic is %s, want it left alone", got)
	}
}

// While the candidate may be the only healthy copy, the traffic stays.
func TestNoWayBackHalts(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.hurry(func(d string) (azure.MetricsPoint, error) {
		if r.cloud.endpoint.Traffic.Share("green") == 0 {
			return fine(d)
		}
		changed := r.cloud.deployments["blue"].Deployment
		changed.State = online.Failed
		r.cloud.keep(changed)
		if d == "green" {
			return answered(1000, 500, 10*time.Millisecond), nil
		}
		return fine(d)
	})
	_, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false)
	r.wants(t, err, online.Conflict, "only healthy copy", Failed)
	if got := r.cloud.endpoint.Traffic.String(); got != "blue=75 green=25" {
		t.Errorf("the traffic is %s, want it left", got)
	}
}

// pausing is a request that pauses at its first step.
func pausing(version string) Request {
	req := stepped(version)
	req.Strategy.PauseAt = 25
	return req
}

// paused runs a rollout to its pause, in the background.
func (r *rig) paused(ctx context.Context, t *testing.T, version string) <-chan error {
	t.Helper()
	r.hurry(fine)
	ended := make(chan error, 1)
	go func() {
		_, err := r.Rollout(ctx, pausing(version), wanting(""), false)
		ended <- err
	}()
	for {
		if _, s, _, err := r.Runner.newest(t.Context(), ""); err == nil && s.Phase == Paused {
			return ended
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before its pause: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestPause(t *testing.T) {
	t.Run("promote", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		ended := r.paused(t.Context(), t, "two")
		if s, err := r.Promote(t.Context(), ""); err != nil || s.Phase == Paused {
			t.Errorf("promote: %s, %v", s.Phase, err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the rollout ended with %v", err)
		}
	})
	t.Run("abort", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		ended := r.paused(t.Context(), t, "two")
		if s, err := r.Abort(t.Context(), "", "fares are off"); err != nil || s.Phase != RolledBack {
			t.Errorf("abort: %s, %v", s.Phase, err)
		}
		r.wants(t, <-ended, online.RolledBack, "fares are off", RolledBack)
	})
	t.Run("its process ends, promote goes on", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.interrupt(t, "two")
		if s, err := r.Promote(t.Context(), ""); err != nil || s.Phase != Promoted {
			t.Errorf("promote: %s, %v", s.Phase, err)
		}
	})
	t.Run("its process ends, abort goes back", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.interrupt(t, "two")
		if s, err := r.Abort(t.Context(), "", ""); err != nil || s.Phase != RolledBack {
			t.Errorf("abort: %s, %v", s.Phase, err)
		}
	})
	t.Run("its process ends, rollback goes back", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.interrupt(t, "two")
		if s, already, err := r.Rollback(t.Context(), ""); err != nil || already || s.Phase != RolledBack {
			t.Errorf("rollback: %s, already %v, %v", s.Phase, already, err)
		}
		if got := r.cloud.endpoint.Traffic.String(); got != "blue=100" {
			t.Errorf("the traffic is %s", got)
		}
	})
	t.Run("its process ends, the next rollout waits for the lock", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.interrupt(t, "two")
		if _, err := r.Rollout(t.Context(), request("three"), wanting(""), false); online.CodeOf(err) != online.Locked {
			t.Errorf("error %v, want %s", err, online.Locked)
		}
	})
	t.Run("nothing is paused", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		_, err := r.Promote(t.Context(), "")
		r.wants(t, err, online.Refused, "not paused", Promoted)
		_, err = r.Abort(t.Context(), "", "")
		r.wants(t, err, online.Refused, "is over", Promoted)
	})
}

// interrupt leaves a rollout of version at its pause, its process ended.
func (r *rig) interrupt(t *testing.T, version string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := r.paused(ctx, t, version)
	cancel(errors.New("interrupted"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("it ended with %v", err)
	}
}

// retaining is a request of two instances that says what becomes of the former live slot.
func retaining(retain Retain, version string) Request {
	req := request(version)
	req.Deployment.InstanceCount, req.Strategy.Retain = 2, retain
	return req
}

func TestRetainNone(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		if s, err := r.Rollout(t.Context(), retaining(None, "two"), wanting(""), false); err != nil || s.Phase != Promoted {
			t.Fatalf("ended %s: %v", s.Phase, err)
		}
		if _, there := r.cloud.deployments["blue"]; there {
			t.Error("the former live slot is still there")
		}
		_, _, err := r.Rollback(t.Context(), "")
		r.wants(t, err, online.Refused, "blue is gone", Promoted)
	})
}

func TestRetainParked(t *testing.T) {
	t.Run("parked", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		for _, version := range []string{"one", "two"} {
			if _, err := r.Rollout(t.Context(), retaining(Parked, version), wanting(""), false); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.cloud.deployments["blue"].InstanceCount; n != 0 {
			t.Fatalf("the former live slot has %d instances", n)
		}
		s, already, err := r.Rollback(t.Context(), "")
		if err != nil || already || s.Phase != Promoted {
			t.Fatalf("rollback: %s, already %v, %v", s.Phase, already, err)
		}
		if d := r.cloud.deployments["blue"]; d.InstanceCount != 2 || r.cloud.endpoint.Traffic.Live() != "blue" {
			t.Errorf("blue has %d instances, the traffic is %s", d.InstanceCount, r.cloud.endpoint.Traffic)
		}
	})
	t.Run("parked, on a server that can't", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.cloud.onRead = func(e *online.Endpoint) { e.Properties = map[string]string{online.RoutesAtOnce: "yes"} }
		if _, err := r.Rollout(t.Context(), retaining(Parked, "two"), wanting(""), false); online.CodeOf(err) != online.Invalid {
			t.Errorf("error %v, want %s", err, online.Invalid)
		}
	})
}

func TestRetiringFailsNothing(t *testing.T) {
	t.Run("what goes wrong fails nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		r.cloud.onDelete = func() error { return online.Errorf(online.Conflict, "busy") }
		s, err := r.Rollout(t.Context(), retaining(None, "two"), wanting(""), false)
		if err != nil || s.Phase != Promoted || !strings.Contains(s.Reason, "blue was left as it is: busy") {
			t.Errorf("ended %s (%s): %v", s.Phase, s.Reason, err)
		}
	})
}

// A rollback to what is live under another name would tell of a change that there is none of.
func TestRollbackToTheSameIsRefused(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.live(t, "one")
	_, _, err := r.Rollback(t.Context(), "")
	r.wants(t, err, online.Refused, "changes nothing", Promoted)
}

func TestBackToAnEarlierVersion(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two", "three")
	req, err := r.Earlier(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	req.Strategy = DefaultStrategy()
	s, err := r.Rollout(t.Context(), req, wanting(""), false)
	if err != nil || s.Phase != Promoted || s.Plan.Model.Version != "one" || s.Plan.Slot != "green" {
		t.Fatalf("ended %s with %s in %s: %v", s.Phase, s.Plan.Model, s.Plan.Slot, err)
	}
	if _, err := r.Earlier(t.Context(), "nine"); online.CodeOf(err) != online.NotFound {
		t.Errorf("a version that was never live: %v", err)
	}
	if _, err := r.Rollout(t.Context(), req, wanting(""), false); online.CodeOf(err) != online.Refused {
		t.Errorf("the version that is live: %v", err)
	}
}

func TestBackToAFailedVersionIsRefused(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two", "three")
	req, err := r.Earlier(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	req.Strategy = DefaultStrategy()
	_, err = r.Rollout(t.Context(), req, wanting("[2]"), false)
	r.wants(t, err, online.Refused, "", Refused)
	_, err = r.Rollout(t.Context(), req, wanting(""), false)
	if online.CodeOf(err) != online.Refused || !strings.Contains(err.Error(), "has just failed") {
		t.Errorf("the second try: %v", err)
	}
}
