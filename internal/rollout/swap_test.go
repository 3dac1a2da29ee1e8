package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hotswap/internal/online"
)

// tested leaves a rollout of version that waits for its swap.
func (r *rig) tested(t *testing.T, version string) State {
	t.Helper()
	if _, err := r.Deploy(t.Context(), request(version)); err != nil {
		t.Fatal(err)
	}
	s, err := r.Test(t.Context(), "", wanting(""))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wants requires an error with that code that says something, and the phase that the journal has.
func (r *rig) wants(t *testing.T, err error, code online.Code, says string, p Phase) {
	t.Helper()
	if online.CodeOf(err) != code || err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v (%s), want %s and %q", err, online.CodeOf(err), code, says)
	}
	if got := r.newest(t).Phase; got != p {
		t.Errorf("the journal says %s, want %s", got, p)
	}
}

// What was cut off in its swap may be live: a further test can neither refuse it nor take it back.
func TestSwapThatWasCutOffIsNotTestedAgain(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	s := r.tested(t, "two")
	turn, err := r.rejoin(t.Context(), s.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := turn.enter(t.Context(), Swapping); err != nil {
		t.Fatal(err)
	}
	if err := turn.lease.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.cloud.endpoint.Traffic = online.AllTo("green")
	changed := r.cloud.deployments["green"].Deployment
	changed.Description = "changed by hand, while live"
	r.cloud.keep(changed)
	_, err = r.Test(t.Context(), s.ID, wanting("[2]"))
	r.wants(t, err, online.Conflict, "run hotswap resume", Swapping)
	if s, _, err := r.Swap(t.Context(), s.ID, false, DefaultStrategy()); err != nil || s.Phase != Promoted {
		t.Errorf("the swap ended %s, %v; want Promoted", s.Phase, err)
	}
}

// A read that fails says nothing about the candidate.
func TestFailedReadDoesNotRefuse(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	s := r.tested(t, "two")
	r.cloud.onList = func() error { return online.Errorf(online.Unavailable, "try again") }
	_, _, err := r.Swap(t.Context(), s.ID, false, DefaultStrategy())
	r.wants(t, err, online.Unavailable, "try again", Tested)
	r.cloud.onList = nil
	if s, _, err := r.Swap(t.Context(), s.ID, false, DefaultStrategy()); err != nil || s.Phase != Promoted {
		t.Errorf("the second try ended %s, %v; want Promoted", s.Phase, err)
	}
}

// An interrupted swap whose reply was lost is neither taken nor not taken.
func TestInterruptedSwapIsNotKnown(t *testing.T) {
	r := newRig(t)
	s := r.tested(t, "one")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.cloud.onPut = func(online.Endpoint) error {
		r.cloud.onRead = func(*online.Endpoint) { cancel(errors.New("interrupted")) }
		return online.Errorf(online.Unavailable, "the reply was lost")
	}
	_, _, err := r.Swap(ctx, s.ID, false, DefaultStrategy())
	if err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("error %v, want that the outcome is not known", err)
	}
	if got := r.newest(t).Phase; got != Swapping {
		t.Errorf("the journal says %s, want %s", got, Swapping)
	}
}

// What is live may have been changed since it was promoted.
func TestAlreadyLiveIsTrue(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	if _, already, err := r.Swap(t.Context(), "", false, DefaultStrategy()); err != nil || !already {
		t.Fatalf("already = %v, %v", already, err)
	}
	changed := r.cloud.deployments["blue"].Deployment
	changed.Description = "changed by hand"
	r.cloud.keep(changed)
	_, _, err := r.Swap(t.Context(), "", false, DefaultStrategy())
	r.wants(t, err, online.Refused, "was changed since", Promoted)
}

func TestRolledBackAlreadyIsTrue(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	if _, already, err := r.Rollback(t.Context(), ""); err != nil || already {
		t.Fatalf("already = %v, %v", already, err)
	}
	if _, already, err := r.Rollback(t.Context(), ""); err != nil || !already {
		t.Fatalf("the second time: already = %v, %v", already, err)
	}
	r.cloud.endpoint.Traffic = online.AllTo("green")
	_, _, err := r.Rollback(t.Context(), "")
	r.wants(t, err, online.Refused, "someone else moved it", Promoted)
}

// A rollback is no candidate: a pipeline whose swap is run again after one must not end well.
func TestRollbackIsNotSwapped(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	if _, _, err := r.Rollback(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	_, _, err := r.Swap(t.Context(), "", false, DefaultStrategy())
	r.wants(t, err, online.Refused, "is a rollback", Promoted)
}

// An end that the journal does not have is not told as one.
func TestEndThatIsNotSaved(t *testing.T) {
	r := newRig(t)
	s := r.tested(t, "one")
	turn, err := r.rejoin(t.Context(), s.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	turn.seq = 0 // an entry that is there
	if err := turn.halt(t.Context(), turn.moved(online.Endpoint{})); err == nil || !strings.Contains(err.Error(), "someone else moved it; nothing more is done; and the end could not be saved") {
		t.Errorf("error %v, want both reasons", err)
	}
	if turn.state.Phase != Tested {
		t.Errorf("phase %s, want %s", turn.state.Phase, Tested)
	}
}

func TestLag(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		e    online.Endpoint
		want time.Duration
	}{
		"routes at once":     {online.Endpoint{Properties: map[string]string{online.RoutesAtOnce: "yes"}, ModifiedAt: now}, 0},
		"written just now":   {online.Endpoint{ModifiedAt: now}, routingLag},
		"written a bit ago":  {online.Endpoint{ModifiedAt: now.Add(-5 * time.Second)}, routingLag - 5*time.Second},
		"by a clock ahead":   {online.Endpoint{ModifiedAt: now.Add(time.Hour)}, routingLag},
		"nobody knows when":  {online.Endpoint{}, routingLag},
		"written in the day": {online.Endpoint{ModifiedAt: now.Add(-time.Hour)}, routingLag - time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := lag(tt.e, now); got != tt.want {
				t.Errorf("lag = %v, want %v", got, tt.want)
			}
		})
	}
}
