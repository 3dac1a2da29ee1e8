package gitea_test

import (
	"errors"
	"strings"
	"testing"

	"hotswap/e2e/gitea"
)

// TestServer is about the Gitea of the tests itself, by its plain API.
func TestServer(t *testing.T) {
	s := gitea.Start(t)
	t.Run("refuses", func(t *testing.T) { testRefuses(t, s) })
	t.Run("runs jobs", func(t *testing.T) { testJobs(t, s) })
}

// status is the answer that an error is.
func status(err error) int {
	if refused := new(gitea.RefusedError); errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}

// testRefuses shows what a branch rule refuses: a push to its branch, and a merge before the status that it requires.
func testRefuses(t *testing.T, s *gitea.Server) {
	r := s.NewRepository(t, "plain")
	r.Commit(t, "main", map[string]string{"README.md": "one\n"})
	r.Push(t, "main")
	r.Must(t, "POST", "/branch_protections", map[string]any{
		"rule_name": "main", "enable_status_check": true, "status_check_contexts": []string{"check*"}, "block_admin_merge_override": true,
	}, nil)

	r.Commit(t, "main", map[string]string{"README.md": "two\n"})
	if err := r.TryPush("main"); err == nil {
		t.Error("a push to a protected branch went through")
	}
	r.Git(t, "reset", "--quiet", "--hard", "HEAD~1")

	head := r.Commit(t, "change", map[string]string{"README.md": "three\n"})
	r.Push(t, "change")
	n := r.PullRequest(t, "change", "A change")
	if err := r.Merge(t, n); status(err) != 405 {
		t.Errorf("the merge without a status: %v, want status 405", err)
	}
	for _, state := range []string{"pending", "failure"} {
		r.Must(t, "POST", "/statuses/"+head, map[string]any{"context": "check / it", "state": state}, nil)
		if err := r.Merge(t, n); status(err) != 405 {
			t.Errorf("the merge while the status is %s: %v, want status 405", state, err)
		}
	}
	r.Must(t, "POST", "/statuses/"+head, map[string]any{"context": "check / it", "state": "success"}, nil)
	if got := r.Status(t, head, "check / it"); got != "success" {
		t.Errorf("the status is %q", got)
	}
	if err := r.Merge(t, n); err != nil {
		t.Errorf("the merge with the status: %v", err)
	}
}

const tiny = `name: tiny
on: {pull_request: {types: [opened, synchronize, closed]}}
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd
      with: {fetch-depth: 0}
    - env: {TOKEN: '${{ github.token }}', WORD: '${{ secrets.WORD }}', COLOUR: '${{ vars.COLOUR }}'}
      run: |
        git log --format=%s origin/main..HEAD
        test "$(git rev-parse HEAD)" = "$GITHUB_SHA"
        test "$GITEA_ACTIONS$WORD$COLOUR" = truesesameblue
        echo "the word is $WORD"
        grep '"action"' "$GITHUB_EVENT_PATH" | tr -d ' ,'
        curl --fail --silent --show-error --header "Authorization: token $TOKEN" --json "{\"body\": \"$(cat verdict)\"}" \
          "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/${{ github.event.number }}/comments" > /dev/null
        grep --quiet good verdict
`

// testJobs shows that the runner does what one of Gitea's does: it checks out, knows secrets, variables and the event,
// has a token that may write, keeps the secret out of the log, and tells the result.
func testJobs(t *testing.T, s *gitea.Server) {
	s.Run(t)
	r := s.NewRepository(t, "jobs")
	r.Must(t, "PUT", "/actions/secrets/WORD", map[string]any{"data": "sesame"}, nil)
	r.Must(t, "POST", "/actions/variables/COLOUR", map[string]any{"value": "blue"}, nil)
	r.Commit(t, "main", map[string]string{".github/workflows/tiny.yml": tiny, "verdict": "good\n"})
	r.Push(t, "main")
	good := r.Commit(t, "change", map[string]string{"verdict": "very good\n"})
	r.Push(t, "change")
	n := r.PullRequest(t, "change", "A change")
	const context = "tiny / look (pull_request)"
	if got := r.Checked(t, good, context); got != "success" {
		t.Fatalf("the status is %s\n%s", got, r.Log(t, r.Runs(t)[0].ID))
	}
	log := r.Log(t, r.Runs(t)[0].ID)
	for _, want := range []string{"change change", "the word is ***", `"action":"opened"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	if got := r.Comments(t, n); len(got) != 1 || got[0] != "very good" {
		t.Errorf("the comments are %q", got)
	}
	bad := r.Commit(t, "change", map[string]string{"verdict": "bad\n"})
	r.Push(t, "change")
	if got := r.Checked(t, bad, context); got != "failure" {
		t.Errorf("the status is %s", got)
	}
	if log := r.Log(t, r.Runs(t)[0].ID); !strings.Contains(log, `"action":"synchronized"`) {
		t.Errorf("the log has no action:\n%s", log)
	}
}
