package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gated is a project in a repository of git, whose pull requests a workflow delivers.
type gated struct {
	*project
	s     *server
	clock time.Time // of the forge: each event is younger than the one before
}

// newGated makes one with a first commit on main, and a model that is registered.
func newGated(t *testing.T, s *server, endpoint string) *gated {
	t.Helper()
	g := &gated{project: newProject(t, endpoint), s: s, clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	g.write(t, "hotswap.yml", "request_file: request.json\npaths: [src/**, endpoint.yml, deployment.yml, request.json]\n")
	g.write(t, "README.md", "of the endpoint\n")
	g.git(t, "init", "-q", "-b", "main")
	g.commit(t, "first")
	g.register(t, s, "one")
	return g
}

func (g *gated) git(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command("git", args...)
	c.Dir = g.dir
	c.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits everything that is there and returns the commit.
func (g *gated) commit(t *testing.T, message string) string {
	t.Helper()
	g.git(t, "add", "-A", "--", ".", ":!model.json", ":!*.log")
	g.git(t, "commit", "-q", "--allow-empty", "-m", message)
	return g.git(t, "rev-parse", "HEAD")
}

// pull is a pull request of one branch.
type pull struct {
	*gated
	number      int
	branch      string
	draft, fork bool
	merged      bool
}

// open makes a branch off main whose code answers with a mark, and is its pull request.
func (g *gated) open(t *testing.T, number int, mark string) *pull {
	t.Helper()
	p := &pull{gated: g, number: number, branch: fmt.Sprintf("change-%d", number)}
	g.git(t, "checkout", "-q", "-b", p.branch, "main")
	p.push(t, mark)
	return p
}

// push commits code that answers with another mark.
func (p *pull) push(t *testing.T, mark string) {
	t.Helper()
	p.git(t, "checkout", "-q", p.branch)
	p.write(t, "src/score.py", strings.Replace(doubling, `model["name"]`, fmt.Sprintf("model[\"name\"] + %q", mark), 1))
	p.commit(t, "answers with "+mark)
}

// merge merges the branch into main, and is there then.
func (p *pull) merge(t *testing.T) string {
	t.Helper()
	p.git(t, "checkout", "-q", "main")
	p.git(t, "merge", "-q", "--no-ff", "-m", fmt.Sprintf("merge #%d", p.number), p.branch)
	p.merged = true
	return p.git(t, "rev-parse", "HEAD")
}

// event is the JSON of an event of the pull request, as GitHub sends it.
func (p *pull) event(t *testing.T, action string) map[string]any {
	t.Helper()
	p.clock = p.clock.Add(time.Minute)
	repo := map[string]any{"id": 1, "full_name": "owner/name", "default_branch": "main"}
	from := repo
	if p.fork {
		from = map[string]any{"id": 2, "full_name": "stranger/name"}
	}
	base := p.git(t, "merge-base", "main", p.branch)
	if p.merged {
		base = p.git(t, "rev-parse", "main^1")
	}
	pr := map[string]any{
		"number": p.number, "title": "a *title* by @somebody", "html_url": fmt.Sprintf("https://forge.example/owner/name/pull/%d", p.number),
		"draft": p.draft, "merged": p.merged, "state": "open", "updated_at": p.clock.Format(time.RFC3339),
		"head": map[string]any{"ref": p.branch, "sha": p.git(t, "rev-parse", p.branch), "repo": from},
		"base": map[string]any{"ref": "main", "sha": base, "repo": repo},
	}
	if p.merged {
		pr["merge_commit_sha"] = p.git(t, "rev-parse", "main")
	}
	if action == "closed" {
		pr["state"] = "closed"
	}
	return map[string]any{"action": action, "number": p.number, "pull_request": pr, "repository": repo}
}

// workflow is a run of the shipped workflow for an event.
type workflow struct {
	*gated
	name   string
	event  map[string]any
	env    []string
	ran    []string // the commands, in order
	ends   []result
	folder string
}

// run has the workflow begun by an event of the pull request, with what that checks out.
func (p *pull) run(t *testing.T, action string) *workflow {
	t.Helper()
	if p.merged {
		p.git(t, "checkout", "-q", "main")
	} else if action == "closed" {
		p.git(t, "checkout", "-q", "--detach", "main")
	} else {
		p.git(t, "checkout", "-q", p.branch)
	}
	return p.workflow(t, "pull_request", fmt.Sprintf("refs/pull/%d/merge", p.number), p.event(t, action))
}

// dispatch is a run that a person began on a branch.
func (g *gated) dispatch(t *testing.T, branch string) *workflow {
	t.Helper()
	g.git(t, "checkout", "-q", branch)
	return g.workflow(t, "workflow_dispatch", "refs/heads/"+branch, map[string]any{"repository": map[string]any{"full_name": "owner/name", "default_branch": "main"}})
}

func (g *gated) workflow(t *testing.T, name, ref string, event map[string]any) *workflow {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "event.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &workflow{gated: g, name: name, event: event, folder: dir}
	w.env = []string{
		"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=77", "GITHUB_SERVER_URL=https://forge.example", "GITHUB_REPOSITORY=owner/name", "GITHUB_ACTOR=alice",
		"GITHUB_EVENT_NAME=" + name, "GITHUB_EVENT_PATH=" + filepath.Join(dir, "event.json"), "GITHUB_REF=" + ref,
		"GITHUB_SHA=" + g.git(t, "rev-parse", "HEAD"), "GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "GITHUB_ENV=" + filepath.Join(dir, "env"),
		"GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary"),
	}
	return w
}

// step runs one command of the workflow.
func (w *workflow) step(t *testing.T, args ...string) result {
	t.Helper()
	c := w.s.client(slices.Concat(w.env, w.read(t, "env")), args...)
	c.Dir = w.dir
	r := finish(t, c)
	w.ran, w.ends = append(w.ran, args[0]), append(w.ends, r)
	return r
}

// read takes the assignments that commands have left for the steps after them.
func (w *workflow) read(t *testing.T, file string) (set []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(w.folder, file))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name, end, value := "", "", []string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		switch {
		case end == "":
			name, end, _ = strings.Cut(line, "<<")
		case line == end:
			set = append(set, name+"="+strings.Join(value, "\n"))
			end, value = "", nil
		default:
			value = append(value, line)
		}
	}
	return set
}

// output is what the gate has told the workflow.
func (w *workflow) output(t *testing.T, name string) string {
	t.Helper()
	for _, set := range w.read(t, "output") {
		if n, value, _ := strings.Cut(set, "="); n == name {
			return value
		}
	}
	return ""
}

func (w *workflow) files(more ...string) []string {
	return append(more, "--endpoint-file", w.path("endpoint.yml"), "--deployment-file", w.path("deployment.yml"))
}

// gate is the workflow's first step.
func (w *workflow) gate(t *testing.T) result {
	t.Helper()
	return w.step(t, w.files("gate")...)
}

// finish is its last step.
func (w *workflow) finish(t *testing.T) result {
	t.Helper()
	return w.step(t, append([]string{"gate", "finish"}, w.files()...)...)
}

// deliver is the three steps of a delivery, up to the first that fails.
func (w *workflow) deliver(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		w.files("deploy", "-o", "json"), {"test", "--endpoint-file", w.path("endpoint.yml")}, {"swap", "--endpoint-file", w.path("endpoint.yml")},
	} {
		r := w.step(t, args...)
		if r.code != 0 {
			return
		}
		if args[0] == "deploy" && w.variable(t, "HOTSWAP_ROLLOUT") == "" {
			var told struct{ Rollout string }
			if err := json.Unmarshal([]byte(r.stdout), &told); err != nil {
				t.Fatal(err)
			}
			w.env = append(w.env, "HOTSWAP_ROLLOUT="+told.Rollout)
		}
	}
}

func (w *workflow) variable(t *testing.T, name string) string {
	t.Helper()
	for _, set := range w.read(t, "env") {
		if n, value, _ := strings.Cut(set, "="); n == name {
			return value
		}
	}
	return ""
}

// all runs the workflow to its end as its file has it, and requires what the gate decides.
func (w *workflow) all(t *testing.T, decision string) *workflow {
	t.Helper()
	w.gate(t)
	if got := w.output(t, "decision"); got != decision {
		t.Fatalf("the gate decided %q, want %q: %s", got, decision, w.ends[0])
	}
	switch decision {
	case "deploy":
		w.deliver(t)
	case "restore":
		w.step(t, "drift", "--repair", "--endpoint-file", w.path("endpoint.yml"))
	}
	w.finish(t)
	return w
}

// green requires that every step has passed, red that one has failed.
func (w *workflow) green(t *testing.T) {
	t.Helper()
	for i, r := range w.ends {
		if r.code != 0 {
			t.Fatalf("step %d, %s: %s", i, w.ran[i], r)
		}
	}
}

func (w *workflow) red(t *testing.T, code int, says string) {
	t.Helper()
	for _, r := range w.ends {
		if r.code != 0 {
			r.expect(t, code, says)
			return
		}
	}
	t.Fatalf("all of %v have passed, want one to fail with %d", w.ran, code)
}

// standing is what hotswap drift -o json prints, as far as the tests look.
type standing struct {
	State   string
	Reason  string
	Changes []struct{ What string }
	Main    *struct {
		Model, Commit, Rollout, Fingerprint string
		Adopted                             bool
	}
	Hold *struct {
		PullRequest int
		Branch      string
		State       string
		Head        string
		Rollout     string
	}
	Live *struct{ Model, Rollout, Fingerprint string }
}

// drift compares, and requires the exit code.
func (g *gated) drift(t *testing.T, code int) (st standing) {
	t.Helper()
	r := g.s.run(t, "drift", "-e", g.endpoint, "-o", "json").expect(t, code, "")
	if err := json.Unmarshal([]byte(r.stdout), &st); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
	return st
}

// wantHold requires that a pull request holds the endpoint, 0 that nobody does.
func (g *gated) wantHold(t *testing.T, number int) {
	t.Helper()
	st := g.drift(t, 0)
	if held := st.Hold != nil; held != (number > 0) || held && st.Hold.PullRequest != number {
		t.Errorf("held by %+v, want pull request %d", st.Hold, number)
	}
}

// wantMain requires what main stands for.
func (g *gated) wantMain(t *testing.T, commit string) {
	t.Helper()
	st := g.drift(t, 0)
	if st.State != "none" || st.Main == nil || st.Main.Commit != commit || st.Live == nil || st.Main.Fingerprint != st.Live.Fingerprint {
		t.Errorf("main %+v, live %+v, state %s; want main at %s and live", st.Main, st.Live, st.State, commit)
	}
}

// answers requires an answer of the model with that name, from the code of that mark.
func (g *gated) answers(t *testing.T, want string) {
	t.Helper()
	g.becomes(t, g.s, want)
}

// prints requires success, and what is on stdout.
func (r result) prints(t *testing.T, says string) result {
	t.Helper()
	if r.code != 0 || !strings.Contains(r.stdout, says) {
		t.Fatalf("want exit 0 and %q on stdout, got %s", says, r)
	}
	return r
}
