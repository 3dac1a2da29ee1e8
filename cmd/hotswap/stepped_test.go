package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// inSteps is a rollout of the project in two steps and a bake, each as short as the load allows.
func (p *project) inSteps(more ...string) []string {
	return append(p.rollout("--steps", "25,100", "--interval", "2s", "--bake", "2s", "--min-requests", "20", "--analysis-timeout", "30s",
		"--latency-slack", "50ms", "--max-p99-ratio", "10"), more...)
}

// underLoad has the project's first model live, and clients that score it.
func (p *project) underLoad(t *testing.T, s *server) *scorers {
	t.Helper()
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.becomes(t, s, "one")
	p.register(t, s, "two")
	return s.score(t, p.endpoint, 4, 10*time.Millisecond, `{"n": 21}`)
}

// A candidate that does as well as live gets the traffic step by step, and no request is lost.
func TestStepsUnderLoad(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "stepped")
	clients := p.underLoad(t, s)
	r := s.run(t, p.inSteps()...).expect(t, 0, "25 %: passed")
	for _, says := range []string{"blue=100 to blue=75 green=25", "blue=75 green=25 to green=100", "100 %: passed", "blue is kept warm: 1 × Standard_DS2_v2"} {
		if !strings.Contains(r.stderr, says) {
			t.Errorf("it does not say %q: %s", says, r)
		}
	}
	p.becomes(t, s, "two")
	clients.end(t, 200)
	if clients.by["green"] == 0 || clients.by["blue"] == 0 {
		t.Errorf("answers by deployment: %v, want both", clients.by)
	}
}

// A fault that shows under traffic only is seen at the 25 % step: the traffic goes back by itself,
// the outcome has its own exit code, and no request is lost.
func TestFaultsAtTheFirstStep(t *testing.T) {
	tests := map[string]struct{ fault, says string }{
		"latency": {"time.sleep(0.3)", "p50 latency"},
		"errors":  {"raise ValueError('boom')", "errors: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := newProject(t, "fault-"+name)
			clients := p.underLoad(t, s)
			p.replace(t, "src/score.py", "import json, os", "import json, os, time\n\nseen = 0")
			p.replace(t, "src/score.py", "    return {", fmt.Sprintf("    global seen\n    seen += 1\n    if seen > 5: %s\n    return {", tt.fault))
			s.run(t, p.inSteps()...).expect(t, 3, tt.says)
			st := p.status(t, s)
			if st.Live != "blue" || st.Lock != nil || st.Rollout.Phase != "RolledBack" || !strings.Contains(st.Rollout.Reason, tt.says) {
				t.Errorf("it left %+v, want blue live, no lock, and why it was rolled back", st)
			}
			p.becomes(t, s, "one")
			if name == "latency" { // a model that raises is a failed request: the fault, not the swap
				clients.end(t, 200)
			}
		})
	}
}

// An endpoint that nobody scores gives no evidence, and so no promotion.
func TestStepWithoutRequestsGoesBack(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "silent")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.register(t, s, "two")
	s.run(t, p.inSteps("--analysis-timeout", "1s")...).expect(t, 3, "too few requests: the candidate answered 0, want 20")
	p.becomes(t, s, "one")
}

// A pause is ended from anywhere, by another process than the one that waits.
func TestPauseIsEndedFromAnywhere(t *testing.T) {
	for verb, want := range map[string]struct {
		code int
		live string
	}{"promote": {0, "two"}, "abort": {3, "one"}} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := newProject(t, "pause-"+verb)
			p.underLoad(t, s)
			waiting := s.client(nil, p.inSteps("--pause-at", "25")...)
			ended := make(chan result, 1)
			go func() { ended <- finish(t, waiting) }()
			waitFor(t, "the pause", func() bool { st := p.status(t, s); return st.Rollout != nil && st.Rollout.Phase == "Paused" })
			s.run(t, p.rollout()...).expect(t, 4, "locked by")
			s.run(t, verb, "-e", p.endpoint).expect(t, 0, "")
			if r := <-ended; r.code != want.code {
				t.Errorf("want exit %d, got %s", want.code, r)
			}
			p.becomes(t, s, want.live)
		})
	}
}

// A way back that is parked costs nothing, and is there in seconds.
func TestParkedSlotComesBack(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "parking")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.register(t, s, "two")
	s.run(t, p.rollout("--retain", "parked")...).expect(t, 0, "blue is parked: no instance stays allocated")
	s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "starting its instances again")
	p.becomes(t, s, "one")
}

// With nothing retained, the way back is a rollout of what was live before.
func TestBackToAVersionThatIsGone(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "gone")
	for _, name := range []string{"one", "two"} {
		p.register(t, s, name)
		s.run(t, p.rollout("--retain", "none")...).expect(t, 0, "")
	}
	if st := p.status(t, s); len(st.Deployments) != 1 {
		t.Errorf("left %+v, want one deployment", st.Deployments)
	}
	s.run(t, "rollback", "-e", p.endpoint).expect(t, 5, "hotswap rollback --to")
	s.run(t, "rollback", "-e", p.endpoint, "--to", "1", "--request-file", p.path("request.json")).expect(t, 0, "")
	p.becomes(t, s, "one")
	s.run(t, "rollback", "-e", p.endpoint, "--to", "1", "--request-file", p.path("request.json")).expect(t, 5, "changes nothing")
}
