package act

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A change goes live with its pull request, further pushes too, and the merge finds it there.
func TestOpenSynchronizeMerge(t *testing.T) {
	w := started(t, "story")
	number := w.change(t, "two")
	j := w.event(t, number, "opened")
	j.expect(t, 0)
	j.decided(t, "deploy")
	w.serves(t, "first", "two")
	first := w.Status(t, "story").Rollout.Rollout

	w.Write(t, "README.md", "Nothing that is scored.\n")
	w.Commit(t, "words")
	j = w.event(t, number, "synchronize")
	j.expect(t, 0)
	j.decided(t, "pass")
	if now := w.Status(t, "story").Rollout.Rollout; now != first {
		t.Errorf("what was live already was deployed again: rollout %s after %s", now, first)
	}

	w.script(t, "two", "three")
	j = w.event(t, number, "synchronize")
	j.expect(t, 0)
	j.decided(t, "deploy")
	w.serves(t, "first", "three")

	j = w.merge(t, number)
	j.expect(t, 0)
	w.serves(t, "first", "three")
	if all := w.forge.commented(number); len(all) != 1 {
		t.Errorf("%d comments, want one that is edited: %q", len(all), all)
	}
	if out, code := w.drift(t); code != 0 {
		t.Errorf("main and production differ after the merge: %d\n%s", code, out)
	}
}

// drift compares production with main.
func (w *team) drift(t *testing.T) (out string, code int) {
	t.Helper()
	r := w.do(t, "drift", "-e", w.Endpoint)
	return r.String(), r.Code
}

func TestUnrelatedChangePassesAtOnce(t *testing.T) {
	w := started(t, "unrelated")
	before := w.Status(t, "unrelated").Rollout.Rollout
	w.Branch(t, "docs")
	w.Write(t, "docs/page.md", "A page.\n")
	w.Commit(t, "a page")
	number := w.propose(t, "docs")
	j := w.event(t, number, "opened")
	j.expect(t, 0)
	j.decided(t, "pass")
	w.merge(t, number).expect(t, 0)
	if now := w.Status(t, "unrelated").Rollout.Rollout; now != before {
		t.Errorf("rollout %s ran, want none after %s", now, before)
	}
}

func TestDraftFailsUntilItIsReady(t *testing.T) {
	w := started(t, "draft")
	number := w.change(t, "two")
	w.set(t, number, func(p *pull) { p.draft = true })
	w.event(t, number, "opened").expect(t, 1, "draft")
	w.serves(t, "first", "one")
	w.set(t, number, func(p *pull) { p.draft = false })
	w.event(t, number, "ready_for_review").expect(t, 0)
	w.serves(t, "first", "two")
}

func TestForkIsDecidedWithoutTheCloud(t *testing.T) {
	w := started(t, "forked")
	number := w.change(t, "two")
	w.set(t, number, func(p *pull) { p.fromOutside = true })
	w.event(t, number, "opened").expect(t, 1, "fork")
	w.serves(t, "first", "one")
}

func TestCloseUnmergedRestoresMain(t *testing.T) {
	w := started(t, "closed")
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	w.serves(t, "first", "two")
	j := w.close(t, number)
	j.expect(t, 0)
	j.decided(t, "restore")
	w.serves(t, "first", "one")
	if out, code := w.drift(t); code != 0 {
		t.Errorf("main and production differ after the close: %d\n%s", code, out)
	}
	next := w.change(t, "three") // nobody holds the endpoint any more
	w.event(t, next, "opened").expect(t, 0)
	w.serves(t, "first", "three")
}

func TestFailingTestKeepsLive(t *testing.T) {
	w := started(t, "failing")
	w.Branch(t, "thrice")
	w.Replace(t, "scoring/src/score.py", "2 * json", "3 * json")
	w.script(t, "one", "thrice")
	number := w.propose(t, "thrice")
	j := w.event(t, number, "opened")
	j.expect(t, 1)
	w.serves(t, "first", "one")
	if j.outputs["verdict"] != "failed" || !strings.Contains(j.summary, "❌ Tests of") {
		t.Errorf("verdict %q, summary\n%s", j.outputs["verdict"], j.summary)
	}
	if all := w.forge.commented(number); len(all) != 1 {
		t.Errorf("comments %q, want one that says it\n%s", all, j.log)
	}
	head := w.Git(t, "rev-parse", "thrice")
	if s := w.forge.status(head); s.State != "failure" {
		t.Errorf("the commit's status is %+v, want a failure", s)
	}
}

func TestBrokenScriptKeepsLive(t *testing.T) {
	w := started(t, "breaking")
	w.Branch(t, "broken")
	w.Replace(t, "scoring/src/score.py", "    global model\n", "    global model\n    model = nowhere\n")
	w.Commit(t, "break it")
	j := w.event(t, w.propose(t, "broken"), "opened")
	j.expect(t, 1, "file=scoring/src/score.py,line=8", "name 'nowhere' is not defined")
	w.serves(t, "first", "one")
	if !strings.Contains(strings.Join(slices.Collect(maps.Values(j.logs)), ""), "NameError") {
		t.Errorf("no log of it was kept: %q", j.logs)
	}
}

// Of two pull requests that start together one has the endpoint, and the other's check says which.
func TestTwoAtOnce(t *testing.T) {
	w := started(t, "racing")
	numbers := [2]int{w.change(t, "two"), w.change(t, "three")}
	var jobs [2]job
	var runs [2]run
	for i, n := range numbers {
		runs[i] = w.prepare(t, n, "opened")
	}
	var both sync.WaitGroup
	for i := range runs {
		both.Go(func() { jobs[i] = w.run(t, runs[i]) })
	}
	both.Wait()
	winner := 0
	if jobs[1].code == 0 {
		winner = 1
	}
	loser := 1 - winner
	jobs[winner].expect(t, 0)
	jobs[loser].expect(t, 1, fmt.Sprintf("#%d", numbers[winner]))
	names := [2]string{"two", "three"}
	w.serves(t, "first", names[winner])

	w.close(t, numbers[winner]).expect(t, 0)
	w.event(t, numbers[loser], "reopened").expect(t, 0)
	w.serves(t, "first", names[loser])
}

// A newer model is a change, though no file is.
func TestNewerModelWithoutChange(t *testing.T) {
	w := started(t, "newer")
	w.Register(t, "newer", "second")
	w.Branch(t, "words")
	w.Write(t, "README.md", "Model two.\n")
	w.Commit(t, "words")
	number := w.propose(t, "words")
	j := w.event(t, number, "opened")
	j.expect(t, 0)
	j.decided(t, "deploy")
	w.serves(t, "second", "one")
	w.close(t, number).expect(t, 0)
	w.serves(t, "first", "one")
}

// By hand it always deploys, but not over a pull request that holds the endpoint.
func TestDispatch(t *testing.T) {
	w := started(t, "dispatched")
	before := w.Status(t, "dispatched").Rollout.Rollout
	w.onMain(t).expect(t, 0)
	if now := w.Status(t, "dispatched").Rollout.Rollout; now == before {
		t.Error("a run by hand deployed nothing")
	}
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	w.onMain(t).expect(t, 1, fmt.Sprintf("#%d", number), "hotswap gate release")
	w.serves(t, "first", "two")
}

// A merge queue's check passes what is live and tested, and deploys nothing.
func TestMergeGroupVerifies(t *testing.T) {
	w := started(t, "queued")
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	group := func(r run, base string) job {
		branch := "gh-readonly-queue/main/pr-1-" + r.commit
		return w.run(t, run{workflow: workflow, event: "merge_group", commit: r.commit, ref: "refs/heads/" + branch, payload: map[string]any{
			"action": "checks_requested", "repository": repositoryJSON(repository),
			"merge_group": map[string]any{"head_sha": r.commit, "head_ref": "refs/heads/" + branch, "base_ref": "refs/heads/main", "base_sha": base},
		}})
	}
	base, before := w.Git(t, "rev-parse", "main"), w.Status(t, "queued").Rollout.Rollout
	group(w.prepare(t, number, "synchronize"), base).expect(t, 0)
	w.script(t, "two", "three") // what would land is not what was tested
	group(w.prepare(t, number, "synchronize"), base).expect(t, 1)
	if now := w.Status(t, "queued").Rollout.Rollout; now != before {
		t.Error("a merge group deployed something")
	}
	w.serves(t, "first", "two")
}
