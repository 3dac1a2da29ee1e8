package cli

import (
	"context"
	"os/exec"
	"strings"
	"time"

	"hotswap/internal/azure"
	"hotswap/internal/journal"
	"hotswap/internal/rollout"
)

// client connects to the workspace that the flags and the environment name.
func (s *session) client(ctx context.Context) (*azure.Client, error) {
	c, err := azure.Dial(ctx, s.cloud())
	if err != nil {
		return nil, err
	}
	if s.verbose {
		for _, source := range c.Sources() {
			s.say("%s: %s (%s)", source.What, source.Value, source.From)
		}
	}
	return c, nil
}

// cloud is what the flags and the environment say of the credential and the workspace.
func (s *session) cloud() azure.Options {
	return azure.Options{
		CredentialsFile: s.credentials,
		Workspace:       azure.Workspace{Subscription: s.subscription, ResourceGroup: s.group, Name: s.workspace},
		Getenv:          s.Getenv,
		Dir:             s.Dir,
		Progress:        s.say,
	}
}

// lockTTLVariable shortens the lock for tests of its expiry.
const lockTTLVariable = "HOTSWAP_LOCK_TTL"

// runner is what takes the rollouts of one endpoint.
func (s *session) runner(ctx context.Context, endpoint string) (*rollout.Runner, error) {
	c, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	store, err := c.Container(ctx)
	if err != nil {
		return nil, err
	}
	actor, err := s.actor(ctx, c)
	if err != nil {
		return nil, err
	}
	j := journal.New(store, endpoint)
	write := azure.RequestTimeout
	if text := s.Getenv(lockTTLVariable); text != "" {
		if j.TTL, err = time.ParseDuration(text); err != nil {
			return nil, usagef("%s: %w", lockTTLVariable, err)
		}
		write = min(write, j.TTL/4)
	}
	lag := rollout.MetricsLag
	if text := s.Getenv(metricsLag); text != "" {
		if lag, err = time.ParseDuration(text); err != nil {
			return nil, usagef("%s: %w", metricsLag, err)
		}
	}
	return &rollout.Runner{
		Cloud: c, Journal: j, Endpoint: strings.ToLower(endpoint), Actor: actor, Say: s.say, WriteTime: write, MetricsLag: lag,
	}, nil
}

// commit names the sources: what CI says, else what is checked out here. Of a pull request, CI has
// checked out the merge with its target, and that is what is deployed.
func (s *session) commit(ctx context.Context) string {
	if sha := s.Getenv("GITHUB_SHA"); sha != "" {
		return sha
	}
	sha, err := s.git(ctx, "rev-parse", "HEAD")
	if err != nil {
		return "" // not in a repository: the tag is left out
	}
	return sha
}

// git runs git where the command was started, and returns what it prints.
func (s *session) git(ctx context.Context, args ...string) (string, error) {
	git := exec.CommandContext(ctx, "git", args...)
	git.Dir = s.Dir
	out, err := git.Output()
	return strings.TrimSpace(string(out)), err
}
