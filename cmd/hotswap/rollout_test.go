package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// modes are the two ways in which a server may answer: ours, and as Azure does. What the
// pipeline promises holds in both.
func modes(t *testing.T, test func(t *testing.T, s *server)) {
	t.Parallel()
	for name, args := range map[string][]string{"at once": nil, "azure-like": {"--azure-like"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startServer(t, args...))
		})
	}
}

// ended is what a command of the pipeline prints with -o json.
type ended struct {
	Rollout    string `json:"rollout"`
	Deployment string `json:"deployment"`
	Phase      string `json:"phase"`
	Forced     bool   `json:"forced"`
}

func (r result) rollout(t *testing.T) (e ended) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.stdout), &e); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	return e
}

// expect requires an exit code, and that stderr says something.
func (r result) expect(t *testing.T, code int, says string) result {
	t.Helper()
	if r.code != code || !strings.Contains(r.stderr, says) {
		t.Fatalf("want exit %d and %q, got %s", code, says, r)
	}
	return r
}

// The slots take turns, run after run, also where nothing has changed.
func TestSlotsAlternate(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "turns")
		p.register(t, s, "one")
		for n, slot := range []string{"blue", "green", "blue"} {
			r := s.run(t, p.rollout()...).expect(t, 0, "")
			if e := r.rollout(t); e.Deployment != slot || e.Phase != "Promoted" {
				t.Fatalf("rollout %d went to %s and ended %s, want %s and Promoted", n, e.Deployment, e.Phase, slot)
			}
			if st := p.status(t, s); st.Live != slot || st.Lock != nil {
				t.Fatalf("rollout %d left %+v, want %s live and no lock", n, st, slot)
			}
		}
	})
}

// The latest version is the largest number, not the first row of a list.
func TestLatestModelIsTheNewestVersion(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "latest")
		for _, name := range []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"} {
			p.register(t, s, name)
		}
		s.run(t, p.rollout()...).expect(t, 0, "")
		p.becomes(t, s, "ten")
		s.run(t, p.rollout("--model-version", "3")...).expect(t, 0, "")
		p.becomes(t, s, "three")
		s.run(t, p.rollout("--model-version", "77")...).expect(t, 1, "77")
	})
}

// Three steps, as three processes: the lock and the candidate pass from one to the next.
func TestStepByStep(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "steps")
		p.register(t, s, "one")
		deployed := s.run(t, p.deploy()...).expect(t, 0, "").rollout(t)
		if st := p.status(t, s); st.Lock == nil || st.Live != "" {
			t.Fatalf("after deploy: %+v; want the lock held and nothing live", st)
		}
		s.run(t, "swap", "-e", p.endpoint).expect(t, 5, "no passing test")
		if st := p.status(t, s); st.Lock == nil {
			t.Fatalf("after a swap that came too early: %+v; want the lock held", st)
		}
		s.run(t, "test", "-e", p.endpoint, "--request-file", p.path("request.json"), "--rollout", deployed.Rollout).expect(t, 0, "passed")
		s.run(t, "swap", "-e", p.endpoint, "--rollout", deployed.Rollout).expect(t, 0, "")
		s.run(t, "swap", "-e", p.endpoint, "--rollout", deployed.Rollout).expect(t, 0, "already live")
		p.becomes(t, s, "one")
	})
}

// A candidate that answers an error with status 200 is refused, the traffic is untouched, and
// the slot is given back what it held: the only copy that a rollback could return to.
func TestRefusedCandidateLeavesTheWayBack(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "refused")
		p.register(t, s, "one")
		s.run(t, p.rollout()...).expect(t, 0, "")
		p.register(t, s, "two")
		s.run(t, p.rollout()...).expect(t, 0, "")
		p.replace(t, "src/score.py", `return {"model"`, `return "division by zero" or {"model"`)
		s.run(t, p.rollout()...).expect(t, 5, "error's text")
		p.becomes(t, s, "two")
		s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "")
		p.becomes(t, s, "one")
		s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "rolled back already")
		p.becomes(t, s, "one")
	})
}

// A candidate that cannot start fails the rollout with the reason, and harms nothing.
func TestBrokenCandidates(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		tests := map[string]struct{ file, old, text, says string }{
			"syntax error":    {"src/score.py", "def init():", "def init(:", "SyntaxError"},
			"init raises":     {"src/score.py", "def init():", "def init():\n    raise ValueError('no licence')", "no licence"},
			"init hangs":      {"src/score.py", "def init():", "def init():\n    import time; time.sleep(600)", "init"},
			"missing package": {"src/score.py", "import json, os", "import json, os, no_such_package", "no_such_package"},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newProject(t, "broken-"+strings.ReplaceAll(name, " ", "-"))
				p.register(t, s, "one")
				s.run(t, p.rollout()...).expect(t, 0, "")
				p.replace(t, "deployment.yml", "failure_threshold: 20", "failure_threshold: 3")
				p.replace(t, tt.file, tt.old, tt.text)
				s.run(t, p.rollout("--logs", p.path("logs"))...).expect(t, 5, tt.says)
				if log, err := os.ReadFile(p.path("logs/green.log")); err != nil || !strings.Contains(string(log), tt.says) {
					t.Errorf("the log that was saved does not say why: %s, %v", log, err)
				}
				p.becomes(t, s, "one")
			})
		}
	})
}

// A candidate that fails the request that it is tested with is refused, with the first try made
// again after its failed create.
func TestFailedFirstCreateIsMadeAgain(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "again")
		p.register(t, s, "one")
		p.replace(t, "src/score.py", "def init():", "def init(:")
		s.run(t, p.rollout()...).expect(t, 5, "SyntaxError")
		waitFor(t, "the failure to show", func() bool { return p.status(t, s).Deployments[0].State == "Failed" })
		p.replace(t, "src/score.py", "def init(:", "def init():")
		e := s.run(t, p.rollout()...).expect(t, 0, "deleting it").rollout(t)
		if e.Deployment != "blue" {
			t.Errorf("the second try went to %s, want blue", e.Deployment)
		}
	})
}

// The expected answer is compared by value, numbers within the tolerance.
func TestExpectedAnswer(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "expected")
		p.register(t, s, "one")
		p.write(t, "expected.json", `{"twice": 41.5, "model": "one"}`)
		s.run(t, p.rollout("--expected-file", p.path("expected.json"))...).expect(t, 5, "$.twice")
		s.run(t, p.rollout("--expected-file", p.path("expected.json"), "--tolerance", "0.5")...).expect(t, 0, "")
	})
}

// A change of the candidate between verdict and swap voids the verdict.
func TestChangedCandidateIsNotSwapped(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "changed")
		p.register(t, s, "one")
		s.run(t, p.rollout()...).expect(t, 0, "")
		candidate := s.run(t, p.deploy()...).expect(t, 0, "").rollout(t).Deployment
		s.run(t, "test", "-e", p.endpoint, "--request-file", p.path("request.json")).expect(t, 0, "passed")
		s.updateByHand(t, p.endpoint, candidate)
		s.run(t, "swap", "-e", p.endpoint).expect(t, 5, "was changed since")
		if st := p.status(t, s); st.Live != "blue" {
			t.Errorf("live is %s, want blue", st.Live)
		}
	})
}

// Traffic that someone moved by hand is not fought over.
func TestTrafficMovedByHandHalts(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "moved")
		p.register(t, s, "one")
		s.run(t, p.rollout()...).expect(t, 0, "")
		s.run(t, p.deploy()...).expect(t, 0, "")
		s.run(t, "test", "-e", p.endpoint, "--request-file", p.path("request.json")).expect(t, 0, "")
		s.moveTraffic(t, p.endpoint, map[string]int{"blue": 90, "green": 10})
		s.run(t, "swap", "-e", p.endpoint).expect(t, 1, "someone else moved it")
		s.run(t, "rollback", "-e", p.endpoint).expect(t, 5, "someone else moved it")
		if st := p.status(t, s); st.Live != "" {
			t.Errorf("live is %s, want the split that was set by hand", st.Live)
		}
	})
}

// An existing endpoint's traffic is never touched by its file; the rest is merged on demand.
func TestUpdateEndpointKeepsTraffic(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "merged")
		p.register(t, s, "one")
		s.run(t, p.rollout()...).expect(t, 0, "")
		p.write(t, "endpoint.yml", "name: merged\nauth_mode: key\ntags: {team: fares}\n")
		s.run(t, p.deploy("--update-endpoint")...).expect(t, 0, "")
		var e struct {
			Traffic map[string]int    `json:"traffic"`
			Tags    map[string]string `json:"tags"`
		}
		if err := json.Unmarshal([]byte(s.must(t, "endpoint", "show", "-n", p.endpoint, "-o", "json")), &e); err != nil {
			t.Fatal(err)
		}
		if e.Tags["team"] != "fares" || e.Traffic["blue"] != 100 {
			t.Errorf("endpoint is %+v, want the new tag and blue at 100", e)
		}
	})
}

// Of many rollouts that start at once, one runs; the others are told who holds the lock, and until when.
func TestRolloutsAtOnce(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		const many = 20
		p := newProject(t, "crowd")
		p.register(t, s, "one")
		p.replace(t, "src/score.py", "def init():", "def init():\n    import time; time.sleep(8)")
		var commands []*exec.Cmd
		for range many {
			commands = append(commands, s.client(nil, p.rollout()...))
		}
		codes := map[int]int{}
		for _, r := range finishAll(t, commands) {
			codes[r.code]++
			told := regexp.MustCompile(`locked by \S+@\S+ .* until \d{4}-\d\d-\d\dT`)
			if r.code == 4 && !told.MatchString(r.stderr) {
				t.Errorf("a locked rollout does not tell by whom and until when: %s", r)
			}
		}
		if want := map[int]int{0: 1, 4: many - 1}; !maps.Equal(codes, want) {
			t.Errorf("exit codes %v, want %v", codes, want)
		}
		if st := p.status(t, s); st.Live != "blue" || len(st.Deployments) != 1 {
			t.Errorf("left %+v, want blue live and nothing else", st)
		}
	})
}

// finishAll runs commands at the same time.
func finishAll(t *testing.T, commands []*exec.Cmd) []result {
	t.Helper()
	results := make(chan result, len(commands))
	for _, c := range commands {
		go func() { results <- finish(t, c) }()
	}
	var all []result
	for range commands {
		all = append(all, <-results)
	}
	slices.SortFunc(all, func(a, b result) int { return a.code - b.code })
	return all
}

// Going back does not wait for a rollout that rests between two of its steps.
func TestRollbackBetweenSteps(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "back-between")
		for _, name := range []string{"one", "two"} {
			p.register(t, s, name)
			s.run(t, p.rollout()...).expect(t, 0, "")
		}
		p.register(t, s, "three")
		deployed := s.run(t, p.deploy()...).expect(t, 0, "").rollout(t)
		s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "undone")
		p.becomes(t, s, "one")
		s.run(t, "swap", "-e", p.endpoint, "--rollout", deployed.Rollout).expect(t, 5, "is over")
	})
}

// A version that the deployment file leaves no room for is an error, not ignored.
func TestModelVersionOfLocalModel(t *testing.T) {
	s := startServer(t)
	p := newProject(t, "local-model")
	p.write(t, "model.json", `{"name": "local"}`)
	p.replace(t, "deployment.yml", "model: azureml:local-model@latest", "model: {path: model.json}")
	s.run(t, p.rollout("--model-version", "7")...).expect(t, 2, "version 7 is asked for")
	s.run(t, p.rollout()...).expect(t, 0, "")
	p.becomes(t, s, "local")
}
