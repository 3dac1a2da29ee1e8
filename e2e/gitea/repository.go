package gitea

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Repository is one of the server's, with a clone of it in a folder of the test.
type Repository struct {
	Server *Server
	Name   string // owner/name
	Dir    string // the clone
}

// NewRepository makes an empty repository of Admin's, and its clone.
func (s *Server) NewRepository(t testing.TB, name string) *Repository {
	t.Helper()
	dir := t.TempDir()
	r := &Repository{Dir: dir}
	r.Git(t, "init", "--quiet", "--initial-branch=main")
	return s.Adopt(t, name, dir)
}

// Adopt makes a repository of Admin's for a folder that is a git repository already.
func (s *Server) Adopt(t testing.TB, name, dir string) *Repository {
	t.Helper()
	s.Must(t, "POST", "/user/repos", map[string]any{"name": name}, nil)
	r := &Repository{Server: s, Name: Admin + "/" + name, Dir: dir}
	r.Git(t, "remote", "add", "origin", s.CloneURL(r.Name))
	return r
}

// Git runs git in the clone, and returns what it says.
func (r *Repository) Git(t testing.TB, args ...string) string {
	t.Helper()
	out, err := r.git(args...)
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (r *Repository) git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// Checkout goes to a branch, which is made from main where there is none.
func (r *Repository) Checkout(t testing.TB, branch string) {
	t.Helper()
	if _, err := r.git("checkout", "--quiet", branch, "--"); err != nil && branch != "main" {
		r.Git(t, "checkout", "--quiet", "-b", branch, "main")
	}
}

// Commit changes files, by path and content, on a branch, and returns the commit.
func (r *Repository) Commit(t testing.TB, branch string, files map[string]string) string {
	t.Helper()
	r.Checkout(t, branch)
	for name, content := range files {
		file := filepath.Join(r.Dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.Git(t, "add", "--all")
	r.Git(t, "commit", "--quiet", "--message", "change "+branch)
	return r.Git(t, "rev-parse", "HEAD")
}

// Push gives a branch to the server and waits until its API knows of it: for a moment it doesn't.
func (r *Repository) Push(t testing.TB, branch string) {
	t.Helper()
	if err := r.TryPush(branch); err != nil {
		t.Fatal(err)
	}
	want := r.Git(t, "rev-parse", branch)
	Eventually(t, "branch "+branch+" at the server", func() error {
		var b struct{ Commit struct{ ID string } }
		if err := r.Call("GET", "/branches/"+branch, nil, &b); err != nil {
			return err
		}
		if b.Commit.ID != want {
			return fmt.Errorf("it is at %s, not at %s", b.Commit.ID, want)
		}
		return nil
	})
}

// TryPush gives a branch to the server, which may refuse it.
func (r *Repository) TryPush(branch string) error {
	_, err := r.git("push", "--quiet", "origin", branch)
	return err
}

// Pull takes what the server has as main.
func (r *Repository) Pull(t testing.TB) {
	t.Helper()
	r.Git(t, "checkout", "--quiet", "main", "--")
	r.Git(t, "fetch", "--quiet", "origin", "main")
	r.Git(t, "reset", "--quiet", "--hard", "FETCH_HEAD")
}

// Call is a call of the API below the repository.
func (r *Repository) Call(method, path string, in, out any) error {
	return r.Server.Do(method, "/repos/"+r.Name+path, in, out)
}

// Must is a call that the test can't do without.
func (r *Repository) Must(t testing.TB, method, path string, in, out any) {
	t.Helper()
	if err := r.Call(method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// PullRequest asks for main to take a branch, and returns its number.
func (r *Repository) PullRequest(t testing.TB, branch, title string) int {
	t.Helper()
	var pr struct{ Number int }
	r.Must(t, "POST", "/pulls", map[string]any{"head": branch, "base": "main", "title": title}, &pr)
	return pr.Number
}

// Merge merges a pull request, as somebody who presses the button.
func (r *Repository) Merge(t testing.TB, number int) error {
	t.Helper()
	return r.TryMerge(t, number, false)
}

// TryMerge merges a pull request, or forces it as administrators may where a rule lets them. The server first says
// that it is still looking whether it could be merged, which is no answer.
func (r *Repository) TryMerge(t testing.TB, number int, force bool) error {
	t.Helper()
	var err error
	Eventually(t, "an answer to the merge", func() error {
		err = r.Call("POST", fmt.Sprintf("/pulls/%d/merge", number), map[string]any{"Do": "merge", "force_merge": force}, nil)
		if refused := new(RefusedError); errors.As(err, &refused) && strings.Contains(refused.Message, "try again later") {
			return err
		}
		return nil
	})
	return err
}

// Close closes a pull request that isn't merged.
func (r *Repository) Close(t testing.TB, number int) {
	t.Helper()
	r.Must(t, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "closed"}, nil)
}

// Reopen opens a pull request again.
func (r *Repository) Reopen(t testing.TB, number int) {
	t.Helper()
	r.Must(t, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "open"}, nil)
}

// Status is a commit's state in one context, "" where there is none.
func (r *Repository) Status(t testing.TB, commit, context string) string {
	t.Helper()
	var combined struct {
		Statuses []struct{ Context, Status string }
	}
	r.Must(t, "GET", "/commits/"+commit+"/status", nil, &combined)
	for _, s := range combined.Statuses {
		if s.Context == context {
			return s.Status
		}
	}
	return ""
}

// Checked waits until a commit's state in one context is final, and returns it.
func (r *Repository) Checked(t testing.TB, commit, context string) (state string) {
	t.Helper()
	Eventually(t, "the end of "+context, func() error {
		if state = r.Status(t, commit, context); state == "" || state == "pending" {
			return fmt.Errorf("it is %q", state)
		}
		return nil
	})
	return state
}

// Run is one run of a workflow.
type Run struct {
	ID         int64
	Event      string
	Status     string
	Conclusion string
	HeadSHA    string `json:"head_sha"`
	Path       string // workflow.yml@ref
}

// Runs are the runs of the repository's workflows, the newest first.
func (r *Repository) Runs(t testing.TB) []Run {
	t.Helper()
	var answer struct {
		Runs []Run `json:"workflow_runs"`
	}
	r.Must(t, "GET", "/actions/runs", nil, &answer)
	return answer.Runs
}

// Ended does something that starts a run, and waits for the end of the run.
func (r *Repository) Ended(t testing.TB, start func()) (run Run) {
	t.Helper()
	before := int64(0)
	for _, run := range r.Runs(t) {
		before = max(before, run.ID)
	}
	start()
	Eventually(t, "the end of a run", func() error {
		if run = r.Runs(t)[0]; run.ID <= before || run.Status != "completed" {
			return fmt.Errorf("the newest is %+v", run)
		}
		return nil
	})
	return run
}

// Log is what the jobs of a run said.
func (r *Repository) Log(t testing.TB, run int64) string {
	t.Helper()
	var answer struct{ Jobs []struct{ ID int64 } }
	r.Must(t, "GET", fmt.Sprintf("/actions/runs/%d/jobs", run), nil, &answer)
	var all strings.Builder
	for _, job := range answer.Jobs {
		var log []byte
		r.Must(t, "GET", fmt.Sprintf("/actions/jobs/%d/logs", job.ID), nil, &log)
		all.Write(log)
	}
	return all.String()
}

// Comments are the texts below a pull request.
func (r *Repository) Comments(t testing.TB, number int) []string {
	t.Helper()
	var comments []struct{ Body string }
	r.Must(t, "GET", fmt.Sprintf("/issues/%d/comments", number), nil, &comments)
	var texts []string
	for _, c := range comments {
		texts = append(texts, c.Body)
	}
	return texts
}

// patience is how long Eventually waits: it ends a test that hangs, and is no measure of anything.
const patience = 3 * time.Minute

// Eventually waits until what is true, and fails the test with the reason why it isn't.
func Eventually(t testing.TB, what string, is func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = is(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}
