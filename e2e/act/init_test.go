package act

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hotswap/e2e/rig"
)

// newSample is a team that has only run hotswap init.
func newSample(t *testing.T, endpoint string) *team {
	t.Helper()
	t.Parallel()
	return &team{rig.Start(t), rig.NewSample(t, endpoint), newForge(t), t.TempDir()}
}

// files are those of the sample's endpoint, as flags.
func (w *team) files() []string {
	return []string{"--endpoint-file", w.Path("scoring/endpoint.yml"), "--deployment-file", w.Path("scoring/deployment.yml")}
}

// What hotswap init writes trains, registers, passes the plan, and goes live by its own tests. A
// model that is no better than the live one is not registered.
func TestWhatInitWritesDelivers(t *testing.T) {
	w := newSample(t, "sample")
	train := func() job {
		return w.run(t, run{workflow: "workshop_ci.yml", event: "push", commit: w.Head(t), ref: "refs/heads/integration", payload: map[string]any{"ref": "refs/heads/integration"}})
	}
	j := train()
	j.expect(t, 0)
	if j.outputs["better"] != "true" || len(w.forge.pulls) != 1 || w.forge.pulls[1].branch != "integration" {
		t.Fatalf("outputs %v, pull requests %v\n%s", j.outputs, w.forge.pulls, j.log)
	}
	rig.Must(t, w.Hotswap(append([]string{"rollout", "--plan"}, w.files()...)...))
	rig.Must(t, w.Hotswap(append([]string{"rollout"}, w.files()...)...))
	if st := w.Status(t, "sample"); st.Slot(st.Live).Model != "azureml:sample:1" {
		t.Errorf("live is %+v", st)
	}

	if j := train(); j.code != 0 || j.outputs["better"] != "false" {
		t.Errorf("the same model is better than itself: %v\n%s", j.outputs, j.log)
	}
	w.Replace(t, "scoring/train.py", `default=4000`, `default=20000`)
	w.Replace(t, "scoring/train.py", `rng.gauss(0, 0.8)`, `rng.gauss(0, 0.1)`)
	w.Commit(t, "learn from more trips")
	j = train()
	j.expect(t, 0)
	if out := rig.Must(t, w.Hotswap("model", "show", "-n", "sample", "--version", "2", "-o", "json")); j.outputs["better"] != "true" {
		t.Errorf("the better model: %v\n%s", j.outputs, out)
	}
	if len(w.forge.pulls) != 1 || !strings.Contains(w.forge.pulls[1].title, j.outputs["metric"]) {
		t.Errorf("pull requests %v, want the one of before with the new metric in its title", w.forge.pulls)
	}
}

// What act runs is what GitHub gets, but for the queue, which act neither knows nor simulates.
func TestFilesForGitHubDifferByTheQueue(t *testing.T) {
	w := rig.NewSample(t, "compared")
	rig.Must(t, exec.Command(rig.Program(t, "hotswap"), "init", w.Dir, "-g", rig.ResourceGroup, "-w", rig.Workspace, "--force"))
	diff := w.Git(t, "diff", "--unified=0", "--no-color")
	var changed []string
	for line := range strings.Lines(diff) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			changed = append(changed, strings.TrimSpace(line))
		}
	}
	want := []string{
		`-  group: "hotswap-compared-${{ github.event.number }}" #setup: one group an endpoint`,
		`+  group: hotswap-compared #setup: one group an endpoint`, `+  queue: max # GitHub only`,
		`-  group: "hotswap-compared-${{ github.event.number }}" #setup: the same one as in workshop_cd.yml`,
		`+  group: hotswap-compared #setup: the same one as in workshop_cd.yml`, `+  queue: max # GitHub only`,
	}
	if !slices.Equal(changed, want) {
		t.Errorf("GitHub's files differ by %q, want %q", changed, want)
	}
}

func TestWhatInitWritesIsLinted(t *testing.T) {
	w := rig.NewSample(t, "linted")
	rig.Must(t, exec.Command(rig.Program(t, "hotswap"), "init", w.Dir, "-g", rig.ResourceGroup, "-w", rig.Workspace, "--force"))
	lint := exec.Command(rig.Program(t, "actionlint"), "-ignore", `unexpected key "queue" for "concurrency" section`)
	lint.Dir = w.Dir
	rig.Must(t, lint)
	if files, _ := filepath.Glob(w.Path(".github/workflows/*.yml")); len(files) != 3 {
		t.Errorf("linted %q, want three workflows", files)
	}
}
