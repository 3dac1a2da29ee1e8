package rollout

import (
	"net/http"
	"testing"

	"hotswap/internal/checks"
)

// No test, no traffic: a verdict counts for exactly the candidate that it names.
func TestVerdictCountsForItsCandidateOnly(t *testing.T) {
	passing := checks.Verdict{Passed: true, Deployment: "green", Fingerprint: "f1", Status: http.StatusOK}
	tests := map[string]struct {
		change func(*checks.Verdict)
		want   bool
	}{
		"its own":           {func(*checks.Verdict) {}, true},
		"failed":            {func(v *checks.Verdict) { v.Passed = false }, false},
		"of another slot":   {func(v *checks.Verdict) { v.Deployment = "blue" }, false},
		"of an earlier one": {func(v *checks.Verdict) { v.Fingerprint = "f0" }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := passing
			tt.change(&v)
			s := State{Candidate: Candidate{Deployment: "green", Fingerprint: "f1"}, Verdict: &v}
			if got := s.passed(); got != tt.want {
				t.Errorf("passed = %v, want %v", got, tt.want)
			}
		})
	}
	if (State{Candidate: Candidate{Deployment: "green", Fingerprint: "f1"}}).passed() {
		t.Error("a candidate without a verdict passed")
	}
}
