package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repository is a team's repository with the files of one endpoint in the folder scoring, on the
// branch main: a work tree, as a developer or a runner has it.
type Repository struct {
	Dir, Endpoint string
}

// Score is a scoring script that tells which model and which version of the script answered, and
// doubles a number, so that an answer can be told right or wrong.
const Score = `import json, os

SCRIPT = "one"


def init():
    global model
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json")) as f:
        model = json.load(f)


def run(raw_data):
    return {"model": model["name"], "script": SCRIPT, "twice": 2 * json.loads(raw_data)["n"]}
`

const deploymentText = `name: blue
endpoint_name: %s
model: azureml:%s@latest
code_configuration: {code: ./src, scoring_script: score.py}
instance_type: Standard_DS2_v2
instance_count: 1
request_settings: {max_concurrent_requests_per_instance: 32, request_timeout_ms: 20000}
readiness_probe: {initial_delay: 1, period: 1, timeout: 1, success_threshold: 1, failure_threshold: 60}
`

const testsText = `cases:
- name: doubles
  request: {n: 21}
  expect:
    schema:
      type: object
      required: [model, twice]
      properties: {twice: {const: 42}}
`

// NewRepository makes one for an endpoint and a model of that name, with the workflows and actions
// as hotswap init writes them, and commits it.
func NewRepository(t testing.TB, endpoint string) *Repository {
	t.Helper()
	r := &Repository{Dir: filepath.Join(t.TempDir(), "repository"), Endpoint: endpoint}
	r.Write(t, "scoring/endpoint.yml", fmt.Sprintf("name: %s\nauth_mode: key\n", endpoint))
	r.Write(t, "scoring/deployment.yml", fmt.Sprintf(deploymentText, endpoint, endpoint))
	r.Write(t, "scoring/src/score.py", Score)
	r.Write(t, "scoring/hotswap.yml", "tests: tests.yml\nwait: 5m\n")
	r.Write(t, "scoring/tests.yml", testsText)
	return r.begin(t)
}

// NewSample makes a repository that holds nothing but what hotswap init writes, its sample included.
func NewSample(t testing.TB, endpoint string) *Repository {
	t.Helper()
	return (&Repository{Dir: filepath.Join(t.TempDir(), "repository"), Endpoint: endpoint}).begin(t)
}

// begin has hotswap init complete the work tree, and commits it. The forge is Forgejo: act, which its
// runner is made of, refuses what GitHub alone has, one line.
func (r *Repository) begin(t testing.TB) *Repository {
	t.Helper()
	r.Write(t, "README.md", "A model.\n")
	c := exec.Command(Program(t, "hotswap"), "init", r.Dir, "--forge", "forgejo", "--endpoint-name", r.Endpoint, "--resource-group", ResourceGroup, "--workspace-name", Workspace)
	c.Env = Environment()
	Must(t, c)
	r.Git(t, "init", "--quiet", "--initial-branch=main")
	for key, value := range map[string]string{"user.name": "A Developer", "user.email": "developer@example.org", "commit.gpgsign": "false"} {
		r.Git(t, "config", key, value)
	}
	r.Commit(t, "the model and its scoring")
	return r
}

// Path is that of a file in the work tree.
func (r *Repository) Path(name string) string { return filepath.Join(r.Dir, name) }

// Write writes a file of the work tree.
func (r *Repository) Write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.Path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.Path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Replace changes a file of the work tree, which must hold what is replaced.
func (r *Repository) Replace(t testing.TB, name, from, to string) {
	t.Helper()
	text, err := os.ReadFile(r.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q", name, from)
	}
	r.Write(t, name, strings.Replace(string(text), from, to, 1))
}

// Git runs git in the work tree and returns what it printed, without the last line's end.
func (r *Repository) Git(t testing.TB, args ...string) string {
	t.Helper()
	c := exec.Command("git", args...)
	c.Dir = r.Dir
	c.Env = append(Environment(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	return strings.TrimSuffix(Must(t, c), "\n")
}

// Commit commits all of the work tree and returns the commit's id.
func (r *Repository) Commit(t testing.TB, message string) string {
	t.Helper()
	r.Git(t, "add", "--all")
	r.Git(t, "commit", "--quiet", "--message", message)
	return r.Head(t)
}

// Branch makes a branch off main and checks it out.
func (r *Repository) Branch(t testing.TB, name string) {
	t.Helper()
	r.Git(t, "checkout", "--quiet", "-b", name, "main")
}

// Merge merges a branch into main as a forge does, with a commit of its own, checks main out and
// returns the merge's id.
func (r *Repository) Merge(t testing.TB, name string) string {
	t.Helper()
	r.Git(t, "checkout", "--quiet", "main")
	r.Git(t, "merge", "--quiet", "--no-ff", "--message", "merge "+name, name)
	return r.Head(t)
}

// Head is the id of the commit that is checked out.
func (r *Repository) Head(t testing.TB) string {
	t.Helper()
	return r.Git(t, "rev-parse", "HEAD")
}
