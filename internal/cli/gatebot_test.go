package cli

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GitHub gives a run that Dependabot began no secrets: such a pull request must be able to merge where
// it has nothing to deploy, and be told why it can't where it has.
func TestDependabotsPullRequest(t *testing.T) {
	tests := map[string]struct {
		changes string
		vars    map[string]string
		code    int
		says    string
	}{
		"nothing gated":             {"README.md", nil, done, "nothing to deploy"},
		"no OIDC token":             {"README.md", map[string]string{"AZURE_CLIENT_ID": "1", "AZURE_TENANT_ID": "2", "AZURE_CREDENTIALS": ""}, done, "nothing to deploy"},
		"gated":                     {"scoring/score.py", nil, refused, "no secrets"},
		"has a secret all the same": {"README.md", map[string]string{"AZURE_CREDENTIALS": "{}"}, usage, `"clientId" is missing`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				name = filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			git := func(args ...string) string {
				t.Helper()
				c := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-C", dir}, args...)...)
				out, err := c.CombinedOutput()
				if err != nil {
					t.Fatalf("git %v: %v: %s", args, err, out)
				}
				return strings.TrimSpace(string(out))
			}
			write("scoring/endpoint.yml", "name: taxi\nauth_mode: key\n")
			write("scoring/deployment.yml", "name: blue\nendpoint_name: taxi\nmodel: azureml:m:1\ncode_configuration: {code: ./, scoring_script: score.py}\nenvironment: azureml:e:1\ninstance_type: Standard_DS3_v2\ninstance_count: 1\n")
			write("scoring/score.py", "")
			git("init", "-q")
			git("add", ".")
			git("commit", "-qm", "base")
			base := git("rev-parse", "HEAD")
			write(tt.changes, "changed")
			git("add", ".")
			git("commit", "-qm", "change")
			head := git("rev-parse", "HEAD")
			write("event.json", fmt.Sprintf(`{"action":"opened","number":7,"pull_request":{"number":7,"state":"open",
				"head":{"ref":"dependabot/pip/x","sha":%q,"repo":{"id":1}},"base":{"ref":"main","sha":%q,"repo":{"id":1}}}}`, head, base))
			vars := map[string]string{
				"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "dependabot[bot]", "GITHUB_EVENT_NAME": "pull_request",
				"GITHUB_EVENT_PATH": filepath.Join(dir, "event.json"), "GITHUB_SHA": head,
			}
			maps.Copy(vars, tt.vars)
			run := func(args ...string) (int, string) {
				var out strings.Builder
				code := Main(t.Context(), append(args, "--endpoint-file", "scoring/endpoint.yml", "--deployment-file", "scoring/deployment.yml"), Env{
					Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Dir: dir, Getenv: func(name string) string { return vars[name] },
				})
				return code, out.String()
			}
			if code, said := run("gate"); code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("gate: %d, want %d and %q: %s", code, tt.code, tt.says, said)
			}
			if code, said := run("gate", "finish"); tt.code != usage && code != done {
				t.Errorf("gate finish: %d: %s", code, said)
			}
		})
	}
}
