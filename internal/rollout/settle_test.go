package rollout

import (
	"testing"

	"hotswap/internal/online"
)

// A rollback to traffic that was split has no slot of its own, and is undone all the same.
func TestRollbackToASplitIsSettled(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	r.cut(t, Planned, func(s *State) {
		s.Plan.Before = Snapshot{Traffic: online.AllTo("green")}
		s.Plan.After = traffic(t, map[string]int{"blue": 90, "green": 10})
		s.Plan.Undoes = "another"
	})
	r.live(t, "three")
}

// An endpoint that is deleted while its swap is open can be made again.
func TestDeletedEndpointIsSettled(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	cut := r.cut(t, Swapping, func(s *State) {
		s.Plan.Slot, s.Plan.Before.Traffic, s.Plan.After = "green", online.AllTo("blue"), online.AllTo("green")
	})
	r.cloud.endpoint = nil
	clear(r.cloud.deployments)
	r.live(t, "two")
	if _, s, _, err := r.Runner.newest(t.Context(), cut.ID); err != nil || s.Phase != Failed {
		t.Errorf("the open swap ended %s, %v; want Failed", s.Phase, err)
	}
}

// A swap that was cut off is not taken for undone because of a read that lags behind: the slot
// that it made live would be written.
func TestLateSwapIsNotTakenForUndone(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	cut := r.cut(t, Swapping, func(s *State) {
		s.Plan.Slot, s.Plan.Before.Traffic, s.Plan.After = "blue", online.AllTo("green"), online.AllTo("blue")
	})
	r.cloud.endpoint.Traffic = online.AllTo("blue")
	reads := 0
	r.cloud.onRead = func(e *online.Endpoint) {
		e.Properties = nil // as Azure's, which says nothing of its routes
		if reads++; reads < 4 {
			e.Traffic = online.AllTo("green")
		}
	}
	if _, err := r.open(t.Context(), "the next", takeable, true); err != nil {
		t.Fatal(err)
	}
	if s := r.newest(t); s.ID != cut.ID || s.Phase != Promoted {
		t.Errorf("the cut swap ended %s, want Promoted", s.Phase)
	}
}

// Two rollouts are cut off in a row, the second before it has written: what the first one
// displaced is still what a refused candidate gives the slot back to.
func TestWayBackOutlivesTwoCuts(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	held := r.cloud.deployments["blue"].Deployment
	plan := func(s *State) {
		s.Plan.Slot, s.Plan.Before.Traffic, s.Plan.After, s.Plan.Displaced = "blue", online.AllTo("green"), online.AllTo("blue"), &held
	}
	first := r.cut(t, Deploying, plan)
	unproven := held
	unproven.Tags = map[string]string{online.TagRollout: first.ID}
	r.cloud.keep(unproven)
	r.cut(t, Planned, plan)
	_, err := r.Rollout(t.Context(), request("three"), wanting("[2]"), false)
	r.wants(t, err, online.Refused, "is not the expected one", Refused)
	if s, _, err := r.Rollback(t.Context(), ""); err != nil || s.Plan.Slot != "blue" {
		t.Errorf("rollback to %q: %v, want blue", s.Plan.Slot, err)
	}
}

// A rollback whose slot could not be given back what it held can be tried again.
func TestRollbackThatCouldNotGiveBackIsTriedAgain(t *testing.T) {
	r := newRig(t)
	r.live(t, "one", "two")
	if _, err := r.Deploy(t.Context(), request("three")); err != nil {
		t.Fatal(err)
	}
	r.cloud.onKeep = func() error { return online.Errorf(online.Unavailable, "the service is away") }
	if _, _, err := r.Rollback(t.Context(), ""); online.CodeOf(err) != online.Refused {
		t.Fatalf("a rollback to a slot that holds something else: %v, want refused", err)
	}
	r.cloud.onKeep = nil
	s, already, err := r.Rollback(t.Context(), "")
	if err != nil || already || s.Phase != Promoted || !r.cloud.endpoint.Traffic.Equal(online.AllTo("blue")) {
		t.Errorf("the second try ended %s, %v, traffic %s; want blue live", s.Phase, err, r.cloud.endpoint.Traffic)
	}
}
