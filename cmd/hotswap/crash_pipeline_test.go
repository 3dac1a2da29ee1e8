package main

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pipelineCrashes are the places in a rollout at which a crash would be worst, by the way on which
// a pipeline comes by them.
var pipelineCrashes = map[string][]string{
	"once": { // all the traffic at once
		"rollout.journal.Planned.before", "rollout.journal.Planned.after",
		"rollout.journal.Deploying.before", "rollout.journal.Deploying.after",
		"rollout.deployment.before", "rollout.deployment.after",
		"rollout.journal.Deployed.before", "rollout.journal.Deployed.after",
		"rollout.journal.Tested.before", "rollout.journal.Tested.after",
		"rollout.journal.Swapping.before", "rollout.journal.Swapping.after",
		"rollout.traffic.before", "rollout.traffic.after",
		"rollout.journal.Promoted.before", "rollout.journal.Promoted.after",
	},
	"step": { // the first of two steps, and the pause after it
		"rollout.traffic.before", "rollout.traffic.after",
		"rollout.journal.Watching.before", "rollout.journal.Watching.after",
		"rollout.journal.Paused.before", "rollout.journal.Paused.after",
	},
	"next": { // the second step, and its bake
		"rollout.journal.Swapping.before", "rollout.journal.Swapping.after",
		"rollout.traffic.before", "rollout.traffic.after",
		"rollout.journal.Watching.before", "rollout.journal.Watching.after",
	},
	"none": { // the former live slot is deleted
		"rollout.journal.Retiring.before", "rollout.journal.Retiring.after",
		"rollout.retire.before", "rollout.retire.after",
	},
	"parked": {"rollout.retire.before", "rollout.retire.after"}, // or parked
	"back": { // the way back from the first step
		"rollout.journal.RollingBack.before", "rollout.journal.RollingBack.after",
		"rollout.traffic.before", "rollout.traffic.after",
		"rollout.journal.Restoring.before", "rollout.journal.Restoring.after",
		"rollout.restore.before", "rollout.restore.after",
		"rollout.journal.RolledBack.before", "rollout.journal.RolledBack.after",
	},
	"refused": { // a candidate that does not pass its test
		"rollout.journal.Restoring.before", "rollout.journal.Restoring.after",
		"rollout.restore.before", "rollout.restore.after",
		"rollout.journal.Refused.before", "rollout.journal.Refused.after",
	},
	"abandoned": {"rollout.journal.Abandoned.before", "rollout.journal.Abandoned.after"},
	"halted":    {"rollout.journal.Failed.before", "rollout.journal.Failed.after"},
}

// A pipeline that is killed anywhere leaves an endpoint that the next one can go on with. That one
// says whether it resumed or undid what was left, and no request is lost on the way.
func TestPipelineCrashes(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		for kind, points := range pipelineCrashes {
			if kind == "parked" && slices.Contains(s.args, "--azure-like") {
				continue // Azure can't park
			}
			for _, point := range points {
				t.Run(kind+"/"+point, func(t *testing.T) {
					t.Parallel()
					p := newProject(t, endpointName(kind, point))
					clients := p.twoLive(t, s)
					p.provoke(t, s, kind, point)
					p.cutOff(t, s)
					if kind == "refused" {
						p.wayBack(t, s)
					} else {
						p.wayOn(t, s)
					}
					clients.end(t, 20)
				})
			}
		}
	})
}

// twoLive has model two live, one in the other slot and three to come, and a client that scores.
func (p *project) twoLive(t *testing.T, s *server) *scorers {
	t.Helper()
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.becomes(t, s, "one") // the first traffic of all is not in force at once where routes follow late
	clients := s.score(t, p.endpoint, 1, 40*time.Millisecond, `{"n": 21}`)
	p.register(t, s, "two")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.register(t, s, "three")
	return clients
}

// twoSteps is a rollout of the project in steps that last as little as the metrics allow, with
// bounds that hold on a busy machine: what is tested is where it goes on, not how it judges.
func (p *project) twoSteps(more ...string) []string {
	return append(p.rollout("--steps", "25,100", "--interval", "2s", "--bake", "2s", "--min-requests", "3", "--analysis-timeout", "2m",
		"--latency-slack", "30s"), more...)
}

// provoke brings a pipeline to where it passes by the points of a kind, and has it killed there.
func (p *project) provoke(t *testing.T, s *server, kind, point string) {
	t.Helper()
	switch kind {
	case "step":
		s.crash(t, point, p.twoSteps("--pause-at", "25")...)
	case "through": // the first step, with no pause after it
		s.crash(t, point, p.twoSteps()...)
	case "next":
		s.crash(t, "rollout.journal.Paused.after", p.twoSteps("--pause-at", "25")...)
		s.crash(t, point, "promote", "-e", p.endpoint)
	case "none", "parked":
		s.crash(t, point, p.rollout("--retain", kind)...)
	case "back":
		s.crash(t, "rollout.journal.Watching.after", p.twoSteps()...)
		s.crash(t, point, "abort", "-e", p.endpoint)
	case "refused":
		p.replace(t, "src/score.py", `return {"model"`, `return "boom" or {"model"`)
		s.crash(t, point, p.rollout()...)
	case "abandoned":
		s.crash(t, "rollout.journal.Deployed.after", p.rollout()...)
		s.crash(t, point, p.rollout()...)
	case "halted":
		s.run(t, p.deploy()...).expect(t, 0, "")
		s.run(t, "test", "-e", p.endpoint, "--request-file", p.path("request.json")).expect(t, 0, "")
		s.moveTraffic(t, p.endpoint, map[string]int{"green": 90, "blue": 10})
		s.crash(t, point, "swap", "-e", p.endpoint)
		s.moveTraffic(t, p.endpoint, map[string]int{"green": 100})
	default:
		s.crash(t, point, p.rollout()...)
	}
}

// cutOff requires that the crash has left all the traffic on deployments that are there.
func (p *project) cutOff(t *testing.T, s *server) {
	t.Helper()
	st, total := p.status(t, s), 0
	for _, d := range st.Deployments {
		total += d.Traffic
	}
	if total != 100 {
		t.Fatalf("the crash left %+v, want traffic that adds up to 100", st)
	}
}

// endpointName makes a name that an endpoint may have of a crash point's.
func endpointName(kind, point string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(point, "rollout."), "journal.")
	return strings.ToLower(kind + "-" + strings.ReplaceAll(name, ".", "-"))
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

// wayOn requires that the next rollout says what it did about the one that was cut off, and ends
// with its model live and nothing left over.
func (p *project) wayOn(t *testing.T, s *server) {
	t.Helper()
	cut := p.status(t, s).Rollout
	open := cut != nil && !slices.Contains([]string{"Promoted", "RolledBack", "Refused", "Failed", "Abandoned"}, cut.Phase)
	r := s.run(t, p.rollout()...).expect(t, 0, "")
	for _, says := range []string{cut.Rollout + " was cut off when " + cut.Phase, "rollout " + cut.Rollout + ": "} {
		if strings.Contains(r.stderr, says) != open {
			t.Errorf("the rollout before was left %s; %q said is %v: %s", cut.Phase, says, !open, r)
		}
	}
	if open && !strings.Contains(r.stderr, ": resumed, ") && !strings.Contains(r.stderr, ": undone") {
		t.Errorf("the next rollout does not say whether it resumed or undid: %s", r)
	}
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

// A person who does not want a new rollout goes on with the one that was cut off.
func TestResumeAfterACrash(t *testing.T) {
	tests := map[string]struct {
		kind, point string
		code        int
		says, live  string
	}{
		"untested":    {"once", "rollout.journal.Deployed.after", 5, "was undone: cut off before its test had passed", "two"},
		"tested":      {"once", "rollout.journal.Tested.after", 0, "resumed, it was cut off when Tested", "three"},
		"written":     {"through", "rollout.traffic.after", 0, "resumed, it was cut off when Swapping", "three"},
		"watched":     {"through", "rollout.journal.Watching.after", 0, "resumed, it was cut off when Watching", "three"},
		"second step": {"next", "rollout.traffic.before", 0, "resumed, it was cut off when Swapping", "three"},
		"going back":  {"back", "rollout.traffic.before", 3, "resumed, it was cut off when RollingBack", "two"},
		"retiring":    {"none", "rollout.retire.after", 0, "resumed, it was cut off when Retiring", "three"},
	}
	modes(t, func(t *testing.T, s *server) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newProject(t, "resume-"+strings.ReplaceAll(name, " ", "-"))
				clients := p.twoLive(t, s)
				p.provoke(t, s, tt.kind, tt.point)
				p.cutOff(t, s)
				s.run(t, "resume", "-e", p.endpoint).expect(t, tt.code, tt.says)
				p.becomes(t, s, tt.live)
				if st := p.status(t, s); st.Lock != nil || st.Live == "" {
					t.Errorf("left %+v, want one slot live and no lock", st)
				}
				s.run(t, "resume", "-e", p.endpoint).expect(t, 5, "is over")
				clients.end(t, 20)
			})
		}
	})
}
