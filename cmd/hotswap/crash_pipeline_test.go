package main

import (
	"strings"
	"syscall"
	"testing"
)

// pipelineCrashes are the places in a rollout at which a crash would be worst. A refused
// candidate passes by some that a promoted one does not.
var pipelineCrashes = map[string][]string{
	"promoted": {
		"rollout.journal.Planned.before", "rollout.journal.Planned.after",
		"rollout.journal.Deploying.before", "rollout.journal.Deploying.after",
		"rollout.deployment.before", "rollout.deployment.after",
		"rollout.journal.Deployed.before", "rollout.journal.Deployed.after",
		"rollout.journal.Tested.before", "rollout.journal.Tested.after",
		"rollout.journal.Swapping.before", "rollout.journal.Swapping.after",
		"rollout.traffic.before", "rollout.traffic.after",
		"rollout.journal.Promoted.before", "rollout.journal.Promoted.after",
	},
	"refused": {
		"rollout.journal.Restoring.before", "rollout.journal.Restoring.after",
		"rollout.restore.before", "rollout.restore.after",
		"rollout.journal.Refused.before", "rollout.journal.Refused.after",
	},
	"abandoned": {"rollout.journal.Abandoned.before", "rollout.journal.Abandoned.after"},
	"halted":    {"rollout.journal.Failed.before", "rollout.journal.Failed.after"},
}

// A pipeline that is killed anywhere leaves an endpoint that the next one can go on with, and
// the next one says what became of it.
func TestPipelineCrashes(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		for kind, points := range pipelineCrashes {
			for _, point := range points {
				t.Run(point, func(t *testing.T) {
					t.Parallel()
					p := newProject(t, endpointName(point))
					p.register(t, s, "one")
					s.run(t, p.rollout()...).expect(t, 0, "")
					p.register(t, s, "two")
					s.run(t, p.rollout()...).expect(t, 0, "")
					p.register(t, s, "three")
					p.provoke(t, s, kind, point)
					if st := p.status(t, s); st.Live == "" {
						t.Fatalf("after the crash nothing is live: %+v", st)
					}
					if kind == "refused" {
						p.wayBack(t, s)
						return
					}
					p.wayOn(t, s)
				})
			}
		}
	})
}

// provoke brings a pipeline to where it passes by the points of a kind, and has it killed there.
func (p *project) provoke(t *testing.T, s *server, kind, point string) {
	t.Helper()
	switch kind {
	case "refused":
		p.replace(t, "src/score.py", `return {"model"`, `return "boom" or {"model"`)
	case "abandoned":
		s.crash(t, "rollout.journal.Deployed.after", p.rollout()...)
	case "halted":
		s.run(t, p.deploy()...).expect(t, 0, "")
		s.run(t, "test", "-e", p.endpoint, "--request-file", p.path("request.json")).expect(t, 0, "")
		s.moveTraffic(t, p.endpoint, map[string]int{"green": 90, "blue": 10})
		s.crash(t, point, "swap", "-e", p.endpoint)
		s.moveTraffic(t, p.endpoint, map[string]int{"green": 100})
		return
	}
	s.crash(t, point, p.rollout()...)
}

// endpointName makes a name that an endpoint may have of a crash point's.
func endpointName(point string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(point, "rollout."), ".", "-"))
}

// crash runs a command that must be killed at the point.
func (s *server) crash(t *testing.T, point string, args ...string) {
	t.Helper()
	c := s.client([]string{"HOTSWAP_CRASH_AT=" + point}, args...)
	r := finish(t, c)
	status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL || !strings.Contains(r.stderr, "crash point: "+point) {
		t.Fatalf("%s was not hit: %s", point, r)
	}
}

// wayOn requires that the next rollout ends with its model live and nothing left over.
func (p *project) wayOn(t *testing.T, s *server) {
	t.Helper()
	s.run(t, p.rollout()...).expect(t, 0, "")
	st := p.status(t, s)
	if st.Live == "" || st.Lock != nil || st.Rollout.Phase != "Promoted" || len(st.Deployments) != 2 {
		t.Errorf("left %+v, want one slot live, no lock and two deployments", st)
	}
	p.becomes(t, s, "three")
}

// wayBack requires that the former live model can still be brought back.
func (p *project) wayBack(t *testing.T, s *server) {
	t.Helper()
	p.becomes(t, s, "two")
	s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "")
	p.becomes(t, s, "one")
	if st := p.status(t, s); st.Lock != nil || len(st.Deployments) != 2 {
		t.Errorf("left %+v, want no lock and two deployments", st)
	}
}
