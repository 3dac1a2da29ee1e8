package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/rollout"
)

func TestForge(t *testing.T) {
	run := map[string]string{
		"GITHUB_RUN_ID": "1829", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_REPOSITORY": "fares/model",
		"GITHUB_ACTOR": "alice", "GITHUB_WORKFLOW": "deliver", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": "c0ffee",
		"GITHUB_TOKEN": "hush", "ACTIONS_RUNTIME_TOKEN": "hush",
	}
	pushed := rollout.Forge{
		Server: "https://git.example.com", Repository: "fares/model", Actor: "alice", Workflow: "deliver", Run: "1829", Attempt: "2",
		Ref: "refs/heads/main", Commit: "c0ffee", URL: "https://git.example.com/fares/model/actions/runs/1829",
	}
	pulled := pushed
	pulled.Ref, pulled.PullRequest = "refs/pull/12/merge", 12
	headed := pulled
	headed.Head = "beef"
	targeted := headed
	targeted.Ref = "refs/heads/main"
	gitea := pulled
	gitea.Ref = "refs/pull/12/head"
	const pull = `{"pull_request":{"number":12,"head":{"sha":"beef","label":"x"}},"token":"hush"}`
	tests := map[string]struct {
		ref, event string // event "" is no file
		want       *rollout.Forge
	}{
		"a push":                           {"refs/heads/main", `{"head_commit":{"id":"c0ffee"}}`, &pushed},
		"a pull request":                   {"refs/pull/12/merge", pull, &headed},
		"a pull request, by its target":    {"refs/heads/main", pull, &targeted},
		"a pull request, without event":    {"refs/pull/12/merge", "", &pulled},
		"a pull request, as Gitea says it": {"refs/pull/12/head", `[`, &gitea},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "event.json")
			if tt.event != "" {
				if err := os.WriteFile(path, []byte(tt.event), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := &session{Env: Env{Getenv: func(name string) string {
				switch name {
				case "GITHUB_REF":
					return tt.ref
				case "GITHUB_EVENT_PATH":
					return path
				}
				return run[name]
			}}}
			if got := s.forge(); !cmp.Equal(got, tt.want) {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
	none := &session{Env: Env{Getenv: func(string) string { return "" }}}
	if f := none.forge(); f != nil {
		t.Errorf("forge without a run = %+v, want none", f)
	}
}
