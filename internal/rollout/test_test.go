package rollout

import (
	"net/http"
	"strings"
	"testing"

	"hotswap/internal/checks"
)

func TestJudge(t *testing.T) {
	const ok = `{"fares":[18.2]}`
	tests := map[string]struct {
		answer checks.Answer
		want   string // of the expected answer; "" for none
		reason string // what the first reason says; "" for a pass
	}{
		"as expected":        {answer: checks.Answer{Status: 200, Deployment: "green", Body: []byte(ok)}, want: `{"fares": [18.0]}`},
		"nothing expected":   {answer: checks.Answer{Status: 200, Deployment: "green", Body: []byte(ok)}},
		"another deployment": {answer: checks.Answer{Status: 200, Deployment: "blue", Body: []byte(ok)}, reason: `came from deployment "blue", want "green"`},
		"no deployment":      {answer: checks.Answer{Status: 200, Body: []byte(ok)}, reason: `came from deployment "", want "green"`},
		"model error":        {answer: checks.Answer{Status: 424, Deployment: "green", Body: []byte("boom")}, reason: "status 424, want 200: boom"},
		"error in a 200":     {answer: checks.Answer{Status: 200, Deployment: "green", Body: []byte(`"division by zero"`)}, reason: "is an error's text: division by zero"},
		"wrong number":       {answer: checks.Answer{Status: 200, Deployment: "green", Body: []byte(`{"fares":[99]}`)}, want: ok, reason: "is not the expected one"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Check{Tolerance: 0.5}
			if tt.want != "" {
				c.Want = []byte(tt.want)
			}
			reasons := judge(tt.answer, "green", c)
			switch {
			case tt.reason == "" && len(reasons) > 0:
				t.Errorf("judge = %q, want a pass", reasons)
			case tt.reason != "" && (len(reasons) == 0 || !strings.Contains(reasons[0], tt.reason)):
				t.Errorf("judge = %q, want %q", reasons, tt.reason)
			}
		})
	}
}

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
