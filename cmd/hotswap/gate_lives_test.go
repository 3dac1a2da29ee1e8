package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// gateLives are the lives of pull requests that end otherwise than in a plain merge or close. Main is
// live and recorded when one begins.
var gateLives = map[string]func(t *testing.T, g *gated){
	"reverted": func(t *testing.T, g *gated) { // a later push takes the gated changes back
		p := g.open(t, 1, "-a")
		p.run(t, "opened").all(t, "deploy").green(t)
		p.git(t, "checkout", "-q", p.branch)
		p.write(t, "src/score.py", doubling)
		p.commit(t, "taken back")
		p.run(t, "synchronize").all(t, "restore").green(t)
		g.answers(t, "one")
		g.wantHold(t, 0)
		p.run(t, "synchronize").all(t, "pass").green(t)
	},
	"no-main": func(t *testing.T, g *gated) { // nothing was live and nothing recorded before
		g.s.must(t, "endpoint", "delete", "-n", g.endpoint, "--yes")
		g.forget(t)
		p := g.open(t, 1, "-a")
		p.run(t, "opened").all(t, "deploy").green(t)
		p.run(t, "closed").all(t, "fail").red(t, 5, "run the workflow on main")
		g.answers(t, "one-a")
		q := g.open(t, 2, "-b")
		q.run(t, "opened").all(t, "deploy").green(t)
		if st := g.drift(t, 0); st.Main != nil {
			t.Errorf("what #1 has left was adopted: %+v", st.Main)
		}
		q.merge(t)
		q.run(t, "closed").all(t, "pass").green(t)
		g.wantMain(t, g.git(t, "rev-parse", "main"))
	},
	"adopted": func(t *testing.T, g *gated) { // what was live before the gate came
		g.forget(t)
		p := g.open(t, 1, "-a")
		p.run(t, "opened").all(t, "deploy").green(t)
		if st := g.drift(t, 0); st.Main == nil || !st.Main.Adopted {
			t.Fatalf("main is %+v, want what was live", st.Main)
		}
		p.run(t, "closed").all(t, "restore").green(t)
		g.answers(t, "one")
	},
	"unchecked": func(t *testing.T, g *gated) { // an administrator merges without the check
		p := g.open(t, 1, "-a")
		merge := p.merge(t)
		p.run(t, "closed").all(t, "deploy").green(t)
		g.answers(t, "one-a")
		g.wantMain(t, merge)
	},
	"broken": func(t *testing.T, g *gated) { // a candidate that fails its test holds nothing
		p := g.open(t, 1, "-a")
		p.replace(t, "src/score.py", `return {"model"`, `return "boom" or {"model"`)
		p.commit(t, "breaks")
		w := p.run(t, "opened").all(t, "deploy")
		w.red(t, 5, "")
		g.answers(t, "one")
		g.wantHold(t, 0)
		p.merge(t)
		p.run(t, "closed").all(t, "deploy").red(t, 5, "") // merged all the same: red, and production as it was
		g.answers(t, "one")
		g.wantHold(t, 0)
	},
	"draft": func(t *testing.T, g *gated) {
		p := g.open(t, 1, "-a")
		p.draft = true
		p.run(t, "opened").all(t, "fail").red(t, 5, "is a draft")
		p.draft = false
		p.run(t, "ready_for_review").all(t, "deploy").green(t)
	},
	"fork": func(t *testing.T, g *gated) { // it has no credential, and none is asked for
		p := g.open(t, 1, "-a")
		p.fork = true
		w := p.run(t, "opened")
		w.env = append(w.env, "AZURE_CREDENTIALS=", "HOME=/nonexistent", "PATH="+os.Getenv("PATH"))
		w.all(t, "fail").red(t, 5, "comes from a fork")
		p.git(t, "checkout", "-q", "-b", "docs", "main")
		p.branch = "docs"
		p.write(t, "README.md", "more\n")
		p.commit(t, "docs")
		w = p.run(t, "opened")
		w.env = append(w.env, "AZURE_CREDENTIALS=", "HOME=/nonexistent")
		w.all(t, "pass").green(t)
	},
	"model": func(t *testing.T, g *gated) { // a newer model without a change of the code
		g.git(t, "checkout", "-q", "-b", "change-1", "main")
		g.write(t, "README.md", "more\n")
		g.commit(t, "docs")
		p := &pull{gated: g, number: 1, branch: "change-1"}
		p.run(t, "opened").all(t, "pass").green(t)
		g.register(t, g.s, "two")
		p.run(t, "synchronize").all(t, "deploy").green(t)
		g.answers(t, "two")
		p.run(t, "synchronize").all(t, "pass").green(t)
		g.wantHold(t, 1)
		g.register(t, g.s, "three") // which goes live by a deployment of its own, and not by the merge
		p.merge(t)
		p.run(t, "closed").all(t, "pass").green(t)
		g.answers(t, "two")
		g.wantMain(t, g.git(t, "rev-parse", "main"))
	},
	"branch": func(t *testing.T, g *gated) { // deployed by hand, and made a pull request then
		p := g.open(t, 1, "-a")
		g.dispatch(t, p.branch).all(t, "deploy").green(t)
		q := g.open(t, 2, "-b")
		q.run(t, "opened").all(t, "fail").red(t, 4, "branch change-1")
		p.run(t, "opened").all(t, "pass").green(t)
		g.wantHold(t, 1)
		p.run(t, "closed").all(t, "restore").green(t)
		g.answers(t, "one")
	},
	"queue": func(t *testing.T, g *gated) { // verifies what would land, and deploys nothing
		p := g.open(t, 1, "-a")
		p.run(t, "opened").all(t, "deploy").green(t)
		base := g.git(t, "rev-parse", "main")
		group := func(branch string) *workflow {
			g.git(t, "checkout", "-q", branch)
			return g.workflow(t, "merge_group", "refs/heads/gh-readonly-queue/main/pr-1", map[string]any{
				"merge_group": map[string]any{"head_sha": g.git(t, "rev-parse", "HEAD"), "base_sha": base, "base_ref": "refs/heads/main"},
			})
		}
		group(p.branch).all(t, "pass").green(t)
		q := g.open(t, 2, "-b")
		group(q.branch).all(t, "fail").red(t, 5, "not what was tested and is live")
	},
	"late": func(t *testing.T, g *gated) { // the runs of two merges come in the wrong order
		p := g.open(t, 1, "-a")
		p.run(t, "opened").all(t, "deploy").green(t)
		p.merge(t)
		first := p.event(t, "closed")
		firstMerge := g.git(t, "rev-parse", "main")
		q := g.open(t, 2, "-b")
		q.merge(t)
		g.dispatch(t, "main").all(t, "fail").red(t, 4, "#1")
		q.run(t, "closed").all(t, "fail").red(t, 4, "#1")
		g.git(t, "checkout", "-q", firstMerge)
		g.workflow(t, "pull_request", "refs/pull/1/merge", first).all(t, "pass").green(t)
		q.run(t, "closed").all(t, "deploy").green(t)
		g.wantMain(t, g.git(t, "rev-parse", "main"))
		g.git(t, "checkout", "-q", firstMerge)
		g.workflow(t, "pull_request", "refs/pull/1/merge", first).all(t, "pass").green(t)
		g.answers(t, "one-b")
	},
	"skipped": func(t *testing.T, g *gated) { // steps that were left out are not green
		p := g.open(t, 1, "-a")
		w := p.run(t, "opened")
		w.gate(t).prints(t, "deploy")
		w.finish(t).expect(t, 1, "nothing of it is live")
		g.wantHold(t, 0)
	},
	"asked": func(t *testing.T, g *gated) { // a person asks what would be, and nothing is changed
		p := g.open(t, 1, "-a")
		w := p.run(t, "opened")
		for i, set := range w.env {
			if strings.HasPrefix(set, "GITHUB_") {
				w.env[i] = "UNUSED="
			}
		}
		w.step(t, w.files("gate", "--event", w.folder+"/event.json")...).prints(t, "src/score.py")
		w.step(t, w.files("gate")...).expect(t, 2, "give --event")
		g.wantHold(t, 0)
	},
}

// forget deletes the gate's record, as if it had not been there before.
func (g *gated) forget(t *testing.T) {
	t.Helper()
	c, err := g.s.dial(t).Container(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewBlobClient("hotswap/"+g.endpoint+"/gate.json").Delete(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func TestGateLives(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for name, life := range gateLives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGated(t, s, "life-"+name)
			g.dispatch(t, "main").all(t, "deploy").green(t)
			life(t, g)
		})
	}
}

// Of two pull requests whose runs decide at once one holds the endpoint, and the other is told.
func TestGateTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "at-once")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	var runs []*workflow
	for number := 1; number <= 4; number++ {
		runs = append(runs, g.open(t, number, fmt.Sprint("-", number)).run(t, "opened"))
	}
	results := make([]result, len(runs))
	var all sync.WaitGroup
	for i, w := range runs {
		all.Go(func() { results[i] = w.gate(t) })
	}
	all.Wait()
	won := 0
	for _, r := range results {
		if r.code == 0 {
			won++
		} else if r.code != 4 || !strings.Contains(r.stderr, "held by pull request #") {
			t.Errorf("one of the others: %s", r)
		}
	}
	if won != 1 {
		t.Errorf("%d hold the endpoint, want 1", won)
	}
}

// stubForge is what the gate uses of GitHub's API: one pull request, its comments, statuses.
type stubForge struct {
	mu       sync.Mutex
	state    string
	head     string
	comments []string
	statuses []string
}

func (f *stubForge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	var in struct{ Body, Context, State string }
	_ = json.Unmarshal(body, &in)
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/user"):
		fmt.Fprint(w, `{"login": "bot", "id": 5, "type": "User"}`)
	case strings.Contains(path, "/statuses/"):
		f.statuses = append(f.statuses, in.Context+" "+in.State)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": 1}`)
	case strings.HasSuffix(path, "/issues/12/comments") && r.Method == http.MethodPost:
		f.comments = append(f.comments, in.Body)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": 1}`)
	case strings.HasSuffix(path, "/issues/12/comments"):
		all := []map[string]any{}
		for i, text := range f.comments {
			all = append(all, map[string]any{"id": i + 1, "body": text, "user": map[string]any{"login": "bot", "id": 5, "type": "User"}})
		}
		_ = json.NewEncoder(w).Encode(all)
	case strings.HasSuffix(path, "/issues/comments/1") && r.Method == http.MethodPatch:
		f.comments[0] = in.Body
		fmt.Fprint(w, `{"id": 1}`)
	case strings.HasSuffix(path, "/pulls/12"):
		side := map[string]any{"ref": "x", "sha": f.head, "repo": map[string]any{"id": 1, "full_name": "owner/name"}}
		_ = json.NewEncoder(w).Encode(map[string]any{"number": 12, "state": f.state, "head": side, "base": side})
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "Not Found"}`)
	}
}

// The pull request's page is one comment, edited in place; drift asks the forge whether the holder is
// open, and restores where it was closed and no workflow came.
func TestGateAsksAndTellsTheForge(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	g := newGated(t, s, "telling")
	g.dispatch(t, "main").all(t, "deploy").green(t)
	p := g.open(t, 12, "-a")
	f := &stubForge{state: "open", head: g.git(t, "rev-parse", "HEAD")}
	api := httptest.NewServer(f)
	t.Cleanup(api.Close)
	forge := []string{"GITHUB_API_URL=" + api.URL, "HOTSWAP_FORGE_TOKEN=t", "GH_TOKEN=", "GITHUB_TOKEN="}
	w := p.run(t, "opened")
	w.env = append(w.env, forge...)
	w.all(t, "deploy").green(t)
	w.finish(t).prints(t, "live and holding")
	if len(f.comments) != 1 || !strings.Contains(f.comments[0], "live and holding") || !strings.Contains(f.comments[0], "request.json") && !strings.Contains(f.comments[0], "✅") {
		t.Errorf("the comments are %q, want one", f.comments)
	}
	if len(f.statuses) != 2 || f.statuses[0] != "hotswap/telling success" {
		t.Errorf("the statuses are %q", f.statuses)
	}
	drift := func(args ...string) result {
		w := p.run(t, "synchronize") // for its environment
		w.env = append(w.env, forge...)
		return w.step(t, append([]string{"drift", "-e", g.endpoint}, args...)...)
	}
	drift().prints(t, "#12")
	f.mu.Lock()
	f.state = "closed"
	f.mu.Unlock()
	drift().expect(t, 6, "closed unmerged")
	late := p.run(t, "synchronize")
	late.env = append(late.env, forge...)
	late.gate(t).expect(t, 5, "closed meanwhile")
	drift("--repair").prints(t, "is live again")
	g.answers(t, "one")
	g.wantHold(t, 0)
}
