package rollout

import (
	"testing"

	"hotswap/internal/online"
)

// One late read, of the endpoint or of its deployments, halts nothing.
func TestLateReadsHaltNothing(t *testing.T) {
	t.Run("of the endpoint", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		late := 0
		r.when("blue=75 green=25", func() {
			r.cloud.onRead = func(e *online.Endpoint) {
				if late++; late == 1 {
					e.Traffic = online.AllTo("blue")
				}
			}
		})
		if s, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false); err != nil || s.Phase != Promoted || late == 0 {
			t.Errorf("ended %s, %v, after %d reads", s.Phase, err, late)
		}
	})
	t.Run("of the deployments", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.live(t, "one")
		late := 0
		r.when("blue=75 green=25", func() {
			now := r.cloud.deployments["green"]
			r.cloud.onList = func() error {
				late++
				was := now
				was.Fingerprint = "of before"
				if late > 1 {
					was = now
				}
				r.cloud.deployments["green"] = was
				return nil
			}
		})
		if s, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false); err != nil || s.Phase != Promoted || late < 2 {
			t.Errorf("ended %s, %v, after %d lists", s.Phase, err, late)
		}
	})
}

// A candidate that is changed between the last look at it and the next write gets no further.
func TestCandidateChangedBeforeTheNextStep(t *testing.T) {
	r := newRig(t)
	r.live(t, "one")
	r.when("blue=75 green=25", func() {
		r.cloud.onList = func() error {
			changed := r.cloud.deployments["green"].Deployment
			changed.Description = "changed by hand"
			r.cloud.keep(changed)
			return nil
		}
	})
	_, err := r.Rollout(t.Context(), stepped("two"), wanting(""), false)
	r.wants(t, err, online.RolledBack, "was changed since", RolledBack)
	if got := r.cloud.endpoint.Traffic.String(); got != "blue=100" {
		t.Errorf("the traffic is %s", got)
	}
}
