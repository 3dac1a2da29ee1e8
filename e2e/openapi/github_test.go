package openapi

import (
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

// seen are the operations that the tests have called.
var seen struct {
	sync.Mutex
	calls []string
}

// TestMain fails where a call that is made of GitHub was not made of its description.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.run=") || strings.HasPrefix(arg, "-test.list=")
	}) {
		for _, name := range forge.Operations(forge.GitHub) {
			if !slices.Contains(seen.calls, name) {
				println("no test calls", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// code fails the test where an error has another code, or says something else.
func code(t *testing.T, err error, want online.Code, says ...string) {
	t.Helper()
	if err == nil || online.CodeOf(err) != want {
		t.Fatalf("error %v, code %s, want %s", err, online.CodeOf(err), want)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want it to say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("the token is in the error: %v", err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestPullRequestIsRead(t *testing.T) {
	s := newStub(t)
	s.addPull("other", "main")
	wire := s.addPull("integration", "main")
	wire["merged"], wire["merged_at"], wire["state"], wire["merge_commit_sha"] = true, "2026-11-22T10:00:00Z", "closed", strings.Repeat("c", 40)
	got := must[forge.PullRequest](t)(s.dial().PullRequest(t.Context(), 2))
	switch {
	case got.Number != 2, got.State != "closed", !got.Merged, got.Draft, got.Fork, got.HeadBranch != "integration", got.BaseBranch != "main",
		got.Head != strings.Repeat("2", 40), got.MergeCommit != strings.Repeat("c", 40), got.Author != "octocat",
		got.URL != "https://github.com/monalisa/taxi-fare/pull/2", got.Title != "Amazing new feature":
		t.Errorf("%+v", got)
	}
	_, err := s.dial().PullRequest(t.Context(), 9)
	code(t, err, online.NotFound, "read the pull request 9 (monalisa/taxi-fare)", `"pull-requests: read"`)
}

// Before it is merged, the merge commit is one that GitHub made to try.
func TestForkDraftUnmerged(t *testing.T) {
	s := newStub(t)
	s.addPull("patch-1", "main")["draft"] = true
	fork := s.addPull("patch-2", "main")
	another := maps.Clone(fork["head"].(object)["repo"].(object))
	another["id"] = 5
	fork["base"].(object)["repo"] = another
	p := must[forge.PullRequest](t)(s.dial().PullRequest(t.Context(), 1))
	if !p.Draft || p.Fork || p.Merged || p.MergeCommit != "" {
		t.Errorf("%+v", p)
	}
	if p := must[forge.PullRequest](t)(s.dial().PullRequest(t.Context(), 2)); !p.Fork || p.Draft {
		t.Errorf("%+v", p)
	}
}

var integration = forge.NewPullRequest{Head: "integration", Base: "main", Title: "Fare model 7", Body: "RMSE 3.1"}

func TestOpenIsIdempotent(t *testing.T) {
	s := newStub(t)
	s.addPull("integration", "main")["state"] = "closed" // an earlier one
	s.addPull("integration", "other")
	r := s.dial()
	p, created, err := r.Open(t.Context(), integration)
	if err != nil || !created || p.Number != 3 || p.Title != "Fare model 7" || p.ByWorkflow() {
		t.Fatalf("%+v, %v, %v", p, created, err)
	}
	if p, created, err = r.Open(t.Context(), integration); err != nil || created || p.Number != 3 {
		t.Fatalf("%+v, %v, %v", p, created, err)
	}
	if got := s.writes(); len(got) != 1 {
		t.Errorf("the second time wrote as well: %q", got)
	}
	changed := integration
	changed.Title, changed.Body = "Fare model 8", ""
	if p, created, err = r.Open(t.Context(), changed); err != nil || created || p.Title != "Fare model 8" {
		t.Fatalf("%+v, %v, %v", p, created, err)
	}
	if s.state.pulls[2]["body"] != "RMSE 3.1" {
		t.Errorf("the body is %q", s.state.pulls[2]["body"])
	}
}

func TestOpenWithoutTitle(t *testing.T) {
	s := newStub(t)
	p, _, err := s.dial().Open(t.Context(), forge.NewPullRequest{Head: "integration", Base: "main"})
	if err != nil || p.Title != "Merge integration into main" {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestOpenAfterAnother(t *testing.T) {
	for name, prepare := range map[string]func(*stub){
		"the answer was lost": func(s *stub) {
			s.lost = func(name string, _ int) bool { return strings.HasPrefix(name, "POST") }
		},
		"another one was quicker": func(s *stub) {
			s.fault = func(name string, n int) *answer {
				if strings.HasPrefix(name, "POST") && n == 1 {
					s.addPull("integration", "main")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			prepare(s)
			p, _, err := s.dial().Open(t.Context(), integration)
			if err != nil || p.Number != 1 || p.Title != integration.Title || len(s.state.pulls) != 1 {
				t.Errorf("%+v, %v, %d pull requests", p, err, len(s.state.pulls))
			}
		})
	}
}

func TestOpenIsRefused(t *testing.T) {
	s := newStub(t)
	_, _, err := s.dial().Open(t.Context(), forge.NewPullRequest{Head: "nowhere", Base: "main", Title: "x"})
	code(t, err, online.Invalid, "Validation Failed PullRequest head invalid")
	s.fault = func(name string, _ int) *answer {
		if strings.HasPrefix(name, "POST") {
			return refusal(http.StatusForbidden, "GitHub Actions is not permitted to create or approve pull requests.")
		}
		return nil
	}
	_, _, err = s.dial().Open(t.Context(), integration)
	code(t, err, online.Forbidden, "not permitted to create", `"pull-requests: write"`)
}

func TestOpenedByWorkflow(t *testing.T) {
	s := newStub(t)
	s.state.author = person("github-actions[bot]", 41898282, "Bot")
	if p, _, err := s.dial().Open(t.Context(), integration); err != nil || !p.ByWorkflow() {
		t.Errorf("%+v, %v", p, err)
	}
}

const marker = "hotswap taxi-fare"

func TestCommentIsEditedInPlace(t *testing.T) {
	s := newStub(t)
	s.page = 2
	s.addComment(person("hubot", 7, "User"), "<!-- "+marker+" -->\nspoofed")
	s.addComment(person("octocat", 1, "User"), "I quote <!-- "+marker+" -->")
	s.addComment(person("octocat", 1, "User"), "<!-- hotswap other -->\nof another endpoint")
	for range 3 {
		s.addComment(person("hubot", 7, "User"), "looks good")
	}
	r := s.dial()
	for _, text := range []string{"testing", "testing", "**live**"} {
		if err := r.Comment(t.Context(), 1, marker, text); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.state.comments); n != 7 {
		t.Fatalf("%d comments, want 7", n)
	}
	for i, c := range s.state.comments {
		body, _ := c["body"].(string)
		if mine := body == "<!-- "+marker+" -->\n**live**"; mine != (i == 6) {
			t.Errorf("comment %d is %q", i, body)
		}
	}
	if got := s.writes(); len(got) != 2 {
		t.Errorf("wrote %q, want one POST and one PATCH", got)
	}
}

// The token of an app may not ask who it is, nor edit what another app has written.
func TestCommentOfAnApp(t *testing.T) {
	s := newStub(t)
	s.state.user, s.state.author = nil, person("github-actions[bot]", 41898282, "Bot")
	s.addComment(person("octocat", 1, "User"), "<!-- "+marker+" -->\na person's")
	s.addComment(person("renovate[bot]", 9, "Bot"), "<!-- "+marker+" -->\nanother app's")
	r := s.dial()
	for _, text := range []string{"testing", "live"} {
		if err := r.Comment(t.Context(), 1, marker, text); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.state.comments); n != 3 {
		t.Fatalf("%d comments, want 3", n)
	}
	for i, want := range []string{"a person's", "another app's", "live"} {
		if body := s.state.comments[i]["body"]; body != "<!-- "+marker+" -->\n"+want {
			t.Errorf("comment %d is %q", i, body)
		}
	}
}

func TestCommentWhoseAnswerIsLost(t *testing.T) {
	s := newStub(t)
	s.lost = func(name string, _ int) bool { return strings.HasPrefix(name, "POST") }
	if err := s.dial().Comment(t.Context(), 1, marker, "live"); err != nil || len(s.state.comments) != 1 {
		t.Errorf("%v, %d comments", err, len(s.state.comments))
	}
}

func TestCommentIsCut(t *testing.T) {
	s := newStub(t)
	if err := s.dial().Comment(t.Context(), 1, marker, strings.Repeat("ä", 70000)); err != nil {
		t.Fatal(err)
	}
	if body := []rune(s.state.comments[0]["body"].(string)); len(body) != 65536 || body[65535] != '…' {
		t.Errorf("it has %d characters", len(body))
	}
}

func TestStatus(t *testing.T) {
	s := newStub(t)
	sha := strings.Repeat("a", 40)
	err := s.dial().SetStatus(t.Context(), sha, forge.Status{
		Context: "hotswap", State: forge.Failure, Description: strings.Repeat("long ", 40), URL: "https://example.com/run/1",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := s.state.statuses[0]
	if got["context"] != "hotswap" || got["state"] != "failure" || got["target_url"] != "https://example.com/run/1" {
		t.Errorf("%v", got)
	}
	s.fault = func(string, int) *answer {
		return refusal(http.StatusForbidden, "Resource not accessible by integration")
	}
	err = s.dial().SetStatus(t.Context(), sha, forge.Status{Context: "hotswap", State: forge.Success})
	code(t, err, online.Forbidden, `"statuses: write"`, "set the commit's status")
}

func TestFacts(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*state)
		want    bool
	}{
		"an administrator":        {func(*state) {}, true},
		"with a rule":             {func(s *state) { s.classic = object{"url": "https://api.github.com/x"} }, true},
		"who gave the token less": {func(s *state) { s.mayNotReadAdministered = true }, false},
		"none":                    {func(s *state) { s.repository["permissions"].(object)["admin"] = false }, false},
		"the built-in token, which has no such field": {func(s *state) { delete(s.repository, "permissions") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			tt.prepare(&s.state)
			f := must[forge.Facts](t)(s.dial().Facts(t.Context()))
			if f.Name != owner+"/"+"taxi-fare" || f.DefaultBranch != "main" || f.Archived || f.Administers != tt.want {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestReported(t *testing.T) {
	s := newStub(t)
	r := s.dial()
	for n := range 3 {
		s.addPull("patch", "main")["state"] = []string{"open", "closed", "open"}[n]
	}
	if report, err := r.Reported(t.Context(), "Workshop-Deployment"); err != nil || report != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	s.addCheck(strings.Repeat("2", 40), "lint", 15368)
	s.addCheck(strings.Repeat("2", 40), "Workshop-Deployment", 15368)
	report, err := r.Reported(t.Context(), "Workshop-Deployment")
	if err != nil || report == nil || *report != (forge.Report{PullRequest: 2, Context: "Workshop-Deployment", App: 15368, AppName: "GitHub Actions"}) {
		t.Fatalf("%+v, %v", report, err)
	}
}
