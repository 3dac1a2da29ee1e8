package act

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hotswap/e2e/rig"
)

// A pull request goes live under load, and no request fails.
func TestOpenToSwapUnderLoad(t *testing.T) {
	w := started(t, "loaded")
	w.Register(t, "loaded", "second")
	number := w.change(t, "two")
	clients := w.Clients(t, "loaded")
	w.event(t, number, "opened").expect(t, 0)
	w.serves(t, "second", "two")
	w.close(t, number).expect(t, 0)
	w.serves(t, "first", "one")
	answers := clients.Stop(t)
	if answers["first"] < 50 || answers["second"] < 5 {
		t.Errorf("answers by model: %v, want many of both", answers)
	}
}

// What a stranger can name does nothing in the job: not a branch, not a title, not a version.
func TestInjectionDoesNothing(t *testing.T) {
	w := started(t, "injected")
	mark := filepath.Join(t.TempDir(), "ran")
	const branch = "x$(touch${IFS}ran)`touch${IFS}ran`;touch${IFS}ran;${{github.token}}"
	w.Branch(t, branch)
	w.script(t, "one", "two")
	number := w.propose(t, branch)
	w.set(t, number, func(p *pull) {
		p.title = `"; touch ` + mark + `; echo "${{ secrets.AZURE_SERVICE_PRINCIPAL }}` + "\n::set-output name=decision::pass\n$(touch " + mark + ")"
	})
	j := w.event(t, number, "opened")
	j.expect(t, 0)
	j.decided(t, "deploy")
	w.serves(t, "first", "two")
	w.close(t, number).expect(t, 0)

	for _, version := range []string{
		`1"; touch ` + mark + `; echo "`, `$(touch ` + mark + `)`, "`touch " + mark + "`", `${{ secrets.AZURE_SERVICE_PRINCIPAL }}`, "1\n::error::x", "--force",
	} {
		w.run(t, run{
			workflow: workflow, event: "workflow_dispatch", commit: w.Git(t, "rev-parse", "main"), ref: "refs/heads/main",
			payload: map[string]any{"inputs": map[string]any{"modelVersion": version}, "ref": "refs/heads/main", "repository": repositoryJSON(repository)},
		}).expect(t, 1)
	}
	w.serves(t, "first", "one")
	left, _ := filepath.Glob(filepath.Join(w.work, "run-*", "cache", "*", "hostexecutor", "ran"))
	if _, err := os.Stat(mark); err == nil || len(left) > 0 {
		t.Errorf("something of it ran: %v %v", err, left)
	}
}

// Nothing that an event says stands in a shell's text.
func TestShellTextsHoldNoExpression(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(rig.Root(t), ".github", "*", "*", "action.yml"))
	more, _ := filepath.Glob(filepath.Join(rig.Root(t), ".github", "workflows", "*.yml"))
	scripts := 0
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		indent := -1 // of the script that the line is in
		for line := range strings.Lines(string(text)) {
			depth := len(line) - len(strings.TrimLeft(line, " "))
			switch body := strings.TrimPrefix(strings.TrimSpace(line), "- "); {
			case strings.HasPrefix(body, "run:"):
				indent, scripts = depth, scripts+1
			case strings.TrimSpace(line) != "" && depth <= indent:
				indent = -1
			}
			if indent >= 0 && strings.Contains(line, "${{") {
				t.Errorf("%s: an expression in a shell's text: %s", file, line)
			}
		}
	}
	if scripts < 10 {
		t.Errorf("looked at %d scripts", scripts)
	}
}

// The actions of others are GitHub's own, by their commits.
func TestOutsideActionsArePinned(t *testing.T) {
	for _, use := range outsideActions(t, filepath.Join(rig.Root(t), ".github")) {
		if !regexp.MustCompile(`^actions/(checkout|upload-artifact|setup-go)@[0-9a-f]{40}$`).MatchString(use) {
			t.Errorf("%s is not one of GitHub's own by its commit", use)
		}
	}
}

// setup is a workflow that only sets hotswap up.
const setup = `name: setup
on: {workflow_dispatch: {inputs: {url: {}, sha256: {}, path: {}, source: {}}}}
jobs:
  setup:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./.github/actions/hotswap-setup
        with: {url: '${{ inputs.url }}', sha256: '${{ inputs.sha256 }}', path: '${{ inputs.path }}', source: '${{ inputs.source }}'}
      - run: hotswap version
`

func TestSetup(t *testing.T) {
	w := newTeam(t, "setups")
	program, err := os.ReadFile(rig.Program(t, "hotswap"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	digest := hex.EncodeToString(sum[:])
	release := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hotswap" {
			_, _ = w.Write(program) // a client that has gone
			return
		}
		http.Redirect(w, r, "http://"+r.Host+"/hotswap", http.StatusFound)
	}))
	t.Cleanup(release.Close)
	runner := map[string]string{"CURL_CA_BUNDLE": filepath.Join(t.TempDir(), "ca.pem"), "HOME": os.Getenv("HOME")} // where Go has its caches
	writeCertificate(t, runner["CURL_CA_BUNDLE"], release.Certificate().Raw)
	w.Write(t, ".github/workflows/setup.yml", setup)
	w.Commit(t, "set up")
	for name, c := range map[string]struct {
		inputs map[string]any
		code   int
		says   string
	}{
		"a release":           {map[string]any{"url": release.URL + "/hotswap", "sha256": digest}, 0, "hotswap (devel)"},
		"another digest":      {map[string]any{"url": release.URL + "/hotswap", "sha256": strings.Repeat("0", 64)}, 1, "another digest"},
		"no digest":           {map[string]any{"url": release.URL + "/hotswap"}, 1, "url needs sha256"},
		"a redirect to http":  {map[string]any{"url": release.URL + "/elsewhere", "sha256": digest}, 1, "could not be downloaded"},
		"a path":              {map[string]any{"path": rig.Program(t, "hotswap")}, 0, "hotswap (devel)"},
		"a path that is none": {map[string]any{"path": "/nowhere"}, 1, "path names no file that can be run"},
		"built from source":   {map[string]any{"source": rig.Root(t)}, 0, "hotswap (devel)"},
		"another source":      {map[string]any{"source": "scoring"}, 1, "source is no checkout of Hotswap"},
		"two of them":         {map[string]any{"path": rig.Program(t, "hotswap"), "source": rig.Root(t)}, 1, "give one of them"},
		"nothing":             {nil, 1, "where does hotswap come from?"},
	} {
		t.Run(name, func(t *testing.T) {
			w.run(t, run{workflow: "setup.yml", event: "workflow_dispatch", commit: w.Head(t), ref: "refs/heads/main", payload: map[string]any{"inputs": c.inputs}, environment: runner}).
				expect(t, c.code, c.says)
		})
	}

	// As in a pull request from a fork: the workflow gives what its variables hold, which is nothing.
	const action = ".github/actions/hotswap-setup/action.yml"
	w.Replace(t, action, "OWN_ASSET: ''", "OWN_ASSET: '"+release.URL+"/hotswap'")
	w.Replace(t, action, "OWN_SHA256: ''", "OWN_SHA256: '"+digest+"'")
	w.Commit(t, "the release that we use")
	w.run(t, run{workflow: "setup.yml", event: "workflow_dispatch", commit: w.Head(t), ref: "refs/heads/main", payload: map[string]any{"inputs": map[string]any{}}, environment: runner}).
		expect(t, 0, "hotswap (devel)")
}

func writeCertificate(t *testing.T, file string, der []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
