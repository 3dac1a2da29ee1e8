package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

// change makes a deployment another, as somebody does who writes by hand.
func (f *fakeCloud) change(name string) {
	d := f.deployments[name].Deployment
	d.Description += ", changed by hand"
	f.keep(d)
}

// What was tested and watched is what is promoted, and nothing else.
func TestCandidateThatChangesWhileItBakes(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.when("green=100", func() { r.cloud.change("green") })
	req := stepped("two")
	req.Strategy.Retain = None
	_, err := r.Rollout(t.Context(), req, wanting(""), false)
	r.wants(t, err, online.RolledBack, "green was changed", RolledBack)
	if _, there := r.cloud.deployments["blue"]; !there {
		t.Error("the only deployment that was ever proven is gone")
	}
}

// A swap that was cut off before its write starts anew: with the verdict for exactly this candidate.
func TestResumedSwapOfAChangedCandidate(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	s, err := r.Deploy(t.Context(), request("two"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.Test(t.Context(), s.ID, wanting("")); err != nil {
		t.Fatal(err)
	}
	turn, err := r.rejoin(t.Context(), s.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	turn.state.Plan.Strategy = DefaultStrategy()
	if err := turn.enter(t.Context(), Swapping); err != nil {
		t.Fatal(err)
	}
	if err := turn.lease.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.cloud.change("green")
	_, err = r.Resume(t.Context(), "")
	r.wants(t, err, online.Refused, "green was changed", Refused)
	if got := r.cloud.endpoint.Traffic.String(); got != "blue=100" {
		t.Errorf("the traffic is %s", got)
	}
}

// Who knows what people decided? While that can't be read, nobody does.
func TestDecisionThatCannotBeRead(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.when("blue=75 green=25", func() {
		name := "hotswap/e/decisions/" + r.newest(t).ID + "-abort.json"
		if _, err := r.store.NewBlockBlobClient(name).Upload(t.Context(), streaming.NopCloser(strings.NewReader("{")), nil); err != nil {
			t.Error(err)
		}
	})
	_, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false)
	r.wants(t, err, online.RolledBack, "what was decided can't be read", RolledBack)
}

// A management plane that is away is an unknown: the step is watched on, until its time is over.
func TestEndpointThatCannotBeRead(t *testing.T) {
	for name, back := range map[string]bool{"for a while": true, "until the end of the step's time": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.live(t, "one")
			away := 0
			r.when("blue=75 green=25", func() {
				r.cloud.readable = func() error {
					if r.cloud.ahead += time.Second; away > 3 && back || len(r.cloud.traffics()) > 3 || r.newest(t).Phase == RollingBack {
						return nil
					}
					away++
					return online.Errorf(online.Unavailable, "away")
				}
			})
			req := stepped("two")
			if back {
				req.Strategy.Bounds.Timeout = time.Hour
			}
			_, err := r.Rollout(t.Context(), req, wanting(""), false)
			if !back {
				r.wants(t, err, online.RolledBack, "away", RolledBack)
			} else if err != nil {
				t.Error(err)
			}
			if away < 3 {
				t.Errorf("it was away for %d reads only", away)
			}
		})
	}
}

// A rollback that has started a parked deployment and gets no further can be tried again.
func TestRollbackThatEndsAfterUnparking(t *testing.T) {
	r := newRig(t)
	for _, version := range []string{"one", "two"} {
		if _, err := r.Rollout(t.Context(), retaining(Parked, version), wanting(""), false); err != nil {
			t.Fatal(err)
		}
	}
	r.cloud.onPut = func(online.Endpoint) error { return online.Errorf(online.Forbidden, "not yours") }
	_, _, err := r.Rollback(t.Context(), "")
	r.wants(t, err, online.Forbidden, "not taken", Failed)
	r.cloud.onPut = nil
	if s, already, err := r.Rollback(t.Context(), ""); err != nil || already || s.Phase != Promoted || r.cloud.endpoint.Traffic.Live() != "blue" {
		t.Errorf("the second try: %s, already %v, %v", s.Phase, already, err)
	}
}

// A deployment that was parked with the reply lost is parked: a rollback has to know.
func TestParkingWhoseReplyWasLost(t *testing.T) {
	r := newRig(t)
	if _, err := r.Rollout(t.Context(), retaining(Parked, "one"), wanting(""), false); err != nil {
		t.Fatal(err)
	}
	r.cloud.onKeep = func() error {
		if r.cloud.endpoint.Traffic.Live() != "green" {
			return nil
		}
		r.cloud.onKeep = nil
		d := r.cloud.deployments["blue"].Deployment
		d.InstanceCount, d.Tags = 0, overlay(d.Tags, map[string]string{online.TagFence: r.cloud.endpoint.Tags[online.TagFence]})
		r.cloud.keep(d)
		return online.Errorf(online.Unavailable, "the reply was lost")
	}
	s, err := r.Rollout(t.Context(), retaining(Parked, "two"), wanting(""), false)
	if err != nil || s.Parked == nil {
		t.Fatalf("ended %s (%s), parked %v: %v", s.Phase, s.Reason, s.Parked, err)
	}
	if _, _, err := r.Rollback(t.Context(), ""); err != nil || r.cloud.endpoint.Traffic.Live() != "blue" {
		t.Errorf("rollback: %v, the traffic is %s", err, r.cloud.endpoint.Traffic)
	}
}

// An abort that came too late is none.
func TestAbortThatIsTooLate(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.cloud.onDelete = func() error { return errors.New("stop here") }
	s, err := r.Rollout(t.Context(), retaining(None, "two"), wanting(""), false)
	if err != nil {
		t.Fatal(err)
	}
	r.cut(t, Retiring, func(now *State) {
		s.ID, s.Fence, s.Reason = now.ID, now.Fence, ""
		*now = s
	})
	_, err = r.Abort(t.Context(), "", "")
	r.wants(t, err, online.Conflict, "too late", Promoted)
}

// Who says promote is told when the rollout goes back instead.
func TestPromotedAndAborted(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.interrupt(t, "two")
	r.hurry(func(d string) (azure.MetricsPoint, error) {
		if d == "green" {
			return answered(1000, 900, 1), nil
		}
		return fine(d)
	})
	_, err := r.Promote(t.Context(), "")
	r.wants(t, err, online.RolledBack, "errors", RolledBack)
}

// What a split leaves behind is not nothing.
func TestSplitIsAWayBack(t *testing.T) {
	split := Plan{Before: Snapshot{Traffic: traffic(t, map[string]int{"blue": 50, "other": 50})}}
	if got := split.allocated(); strings.Contains(got, "nothing was live") {
		t.Errorf("of a split: %q", got)
	}
	if got := (Plan{}).allocated(); !strings.Contains(got, "nothing was live") {
		t.Errorf("of the first rollout: %q", got)
	}
}

// A rollout that carries traffic with nobody at it is not to be taken for one that runs.
func TestUnattended(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := r.paused(ctx, t, "two")
	unattended := func() bool {
		s, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Unattended()
	}
	if unattended() {
		t.Error("it runs, and is told to be unattended")
	}
	cancel(errors.New("interrupted"))
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "hotswap resume") {
		t.Errorf("it ended with %v, want what to do next", err)
	}
	if !unattended() {
		t.Error("nobody runs it, and it is not told")
	}
	if _, err := r.Abort(t.Context(), "", ""); err != nil || unattended() {
		t.Errorf("after the abort: %v, unattended %v", err, unattended())
	}
}
