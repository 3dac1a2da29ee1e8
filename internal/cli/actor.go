package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"hotswap/internal/azure"
	"hotswap/internal/rollout"
)

// actor is who runs this command.
func (s *session) actor(ctx context.Context, c *azure.Client) (rollout.Actor, error) {
	p, err := c.Principal(ctx)
	a := rollout.Actor{Principal: p, Forge: s.forge()}
	if a.Forge == nil {
		a.Local = rollout.Self().Name
	}
	return a, err
}

// forge describes the run of GitHub Actions, or of Gitea's, that this command is a step of; nil
// where it is none. No token is among what it reads
// (docs.github.com/actions/reference/workflows-and-actions/variables).
func (s *session) forge() *rollout.Forge {
	run := s.Getenv("GITHUB_RUN_ID")
	if run == "" {
		return nil
	}
	f := &rollout.Forge{
		Server: s.Getenv("GITHUB_SERVER_URL"), Repository: s.Getenv("GITHUB_REPOSITORY"), Actor: s.Getenv("GITHUB_ACTOR"),
		Workflow: s.Getenv("GITHUB_WORKFLOW"), Run: run, Attempt: s.Getenv("GITHUB_RUN_ATTEMPT"),
		Ref: s.Getenv("GITHUB_REF"), Commit: s.Getenv("GITHUB_SHA"),
	}
	if f.Server != "" && f.Repository != "" { // Gitea has its runs by id as well since 1.26, and by number before
		f.URL = fmt.Sprintf("%s/%s/actions/runs/%s", f.Server, f.Repository, run)
	}
	f.PullRequest = pullRequest(f.Ref)
	if name := s.Getenv("GITHUB_EVENT_PATH"); name != "" {
		readEvent(name, f)
	}
	return f
}

// pullRequest is the number in refs/pull/N/merge, and in refs/pull/N/head as Gitea has it; 0 in
// any other ref.
func pullRequest(ref string) int {
	rest, is := strings.CutPrefix(ref, "refs/pull/")
	number, _, _ := strings.Cut(rest, "/")
	if n, err := strconv.Atoi(number); is && err == nil {
		return n
	}
	return 0
}

// readEvent fills in what only the event's own file says. A run that began otherwise has no pull
// request there.
func readEvent(name string, f *rollout.Forge) {
	var event struct {
		PullRequest struct {
			Number int
			Head   struct{ SHA string }
		} `json:"pull_request"`
	}
	text, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(text, &event) != nil {
		return // who it was is told as far as it is known, and stops no rollout
	}
	if n := event.PullRequest.Number; n > 0 {
		f.PullRequest = n
	}
	f.Head = event.PullRequest.Head.SHA
}
