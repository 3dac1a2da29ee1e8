package openapi

import (
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"hotswap/e2e/rig"
)

// hotswap runs the built program against the stub, as a GitHub of one's own.
func (s *stub) hotswap(t *testing.T, env []string, args ...string) rig.Result {
	t.Helper()
	srv := httptest.NewServer(s)
	defer srv.Close()
	c := exec.CommandContext(t.Context(), rig.Program(t, "hotswap"),
		append(args, "--forge", "github", "--forge-url", srv.URL, "--repo", owner+"/"+name)...)
	c.Env, c.Dir = append([]string{"GH_TOKEN=" + token}, env...), t.TempDir()
	r := rig.Run(t, c)
	if strings.Contains(r.String(), token) {
		t.Errorf("the token is printed: %s", r)
	}
	return r
}

func TestProtectCommand(t *testing.T) {
	s := newStub(t)
	plan := s.hotswap(t, nil, "protect", "--plan", "--up-to-date", "--app-id", "15368")
	if plan.Code != 0 || !strings.Contains(plan.Stderr, "nothing was changed") || len(s.writes()) > 0 {
		t.Fatalf("%s\nwrote %q", plan, s.writes())
	}
	want := `BRANCH  RULE                     ACTION  CHANGE
main    ruleset "Hotswap: main"  create  apply to refs/heads/main
main    ruleset "Hotswap: main"  create  require a pull request
main    ruleset "Hotswap: main"  create  require check Workshop-Deployment of app 15368
main    ruleset "Hotswap: main"  create  require a pull request to be up to date with main
`
	if plan.Stdout != want {
		t.Errorf("the plan is\n%swant\n%s", plan.Stdout, want)
	}
	done := s.hotswap(t, nil, "protect", "--up-to-date", "--app-id", "15368")
	if done.Code != 0 || done.Stdout != want || !strings.Contains(done.Stderr, "the rule of main is in force\n") || len(s.writes()) != 1 {
		t.Errorf("%s\nwrote %q", done, s.writes())
	}
}

func TestProtectCommandAgain(t *testing.T) {
	s := newStub(t)
	s.addRuleset("House rules", pullRequestRule(1), checksRule(true, object{"context": "Workshop-Deployment", "integration_id": 15368}))
	again := s.hotswap(t, nil, "protect", "--up-to-date", "--app-id", "15368", "-o", "json")
	var view struct {
		Action  string
		Planned bool
		Changes []string
		After   struct {
			PullRequest, UpToDate bool
			Checks                []struct {
				Context string
				App     int
			}
		}
	}
	if err := json.Unmarshal([]byte(again.Stdout), &view); err != nil {
		t.Fatalf("%v\n%s", err, again)
	}
	if again.Code != 0 || view.Action != "none" || view.Planned || view.Changes == nil || len(view.Changes) > 0 || len(s.writes()) > 0 {
		t.Errorf("%s\nwrote %q", again, s.writes())
	}
	if a := view.After; !a.PullRequest || !a.UpToDate || len(a.Checks) != 1 || a.Checks[0].App != 15368 {
		t.Errorf("after it: %+v", a)
	}
}

func TestProtectCommandIsRefused(t *testing.T) {
	s := newStub(t)
	if r := s.hotswap(t, nil, "protect", "--plan"); r.Code != 0 || strings.Contains(r.Stderr, "may not do it") {
		t.Error(r)
	}
	s.state.mayNotReadAdministered = true
	if r := s.hotswap(t, nil, "protect", "--plan"); r.Code != 0 || !strings.Contains(r.Stderr, "this token may not do it") {
		t.Error(r)
	}
	if r := s.hotswap(t, nil, "protect", "--branch", "mian"); r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "has no branch mian") {
		t.Error(r)
	}
	s.fault = func(name string, _ int) *answer {
		if strings.HasPrefix(name, "POST") {
			return refusal(403, "Resource not accessible by integration")
		}
		return nil
	}
	if r := s.hotswap(t, nil, "protect"); r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, `it needs the permission "administration: write"`) {
		t.Error(r)
	}
	if r := s.hotswap(t, []string{"GH_TOKEN="}, "protect"); r.Code != 1 || !strings.Contains(r.Stderr, "give one in $HOTSWAP_FORGE_TOKEN or $GH_TOKEN or $GITHUB_TOKEN") {
		t.Error(r)
	}
}

func TestPROpenCommand(t *testing.T) {
	s := newStub(t)
	r := s.hotswap(t, nil, "pr", "open", "--title", "Fare model 7", "--body", "RMSE 3.1")
	want := "NUMBER  URL                                            TITLE         CREATED\n" +
		"1       https://github.com/monalisa/taxi-fare/pull/1  Fare model 7  true\n"
	if r.Code != 0 || strings.Join(strings.Fields(r.Stdout), " ") != strings.Join(strings.Fields(want), " ") || r.Stderr != "" {
		t.Errorf("%s", r)
	}
	r = s.hotswap(t, nil, "pr", "open", "--title", "Fare model 8", "-o", "json")
	var view struct {
		Number             int
		URL, Title, Head   string
		Created, Automatic bool
	}
	if err := json.Unmarshal([]byte(r.Stdout), &view); err != nil || r.Code != 0 {
		t.Fatalf("%v\n%s", err, r)
	}
	if view.Number != 1 || view.URL == "" || view.Title != "Fare model 8" || view.Head != "integration" || view.Created || !view.Automatic {
		t.Errorf("%+v", view)
	}
}

// A pull request of the built-in token starts no workflow, so its required check would hang.
func TestPROpenCommandWithTheBuiltInToken(t *testing.T) {
	s := newStub(t)
	s.state.author = person("github-actions[bot]", 41898282, "Bot")
	r := s.hotswap(t, nil, "pr", "open")
	for _, text := range []string{"starts no workflow", "GitHub app", "fine-grained personal token", "gh workflow run workshop_cd.yml --ref integration"} {
		if r.Code != 0 || !strings.Contains(r.Stderr, text) {
			t.Errorf("%s\nwant %q", r, text)
		}
	}
	s.fault = func(name string, _ int) *answer {
		if strings.HasPrefix(name, "GET") {
			return nil
		}
		return refusal(403, "GitHub Actions is not permitted to create or approve pull requests.")
	}
	s.state.pulls = nil
	r = s.hotswap(t, nil, "pr", "open")
	if r.Code != 1 || r.Stdout != "" || !strings.Contains(r.Stderr, "GitHub Actions is not permitted") {
		t.Errorf("%s", r)
	}
}
