package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// project is what a team keeps in its repository: the files of one endpoint.
type project struct{ dir, endpoint string }

// A score.py that answers which model it holds and doubles a number, so that an answer can be
// told right or wrong, and by which model it was given.
const doubling = `import json, os

def init():
    global model
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json")) as f:
        model = json.load(f)

def run(raw_data):
    return {"model": model["name"], "twice": 2 * json.loads(raw_data)["n"]}
`

// newProject writes one, for an endpoint and a model of that name.
func newProject(t *testing.T, endpoint string) *project {
	t.Helper()
	p := &project{t.TempDir(), endpoint}
	p.write(t, "endpoint.yml", fmt.Sprintf("name: %s\nauth_mode: key\n", endpoint))
	p.write(t, "deployment.yml", fmt.Sprintf(`name: blue
endpoint_name: %s
model: azureml:%s@latest
code_configuration: {code: ./src, scoring_script: score.py}
instance_type: Standard_DS2_v2
instance_count: 1
request_settings: {max_concurrent_requests_per_instance: 32, request_timeout_ms: 20000}
readiness_probe: {initial_delay: 1, period: 1, timeout: 1, success_threshold: 1, failure_threshold: 20}
`, endpoint, endpoint))
	p.write(t, "src/score.py", doubling)
	p.write(t, "request.json", `{"n": 21}`)
	return p
}

func (p *project) path(name string) string { return filepath.Join(p.dir, name) }

func (p *project) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replace changes a file's text.
func (p *project) replace(t *testing.T, name, old, text string) {
	t.Helper()
	b, err := os.ReadFile(p.path(name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s has no %q", name, old)
	}
	p.write(t, name, strings.Replace(string(b), old, text, 1))
}

// register registers a model whose answers carry name.
func (p *project) register(t *testing.T, s *server, name string) {
	t.Helper()
	p.write(t, "model.json", fmt.Sprintf(`{"name": %q}`, name))
	s.must(t, "model", "register", "-n", p.endpoint, "--path", p.path("model.json"))
}

// rollout is the command line that rolls the project out.
func (p *project) rollout(more ...string) []string {
	return append([]string{
		"rollout", "--endpoint-file", p.path("endpoint.yml"), "--deployment-file", p.path("deployment.yml"),
		"--request-file", p.path("request.json"), "-o", "json",
	}, more...)
}

// deploy is the command line of the first of a rollout's three steps.
func (p *project) deploy(more ...string) []string {
	return append([]string{
		"deploy", "--endpoint-file", p.path("endpoint.yml"), "--deployment-file", p.path("deployment.yml"), "-o", "json",
	}, more...)
}

// status is what hotswap status -o json prints, as far as the tests look.
type status struct {
	State       string `json:"provisioningState"`
	Live        string `json:"live"`
	Deployments []struct {
		Name    string `json:"name"`
		Model   string `json:"model"`
		Traffic int    `json:"traffic"`
		State   string `json:"state"`
		Rollout string `json:"rollout"`
	} `json:"deployments"`
	Lock *struct {
		Holder string `json:"holder"`
	} `json:"lock"`
	Rollout *struct {
		Rollout string `json:"rollout"`
		Phase   string `json:"phase"`
		Reason  string `json:"reason"`
	} `json:"rollout"`
}

func (p *project) status(t *testing.T, s *server) (st status) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, "status", "-e", p.endpoint, "-o", "json")), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// becomes requires that answers come from the model with that name: at once, or, from a server
// whose routes follow late as Azure's do, within their delay.
func (p *project) becomes(t *testing.T, s *server, name string) {
	t.Helper()
	end := time.Now()
	if slices.Contains(s.args, "--azure-like") {
		end = end.Add(20 * time.Second)
	}
	for {
		r := s.run(t, "endpoint", "invoke", "-n", p.endpoint, "--request-file", p.path("request.json"))
		if r.code == 0 && p.answered(t, r.stdout) == name {
			return
		}
		if time.Now().After(end) {
			t.Errorf("want an answer of %s, got %s", name, r)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// answered returns the name in an answer, which must be right.
func (p *project) answered(t *testing.T, out string) string {
	t.Helper()
	var answer struct {
		Model string `json:"model"`
		Twice int    `json:"twice"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Twice != 42 {
		t.Fatalf("answer %s: %v", out, err)
	}
	return answer.Model
}
