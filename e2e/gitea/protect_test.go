package gitea_test

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"hotswap/e2e/gitea"
	"hotswap/e2e/rig"
	"hotswap/internal/forge"
)

// required is the context that Gitea posts for the job of the workflow that we ship.
const required = "workshop_cd / Workshop-Deployment (pull_request)"

// hotswap runs a command for a repository, in its clone, as the given token.
func hotswap(t testing.TB, r *gitea.Repository, token string, args ...string) rig.Result {
	t.Helper()
	c := exec.Command(rig.Program(t, "hotswap"), append(args, "--forge", "gitea", "--forge-url", r.Server.URL, "--repo", r.Name)...)
	c.Dir, c.Env = r.Dir, append(rig.Environment(), "HOTSWAP_FORGE_TOKEN="+token)
	return rig.Run(t, c)
}

// change is what hotswap protect -o json prints of what the tests look at.
type change struct {
	Action  string
	Planned bool
	Changes []string
}

func protect(t testing.TB, r *gitea.Repository, args ...string) (c change) {
	t.Helper()
	got := hotswap(t, r, r.Server.Token, append([]string{"protect", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(got.Stdout), &c); err != nil || got.Code != 0 {
		t.Fatalf("hotswap protect: %v, %s", err, got)
	}
	return c
}

// rules are the repository's branch rules as the server has them, by name.
func rules(t testing.TB, r *gitea.Repository) map[string]map[string]any {
	t.Helper()
	var list []map[string]any
	r.Must(t, "GET", "/branch_protections", nil, &list)
	byName := map[string]map[string]any{}
	for _, rule := range list {
		byName[rule["rule_name"].(string)] = rule
	}
	return byName
}

// started is a repository with a commit on main.
func started(t testing.TB, s *gitea.Server, name string) *gitea.Repository {
	t.Helper()
	r := s.NewRepository(t, name)
	r.Commit(t, "main", map[string]string{"README.md": "one\n"})
	r.Push(t, "main")
	return r
}

// TestProtect holds hotswap protect, and what it stands on in internal/forge, to a real Gitea.
func TestProtect(t *testing.T) {
	s := gitea.Start(t)
	for name, test := range map[string]func(*testing.T, *gitea.Server){
		"is in force":             testInForce,
		"keeps what is there":     testKeeps,
		"goes before a pattern":   testPattern,
		"needs an administrator":  testNeedsAdministrator,
		"opens a pull request":    testPullRequest,
		"comments, sets a status": testTold,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// testInForce shows that the rule that is planned is the one that is made, that it refuses what it is there to
// refuse, and that making it again changes nothing.
func testInForce(t *testing.T, s *gitea.Server) {
	r := started(t, s, "in-force")
	if c := protect(t, r, "--plan"); c.Action != "create" || !c.Planned || len(rules(t, r)) != 0 {
		t.Errorf("the plan is %+v, and these rules are there: %v", c, rules(t, r))
	}
	if c := protect(t, r, "--up-to-date"); c.Action != "create" || c.Planned {
		t.Errorf("the first time: %+v", c)
	}
	before := rules(t, r)
	if c := protect(t, r, "--up-to-date"); c.Action != "none" || len(c.Changes) != 0 {
		t.Errorf("the second time: %+v", c)
	}
	if after := rules(t, r); before["main"]["updated_at"] != after["main"]["updated_at"] {
		t.Error("the second time wrote the rule again")
	}

	r.Commit(t, "main", map[string]string{"README.md": "two\n"})
	if err := r.TryPush("main"); err == nil {
		t.Error("a push to main went through")
	}
	r.Git(t, "reset", "--quiet", "--hard", "HEAD~1")
	head := r.Commit(t, "change", map[string]string{"README.md": "three\n"})
	r.Push(t, "change")
	n := r.PullRequest(t, "change", "A change")
	for _, context := range []string{"", "Workshop-Deployment", "other / Workshop-Test (pull_request)", "workshop_cd / Workshop-Deployment (push)"} {
		if context != "" {
			r.Must(t, "POST", "/statuses/"+head, map[string]any{"context": context, "state": "success"}, nil)
		}
		for _, force := range []bool{false, true} { // an administrator may ask to be let through
			if err := r.TryMerge(t, n, force); status(err) != 405 {
				t.Errorf("the merge with status %q, forced: %v: %v, want status 405", context, force, err)
			}
		}
	}
	r.Must(t, "POST", "/statuses/"+head, map[string]any{"context": required, "state": "success"}, nil)
	if err := r.Merge(t, n); err != nil {
		t.Errorf("the merge with status %q: %v", required, err)
	}
	testOutdated(t, r)
}

// testOutdated shows what --up-to-date is for: a pull request that lacks what main has by now may not merge.
func testOutdated(t *testing.T, r *gitea.Repository) {
	t.Helper()
	head := r.Commit(t, "late", map[string]string{"late.md": "four\n"}) // off the main from before the merge
	r.Push(t, "late")
	n := r.PullRequest(t, "late", "A late change")
	r.Must(t, "POST", "/statuses/"+head, map[string]any{"context": required, "state": "success"}, nil)
	if err := r.Merge(t, n); status(err) != 405 {
		t.Errorf("the merge of what is behind main: %v, want status 405", err)
	}
}

// testKeeps shows that a rule of the team's own keeps all that it says.
func testKeeps(t *testing.T, s *gitea.Server) {
	r := started(t, s, "keeps")
	r.Must(t, "POST", "/branch_protections", map[string]any{"rule_name": "release/*", "enable_push": true}, nil)
	r.Must(t, "POST", "/branch_protections", map[string]any{
		"rule_name": "main", "enable_push": true, "enable_status_check": true, "status_check_contexts": []string{"lint"}, "required_approvals": 2,
		"dismiss_stale_approvals": true, "enable_merge_whitelist": true, "merge_whitelist_usernames": []string{gitea.Admin},
	}, nil)
	before := rules(t, r)
	if c := protect(t, r); c.Action != "update" {
		t.Errorf("protect: %+v", c)
	}
	after := rules(t, r)
	want := maps.Clone(before["main"])
	maps.Copy(want, map[string]any{
		"enable_push": false, "status_check_contexts": []any{"lint", "* / Workshop-Deployment (pull_request)"},
		"updated_at": after["main"]["updated_at"],
	})
	for key := range want {
		if got, want := after["main"][key], want[key]; text(t, got) != text(t, want) {
			t.Errorf("%s of the rule of main is %v, want %v", key, got, want)
		}
	}
	if text(t, after["release/*"]) != text(t, before["release/*"]) {
		t.Errorf("the other rule was %v, is %v", before["release/*"], after["release/*"])
	}
	if c := protect(t, r); c.Action != "none" {
		t.Errorf("protect again: %+v", c)
	}
}

// text makes values of JSON comparable.
func text(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// testPattern shows that a rule that is for more branches than main stays as it is: main gets one of its own, which
// says the same and ours, and which is the one that Gitea goes by.
func testPattern(t *testing.T, s *gitea.Server) {
	r := started(t, s, "pattern")
	r.Must(t, "POST", "/branch_protections", map[string]any{"rule_name": "*", "required_approvals": 1, "enable_push": true}, nil)
	before := rules(t, r)
	if c := protect(t, r); c.Action != "create" {
		t.Errorf("protect: %+v", c)
	}
	after := rules(t, r)
	if text(t, after["*"]) != text(t, before["*"]) {
		t.Errorf("the pattern's rule was %v, is %v", before["*"], after["*"])
	}
	if got := after["main"]["required_approvals"]; got != 1.0 {
		t.Errorf("the rule of main asks for %v approvals, want those of the pattern's", got)
	}
	var branch struct {
		Rule string `json:"effective_branch_protection_name"`
	}
	r.Must(t, "GET", "/branches/main", nil, &branch)
	if branch.Rule != "main" {
		t.Errorf("Gitea goes by rule %q", branch.Rule)
	}
	if c := protect(t, r); c.Action != "none" {
		t.Errorf("protect again: %+v", c)
	}
}

// testNeedsAdministrator shows what somebody is told who may not change rules.
func testNeedsAdministrator(t *testing.T, s *gitea.Server) {
	r := started(t, s, "guarded")
	writer := s.NewUser(t, "writer")
	r.Must(t, "PUT", "/collaborators/writer", map[string]any{"permission": "write"}, nil)
	for name, token := range map[string]string{"a writer's token": writer.Token, "a token that only reads": s.NewToken(t, gitea.Admin, "read:repository")} {
		got := hotswap(t, r, token, "protect")
		if got.Code != 1 || !strings.Contains(got.Stderr, `needs the scope "write:repository", and must belong to an administrator`) {
			t.Errorf("protect with %s: %s", name, got)
		}
		if got := hotswap(t, r, token, "protect", "--plan"); got.Code != 0 {
			t.Errorf("protect --plan with %s, which may read: %s", name, got)
		}
	}
	if got := rules(t, r); len(got) != 0 {
		t.Errorf("the rules are %v", got)
	}
}

// testPullRequest shows that a pull request is opened once and then updated.
func testPullRequest(t *testing.T, s *gitea.Server) {
	r := started(t, s, "pulls")
	head := r.Commit(t, "integration", map[string]string{"README.md": "better\n"})
	r.Push(t, "integration")
	type pull struct {
		Number  int
		Commit  string
		Created bool
	}
	for _, c := range []struct {
		args []string
		want pull
	}{
		{[]string{"--title", "Model 7"}, pull{1, head, true}},
		{[]string{"--title", "Model 8", "--body", "Better by 3 %."}, pull{1, head, false}},
	} {
		got := hotswap(t, r, s.Token, append([]string{"pr", "open", "-o", "json"}, c.args...)...)
		var p pull
		if err := json.Unmarshal([]byte(got.Stdout), &p); err != nil || got.Code != 0 || p != c.want {
			t.Errorf("hotswap pr open %v: %+v, %v, want %+v, %s", c.args, p, err, c.want, got)
		}
	}
	var now struct{ Title, Body string }
	r.Must(t, "GET", "/pulls/1", nil, &now)
	if now.Title != "Model 8" || now.Body != "Better by 3 %." {
		t.Errorf("the pull request is %+v", now)
	}
	p, err := dial(t, r).PullRequest(t.Context(), 1)
	if err != nil || p.Head != head || p.HeadBranch != "integration" || p.BaseBranch != "main" || p.State != "open" || p.Fork || p.Draft || p.Merged {
		t.Errorf("the pull request is %+v, %v", p, err)
	}
}

func dial(t testing.TB, r *gitea.Repository) *forge.Repository {
	t.Helper()
	repository, err := forge.Dial(forge.Options{Kind: forge.Gitea, BaseURL: r.Server.URL + "/api/v1", Token: r.Server.Token, Repository: r.Name})
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

// testTold shows that a comment is edited in place even where somebody else has put the marker into one of theirs, and that a
// status is what the branch rule sees.
func testTold(t *testing.T, s *gitea.Server) {
	r := started(t, s, "told")
	head := r.Commit(t, "change", map[string]string{"README.md": "better\n"})
	r.Push(t, "change")
	n := r.PullRequest(t, "change", "A change")
	repository := dial(t, r)
	const theirs = "<!-- hotswap -->\nmine"
	r.Must(t, "POST", "/issues/1/comments?sudo="+s.NewUser(t, "somebody").Name, map[string]any{"body": theirs}, nil)
	for _, comment := range []string{"first", "second", "second"} {
		if err := repository.Comment(t.Context(), n, "hotswap", comment); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Comments(t, n); !slices.Equal(got, []string{theirs, "<!-- hotswap -->\nsecond"}) {
		t.Errorf("the comments are %q", got)
	}
	for _, state := range []forge.State{forge.Pending, forge.Success} {
		if err := repository.SetStatus(t.Context(), head, forge.Status{Context: required, State: state, Description: "a word", URL: "https://example.com/run"}); err != nil {
			t.Fatal(err)
		}
		if got := r.Status(t, head, required); got != string(state) {
			t.Errorf("the status is %q, want %q", got, state)
		}
	}
	report, err := repository.Reported(t.Context(), "Workshop-Deployment")
	if err != nil || report == nil || report.Context != required || report.PullRequest != n {
		t.Errorf("the check that is reported: %+v, %v", report, err)
	}
}
