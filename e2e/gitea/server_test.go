package gitea_test

import (
	"errors"
	"testing"

	"hotswap/e2e/gitea"
)

// status is the answer that an error is.
func status(err error) int {
	if refused := new(gitea.RefusedError); errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}

// TestServer shows that the Gitea of the tests is one that refuses: a push to a protected branch, and a
// merge before the status that the branch requires. All by its plain API.
func TestServer(t *testing.T) {
	s := gitea.Start(t)
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
