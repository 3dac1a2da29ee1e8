package rollout

import (
	"slices"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/spec"
)

// What was live is live again: at once where a slot still holds that very deployment, else by a
// rollout of its content; and where it is live already nothing is written.
func TestReinstate(t *testing.T) { //nolint:gocyclo // because it is a table of conditions, each of which counts
	tests := map[string]struct {
		live   []string                   // the versions that are live in turn after the wanted one
		change func(*rig)                 // by hand
		writes func(writes []string) bool // of the endpoint and its deployments
	}{
		"live":    {nil, nil, func(w []string) bool { return len(w) == 0 }},
		"at once": {[]string{"two"}, nil, func(w []string) bool { return slices.Equal(w, []string{"traffic blue=100"}) }},
		"split": {[]string{"two"}, func(r *rig) {
			e := *r.cloud.endpoint
			e.Traffic, _ = online.NewTraffic(map[string]int{"blue": 10, "green": 90})
			r.cloud.put(e)
		}, func(w []string) bool { return slices.Equal(w, []string{"traffic blue=100"}) }},
		"deployed again": {[]string{"two", "three"}, nil, func(w []string) bool { return len(w) > 1 && w[len(w)-1] == "traffic green=100" }},
		"changed by hand": {[]string{"two"}, func(r *rig) {
			d := r.cloud.deployments["blue"].Deployment
			d.Description = "by hand"
			r.cloud.keep(d)
		}, func(w []string) bool { return len(w) > 1 && w[len(w)-1] == "traffic blue=100" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.live(t, "one")
			was, err := r.Live(t.Context())
			if err != nil || was.Made == nil || was.Made.Phase != Promoted {
				t.Fatalf("live is %+v, %v", was, err)
			}
			want := Reinstatement{Content: *was.Made.Candidate.Content, Fingerprint: was.Deployment.Fingerprint, Commit: "c1", Reason: "restore"}
			r.live(t, tt.live...)
			if tt.change != nil {
				tt.change(r)
			}
			before := len(r.cloud.writes)
			if _, err := r.Reinstate(t.Context(), want, Tests{}); err != nil {
				t.Fatal(err)
			}
			now, err := r.Live(t.Context())
			if err != nil || now.Deployment == nil {
				t.Fatalf("live is %+v, %v", now, err)
			}
			changes, err := r.Differs(t.Context(), now.Deployment.Deployment, spec.Deployment{Deployment: want.Content}, want.Content.Model)
			if err != nil || !Same(changes, false) {
				t.Errorf("what is live differs: %+v, %v", changes, err)
			}
			if w := r.cloud.writes[before:]; !tt.writes(w) {
				t.Errorf("it wrote %q", w)
			}
			if l, err := r.Journal.Lock(t.Context()); err != nil || l.Held {
				t.Errorf("the lock is left: %+v, %v", l, err)
			}
		})
	}
}
