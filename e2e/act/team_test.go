package act

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hotswap/e2e/rig"
)

// team is a repository on a forge, with a workspace that its pull requests deploy to.
type team struct {
	*rig.Server
	*rig.Repository
	forge *forge
	work  string // the folder of the runs
}

// newTeam makes a team whose endpoint has the given name. Nothing is deployed or registered.
func newTeam(t *testing.T, endpoint string) *team {
	t.Helper()
	t.Parallel()
	return &team{rig.Start(t), rig.NewRepository(t, endpoint), newForge(t), t.TempDir()}
}

// job is how a run of the workflow ended.
type job struct {
	code    int
	log     string
	summary string            // of its steps, one after the other
	outputs map[string]string // the last value that each name was given
	logs    map[string]string // deployment logs that were kept as artifacts, by the file's name
}

// run is a run of a workflow: of an event, at a commit, as a runner gets it.
type run struct {
	workflow, event string
	commit, ref     string
	payload         map[string]any
	secrets         map[string]string // nil: those of the repository
	environment     map[string]string // of the runner, beside what every run has
}

// longest is what a job may take on the slowest machine.
const longest = 10 * time.Minute

// The runner's answer to a setting of an output, and to a step's summary.
var (
	outputLine  = regexp.MustCompile(`(?m)^\[[^\]]*\]\s+⚙  ::set-output:: ([A-Za-z]+)=(.*)$`)
	summaryLine = regexp.MustCompile(`⚙  Summary - ((?s:.*?))\n\[`)
)

// run runs a workflow by act, in a clone of its own, to its end.
func (w *team) run(t *testing.T, r run) job {
	t.Helper()
	dir, err := os.MkdirTemp(w.work, "run-") //nolint:usetesting // because the runs of one test are folders beside each other
	if err != nil {
		t.Fatal(err)
	}
	clone, artifacts := filepath.Join(dir, "clone"), filepath.Join(dir, "artifacts")
	w.Git(t, "clone", "--quiet", w.Dir, clone)
	w.Git(t, "-C", clone, "checkout", "--quiet", "--detach", r.commit)
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(r.payload)
	if err == nil {
		err = os.Mkdir(artifacts, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "event.json"), event, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	c := exec.CommandContext(ctx, rig.Program(t, "act"), w.arguments(t, r, here, dir)...)
	c.Dir, c.WaitDelay = clone, longest/10
	c.Env = append(rig.Environment(), "HOME="+dir, "PATH="+filepath.Join(here, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	j := job{code: c.ProcessState.ExitCode(), log: out.String(), outputs: map[string]string{}, logs: map[string]string{}}
	if steps, err := os.ReadFile(filepath.Join(dir, "steps.log")); err == nil { // else there was none
		j.log += stepsSaid + string(steps)
	}
	for _, part := range outputLine.FindAllStringSubmatch(j.log, -1) {
		j.outputs[part[1]] = part[2]
	}
	for _, part := range summaryLine.FindAllStringSubmatch(j.log, -1) {
		j.summary += part[1] + "\n"
	}
	files, _ := filepath.Glob(filepath.Join(artifacts, "*", "*.log"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		j.logs[filepath.Base(file)] = string(text)
	}
	return j
}

// stepsSaid begins, in a job's log, what its steps said, as they said it.
const stepsSaid = "--- what the steps said\n"

// arguments are act's, for a run in dir; here has what stands for other people's actions.
func (w *team) arguments(t *testing.T, r run, here, dir string) []string {
	t.Helper()
	args := []string{
		r.event, "--workflows", filepath.Join(".github", "workflows", r.workflow), "--eventpath", filepath.Join(dir, "event.json"),
		"--platform", "ubuntu-latest=-self-hosted", "--actor", "alice", "--defaultbranch", "main",
		"--action-cache-path", filepath.Join(dir, "cache"), "--no-cache-server", "--no-skip-checkout",
		"--var", "HOTSWAP_PATH=" + rig.Program(t, "hotswap"),
	}
	environment := map[string]string{
		"SSL_CERT_FILE": w.CA, "ARTIFACTS": filepath.Join(dir, "artifacts"), "ORIGIN": w.Dir, "STEPS": filepath.Join(dir, "steps.log"), "SHA_REF": r.commit, "GITHUB_REF": r.ref,
		"GITHUB_API_URL": w.forge.url, "GITHUB_REPOSITORY": repository, "GITHUB_RUN_ID": filepath.Base(dir),
	}
	maps.Copy(environment, r.environment)
	for name, value := range environment {
		args = append(args, "--env", name+"="+value)
	}
	secrets := r.secrets
	if secrets == nil {
		secrets = map[string]string{"AZURE_SERVICE_PRINCIPAL": w.Credentials, "GITHUB_TOKEN": forgeToken}
	}
	for name, value := range secrets {
		args = append(args, "--secret", name+"="+value)
	}
	for _, use := range outsideActions(t, w.Path(".github")) {
		name, _, _ := strings.Cut(strings.TrimPrefix(use, "actions/"), "@")
		args = append(args, "--local-repository", use+"="+filepath.Join(here, name))
	}
	return args
}

var uses = regexp.MustCompile(`(?m)uses: ([a-zA-Z0-9_-]+/[^@\s]+@\S+)`)

// outsideActions are those of other repositories that workflows and actions below a folder use.
func outsideActions(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, pattern := range []string{"actions/*/action.yml", "workflows/*.yml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", pattern, err, len(files))
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range uses.FindAllStringSubmatch(string(text), -1) {
				all = append(all, use[1])
			}
		}
	}
	return all
}

// expect requires the job's exit code, and words in its log.
func (j job) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if j.code != code {
		t.Fatalf("the job ended with %d, want %d\n%s", j.code, code, j.log)
	}
	for _, word := range words {
		if !strings.Contains(j.log, word) {
			t.Errorf("the job's log has no %q\n%s", word, j.log)
		}
	}
}

// serves requires that the endpoint answers with that model and that version of the scoring script.
func (w *team) serves(t *testing.T, model, script string) {
	t.Helper()
	if m, s := w.Answer(t, w.Endpoint); m != model || s != script {
		t.Errorf("the endpoint serves model %q by script %q, want %q by %q", m, s, model, script)
	}
}

// secret is the client secret of the workspace's service principal.
func (w *team) secret(t *testing.T) string {
	t.Helper()
	var c struct{ ClientSecret string }
	if err := json.Unmarshal([]byte(w.Credentials), &c); err != nil || c.ClientSecret == "" {
		t.Fatalf("no secret in the credentials: %v", err)
	}
	return c.ClientSecret
}
