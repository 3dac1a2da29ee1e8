package act

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"hotswap/e2e/rig"
)

const workflow = "workshop_cd.yml"

// onMain runs the workflow by hand on main, so that main stands for what is live.
func (w *team) onMain(t *testing.T) job {
	t.Helper()
	return w.byHand(t, "main")
}

// byHand runs it on a branch, for the newest model.
func (w *team) byHand(t *testing.T, branch string) job {
	t.Helper()
	return w.run(t, run{
		workflow: workflow, event: "workflow_dispatch", commit: w.Git(t, "rev-parse", branch), ref: "refs/heads/" + branch,
		payload: map[string]any{"inputs": map[string]any{"modelVersion": "latest"}, "ref": "refs/heads/" + branch, "repository": repositoryJSON(repository)},
	})
}

// started is a team whose main is live: the model "first" by the script "one".
func started(t *testing.T, endpoint string) *team {
	t.Helper()
	w := newTeam(t, endpoint)
	w.Register(t, endpoint, "first")
	w.onMain(t).expect(t, 0)
	w.serves(t, "first", "one")
	return w
}

// script makes the scoring script of the work tree answer with that version.
func (w *team) script(t *testing.T, from, to string) {
	t.Helper()
	w.Replace(t, "scoring/src/score.py", fmt.Sprintf("SCRIPT = %q", from), fmt.Sprintf("SCRIPT = %q", to))
	w.Commit(t, "script "+to)
}

// propose makes a pull request of a branch that there is.
func (w *team) propose(t *testing.T, branch string) (number int) {
	t.Helper()
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	number = len(w.forge.pulls) + 1
	w.forge.pulls[number] = pull{
		title: "change " + branch, branch: branch, state: "open",
		head: w.Git(t, "rev-parse", branch), base: w.Git(t, "rev-parse", "main"),
	}
	return number
}

// change makes a pull request that changes the scoring script, on a branch named after its version.
func (w *team) change(t *testing.T, version string) (number int) {
	t.Helper()
	w.Branch(t, version)
	w.script(t, "one", version)
	return w.propose(t, version)
}

// set changes a pull request on the forge.
func (w *team) set(t *testing.T, number int, change func(*pull)) pull {
	t.Helper()
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	p := w.forge.pulls[number]
	change(&p)
	w.forge.pulls[number] = p
	return p
}

// event runs the workflow for what has happened to a pull request, at the commit that a forge
// takes: the merge with main, of its own making until it is merged.
func (w *team) event(t *testing.T, number int, action string) job {
	t.Helper()
	return w.run(t, w.prepare(t, number, action))
}

func (w *team) prepare(t *testing.T, number int, action string) run {
	t.Helper()
	p := w.set(t, number, func(p *pull) { p.base = w.Git(t, "rev-parse", "main") })
	commit, ref := p.mergeCommit, "refs/heads/main"
	if commit == "" {
		p = w.set(t, number, func(p *pull) { p.head = w.Git(t, "rev-parse", p.branch) })
		w.Git(t, "checkout", "--quiet", "--detach", "main")
		w.Git(t, "merge", "--quiet", "--no-ff", "--message", "merge for the checks", p.head)
		commit, ref = w.Head(t), fmt.Sprintf("refs/pull/%d/merge", number)
		w.Git(t, "checkout", "--quiet", p.branch)
	}
	r := run{workflow: workflow, event: "pull_request", commit: commit, ref: ref, payload: map[string]any{
		"action": action, "number": number, "pull_request": p.json(number), "repository": repositoryJSON(repository),
	}}
	if p.fromOutside {
		r.secrets = map[string]string{"GITHUB_TOKEN": forgeToken} // which can only read
	}
	return r
}

// merge merges a pull request and runs the workflow for that.
func (w *team) merge(t *testing.T, number int) job {
	t.Helper()
	p := w.set(t, number, func(*pull) {})
	sha := w.Merge(t, p.branch)
	w.set(t, number, func(p *pull) { p.state, p.merged, p.mergeCommit = "closed", true, sha })
	return w.event(t, number, "closed")
}

// close closes a pull request unmerged and runs the workflow for that.
func (w *team) close(t *testing.T, number int) job {
	t.Helper()
	w.set(t, number, func(p *pull) { p.state = "closed" })
	return w.event(t, number, "closed")
}

// decided requires what the gate decided.
func (j job) decided(t *testing.T, decision string) {
	t.Helper()
	if j.outputs["decision"] != decision {
		t.Errorf("decided %q (%s), want %q\n%s", j.outputs["decision"], j.outputs["reason"], decision, j.log)
	}
}

// do runs a command of a client of the workspace, in the repository.
func (w *team) do(t *testing.T, args ...string) rig.Result {
	t.Helper()
	c := w.Hotswap(args...)
	c.Dir = w.Dir
	return rig.Run(t, c)
}

// commented returns the comments on a pull request.
func (f *forge) commented(number int) (bodies []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.comments)) {
		if c := f.comments[id]; c.pull == number {
			bodies = append(bodies, c.body)
		}
	}
	return bodies
}

// status is the newest of a commit.
func (f *forge) status(sha string) status {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.statuses[sha]
	if len(all) == 0 {
		return status{}
	}
	return all[len(all)-1]
}
