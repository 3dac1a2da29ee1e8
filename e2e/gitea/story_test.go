package gitea_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hotswap/e2e/gitea"
	"hotswap/e2e/rig"
)

// team is a repository on Gitea whose pull requests deploy to a workspace of hotswap serve.
type team struct {
	*gitea.Repository
	work   *rig.Repository // the clone, with what hotswap init wrote
	cloud  *rig.Server
	runner *gitea.Runner
}

// newTeam makes one as its owner would, with the credential and the place of hotswap at the forge.
func newTeam(t *testing.T, name string) *team {
	t.Helper()
	cloud := rig.Start(t)
	forge := gitea.Start(t)
	work := rig.NewRepository(t, name)
	w := &team{Repository: forge.Adopt(t, name, work.Dir), work: work, cloud: cloud}
	w.Must(t, "PUT", "/actions/secrets/AZURE_SERVICE_PRINCIPAL", map[string]any{"data": cloud.Credentials}, nil)
	w.Must(t, "POST", "/actions/variables/HOTSWAP_PATH", map[string]any{"value": rig.Program(t, "hotswap")}, nil)
	w.Push(t, "main")
	return w
}

// script changes the scoring script on a branch: it answers as another version of itself.
func (w *team) script(t *testing.T, branch, from, to string) (commit string) {
	t.Helper()
	w.Checkout(t, branch)
	w.work.Replace(t, "scoring/src/score.py", from, to)
	commit = w.work.Commit(t, "from "+from+" to "+to)
	w.Push(t, branch)
	return commit
}

// serves requires which version of the scoring script answers.
func (w *team) serves(t *testing.T, want string) {
	t.Helper()
	if _, script := w.cloud.Answer(t, w.work.Endpoint); script != want {
		t.Errorf("the endpoint serves script %q, want %q", script, want)
	}
}

// stands requires which commit of main the endpoint stands for, and which pull request holds it; 0 is none.
func (w *team) stands(t *testing.T, commit string, holder int) {
	t.Helper()
	var status struct {
		Main *struct{ Commit string }
		Hold *struct{ PullRequest int }
	}
	out := rig.Must(t, w.cloud.Hotswap("status", "-e", w.work.Endpoint, "-o", "json"))
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatal(err)
	}
	if status.Main == nil || status.Main.Commit != commit {
		t.Errorf("main stands for %+v, want %s", status.Main, commit)
	}
	if held := status.Hold != nil; held != (holder != 0) || held && status.Hold.PullRequest != holder {
		t.Errorf("the endpoint is held by %+v, want #%d", status.Hold, holder)
	}
}

// main is the commit that the forge has as main.
func (w *team) main(t *testing.T) string {
	t.Helper()
	var b struct{ Commit struct{ ID string } }
	w.Must(t, "GET", "/branches/main", nil, &b)
	return b.Commit.ID
}

// check waits for the required check of a commit, and requires how it ended.
func (w *team) check(t *testing.T, commit, want string) {
	t.Helper()
	if got := w.Checked(t, commit, required); got != want {
		t.Fatalf("the check is %s, want %s\n%s", got, want, w.Log(t, w.Runs(t)[0].ID))
	}
}

// quiet requires that the newest run had nothing to warn of: it told people all that it has to.
func (w *team) quiet(t *testing.T) {
	t.Helper()
	if log := w.Log(t, w.Runs(t)[0].ID); strings.Contains(log, "could not be") {
		t.Errorf("the run warns:\n%s", log)
	}
}

// log requires words in what the newest run said.
func (w *team) log(t *testing.T, words ...string) {
	t.Helper()
	log := w.Log(t, w.Runs(t)[0].ID)
	for _, word := range words {
		if !strings.Contains(log, word) {
			t.Errorf("the run's log has no %q:\n%s", word, log)
		}
	}
}

// refused requires that a pull request can't be merged, whoever presses the button.
func (w *team) refused(t *testing.T, number int) {
	t.Helper()
	for _, force := range []bool{false, true} {
		if err := w.TryMerge(t, number, force); status(err) != 405 {
			t.Errorf("the merge of #%d, forced: %v: %v, want status 405", number, force, err)
		}
	}
}

// TestStory is a team's day on a Gitea: the workflow that we ship, run by Gitea's Actions, decides what may be merged and
// what is live, while clients score the endpoint and none of them notices.
func TestStory(t *testing.T) {
	w := newTeam(t, "fares")
	w.testQueue(t)
	w.cloud.Register(t, "fares", "first")
	w.runner = w.Server.Run(t, "SSL_CERT_FILE="+w.cloud.CA)

	// Main is live first, by a run that somebody starts.
	run := w.Ended(t, func() {
		w.Must(t, "POST", "/actions/workflows/workshop_cd.yml/dispatches", map[string]any{"ref": "main"}, nil)
	})
	if run.Conclusion != "success" {
		t.Fatalf("the run on main is %+v\n%s", run, w.Log(t, run.ID))
	}
	w.serves(t, "one")
	w.stands(t, w.main(t), 0)
	clients := w.cloud.Clients(t, w.work.Endpoint)
	if c := protect(t, w.Repository); c.Action != "create" {
		t.Errorf("protect: %+v", c)
	}

	main := w.testMerged(t)
	w.testUnrelated(t)
	w.testFork(t)
	w.testFails(t)
	w.stands(t, main, 0)
	w.testClosed(t)
	w.stands(t, main, 0)
	if answers := clients.Stop(t); answers["first"] == 0 {
		t.Errorf("the clients had these answers: %v", answers)
	}
}

// testQueue shows, before there is a runner, that runs which wait cancel none of another pull request.
func (w *team) testQueue(t *testing.T) {
	t.Helper()
	var numbers []int
	for _, branch := range []string{"a", "b", "c"} {
		w.script(t, branch, `"one"`, fmt.Sprintf("%q", branch))
		numbers = append(numbers, w.PullRequest(t, branch, "Model "+branch))
	}
	waiting := map[string]int{}
	for _, run := range w.Runs(t) {
		waiting[run.Status+run.Conclusion]++
	}
	if len(waiting) != 1 || waiting["queued"] != 3 {
		t.Errorf("the runs are %v, want three that wait", waiting)
	}
	for _, n := range numbers {
		w.Close(t, n)
	}
}

// testMerged takes a pull request from its opening to its merge, with a second one that comes in between, and returns what
// main is then.
func (w *team) testMerged(t *testing.T) (main string) {
	t.Helper()
	main = w.main(t)
	head := w.script(t, "better", `"one"`, `"two"`)
	resume := w.runner.Pause()
	n := w.open(t, "better", "A better $(false) ${{ github.token }} model")
	w.refused(t, n) // the check is pending
	resume()
	w.check(t, head, "success")
	w.quiet(t)
	w.serves(t, "two")
	w.stands(t, main, n)
	first := w.Comments(t, n)
	if len(first) != 1 || !strings.Contains(first[0], "blue") && !strings.Contains(first[0], "green") {
		t.Errorf("the comments are %q\n%s", first, w.Log(t, w.Runs(t)[0].ID))
		return
	}

	other := w.script(t, "other", `"one"`, `"other"`)
	number := w.PullRequest(t, "other", "Another model")
	w.check(t, other, "failure")
	w.log(t, fmt.Sprintf("#%d", n))
	w.refused(t, number)
	w.serves(t, "two")

	head = w.script(t, "better", `"two"`, `"three"`)
	w.check(t, head, "success")
	w.serves(t, "three")
	if second := w.Comments(t, n); len(second) != 1 || second[0] == first[0] {
		t.Errorf("the comments are %q after %q", second, first)
	}
	run := w.Ended(t, func() {
		if err := w.Merge(t, n); err != nil {
			t.Fatalf("the merge after the check: %v", err)
		}
	})
	if run.Conclusion != "success" {
		t.Errorf("the run of the merge is %+v\n%s", run, w.Log(t, run.ID))
	}
	w.serves(t, "three")
	main = w.main(t)
	w.stands(t, main, 0)
	w.Pull(t)
	w.Ended(t, func() { w.Close(t, number) })
	return main
}

// open opens a pull request as a team's CI does.
func (w *team) open(t *testing.T, branch, title string) int {
	t.Helper()
	var pull struct{ Number int }
	got := hotswap(t, w.Repository, w.Server.Token, "pr", "open", "--head", branch, "--title", title, "-o", "json")
	if err := json.Unmarshal([]byte(got.Stdout), &pull); err != nil || got.Code != 0 {
		t.Fatalf("hotswap pr open: %v, %s", err, got)
	}
	return pull.Number
}

// testUnrelated shows that what is not about the model passes at once.
func (w *team) testUnrelated(t *testing.T) {
	t.Helper()
	rollout := w.cloud.Status(t, w.work.Endpoint).Rollout.Rollout
	w.Checkout(t, "typo")
	w.work.Write(t, "README.md", "A fine model.\n")
	head := w.work.Commit(t, "a word")
	w.Push(t, "typo")
	n := w.PullRequest(t, "typo", "A word")
	w.check(t, head, "success")
	if now := w.cloud.Status(t, w.work.Endpoint).Rollout.Rollout; now != rollout {
		t.Errorf("rollout %s was made for it", now)
	}
	run := w.Ended(t, func() {
		if err := w.Merge(t, n); err != nil {
			t.Errorf("the merge: %v", err)
		}
	})
	if run.Conclusion != "success" {
		t.Errorf("the run of the merge is %+v\n%s", run, w.Log(t, run.ID))
	}
	w.Pull(t)
}

// testFork shows that a fork's pull request is decided without a credential, as its runs have none.
func (w *team) testFork(t *testing.T) {
	t.Helper()
	colleague := w.Server.NewUser(t, "colleague")
	w.Must(t, "PUT", "/collaborators/colleague", map[string]any{"permission": "write"}, nil) // else the run waits for approval
	colleague.Must(t, "POST", "/repos/"+w.Name+"/forks", map[string]any{}, nil)
	w.Checkout(t, "theirs")
	w.work.Replace(t, "scoring/src/score.py", `"three"`, `"theirs"`)
	head := w.work.Commit(t, "from outside")
	w.Git(t, "push", "--quiet", colleague.CloneURL("colleague/"+w.work.Endpoint), "theirs")
	var pr struct{ Number int }
	gitea.Eventually(t, "the fork's pull request", func() error {
		return colleague.Do("POST", "/repos/"+w.Name+"/pulls", map[string]any{"head": "colleague:theirs", "base": "main", "title": "From outside"}, &pr)
	})
	w.check(t, head, "failure")
	w.log(t, "comes from a fork")
	w.refused(t, pr.Number)
	w.serves(t, "three")
	w.Ended(t, func() { w.Close(t, pr.Number) })
}

// testFails shows what becomes of a model that fails its tests, and that it is not even deployed as long as it is a draft.
func (w *team) testFails(t *testing.T) {
	t.Helper()
	rollout := w.cloud.Status(t, w.work.Endpoint).Rollout.Rollout
	head := w.script(t, "worse", `2 * json`, `3 * json`)
	n := w.PullRequest(t, "worse", "WIP: A worse model")
	w.check(t, head, "failure")
	w.log(t, "is a draft")
	if now := w.cloud.Status(t, w.work.Endpoint).Rollout.Rollout; now != rollout {
		t.Errorf("rollout %s was made for a draft", now)
	}

	w.Must(t, "PATCH", fmt.Sprintf("/pulls/%d", n), map[string]any{"title": "A worse model"}, nil)
	w.Ended(t, func() { w.Close(t, n) })
	if run := w.Ended(t, func() { w.Reopen(t, n) }); run.Conclusion != "failure" {
		t.Errorf("the run is %+v\n%s", run, w.Log(t, run.ID))
	}
	w.log(t, "doubles") // the test that it fails
	w.refused(t, n)
	w.serves(t, "three")
	w.Ended(t, func() { w.Close(t, n) })
}

// testClosed shows that production equals main again once a pull request that was live is closed unmerged.
func (w *team) testClosed(t *testing.T) {
	t.Helper()
	w.Pull(t)
	head := w.script(t, "dropped", `"three"`, `"four"`)
	n := w.PullRequest(t, "dropped", "A dropped model")
	w.check(t, head, "success")
	w.serves(t, "four")
	run := w.Ended(t, func() { w.Close(t, n) })
	if run.Conclusion != "success" {
		t.Errorf("the run of the closing is %+v\n%s", run, w.Log(t, run.ID))
	}
	w.serves(t, "three")
}
