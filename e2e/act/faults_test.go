package act

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"

	"hotswap/e2e/rig"
)

// The faults of the pipeline that teams bring along, each with a test that fails where it is there.

// shipped is a workflow of this repository, as far as the tests look.
type shipped struct {
	On struct {
		PullRequest struct {
			Types, Branches, Paths []string
			PathsIgnore            []string `yaml:"paths-ignore"`
		} `yaml:"pull_request"`
	}
	Concurrency struct {
		Group, Queue string
		Cancel       bool `yaml:"cancel-in-progress"`
	}
	Jobs map[string]struct {
		Name  string
		If    string
		Needs any
		Steps []struct{ Name, ID, Uses, Run string }
	}
}

func readShipped(t *testing.T, name string) (w shipped) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.Root(t), ".github", "workflows", name))
	if err == nil {
		err = yaml.Unmarshal(text, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Fault 1: a push to the pull request makes a new head commit that no run reports on.
func TestFault1PushToThePullRequestReports(t *testing.T) {
	types := readShipped(t, workflow).On.PullRequest.Types
	for _, want := range []string{"opened", "synchronize", "reopened", "ready_for_review", "closed"} {
		if !slices.Contains(types, want) {
			t.Errorf("the workflow runs on %q, want %s too", types, want)
		}
	}
	w := started(t, "pushed")
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	w.script(t, "two", "three")
	w.event(t, number, "synchronize").expect(t, 0)
	w.serves(t, "first", "three")
	if head := w.Git(t, "rev-parse", "two"); w.forge.status(head).State != "success" {
		t.Errorf("the new head's status is %+v", w.forge.status(head))
	}
}

// Fault 2: a filter of paths and a required check let other pull requests wait for ever.
func TestFault2EveryPullRequestReports(t *testing.T) {
	if on := readShipped(t, workflow).On.PullRequest; len(on.Paths)+len(on.PathsIgnore) > 0 || !slices.Equal(on.Branches, []string{"main"}) {
		t.Errorf("pull requests are filtered: %+v", on)
	}
	w := started(t, "everyone")
	w.Branch(t, "far")
	w.Write(t, "elsewhere/notes.txt", "Far from the model.\n")
	w.Commit(t, "notes")
	j := w.event(t, w.propose(t, "far"), "opened")
	j.expect(t, 0)
	j.decided(t, "pass")
}

// Fault 3: each action finds the slot again by the live traffic, so a retry acts on the other one.
func TestFault3OneSlotFromDeployToSwap(t *testing.T) {
	w := newBrought(t, "slots")
	w.Register(t, "slots", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Register(t, "slots", "second")
	j := w.dispatch(t, map[string]any{"modelVersion": "latest", "again": "true"})
	j.expect(t, 0)
	ids := regexp.MustCompile(`::set-output:: rolloutId=(\S+)`).FindAllStringSubmatch(j.log, -1)
	slots := regexp.MustCompile(`::set-output:: slot=(\S+)`).FindAllStringSubmatch(j.log, -1)
	if len(ids) < 4 || len(slots) < 4 {
		t.Fatalf("%d rollouts and %d slots were told", len(ids), len(slots))
	}
	for i := range ids {
		if ids[i][1] != ids[0][1] {
			t.Errorf("step %d acted on rollout %s, deploy on %s", i, ids[i][1], ids[0][1])
		}
	}
	for i := range slots {
		if slots[i][1] != "green" {
			t.Errorf("step %d acted on slot %s, deploy on green", i, slots[i][1])
		}
	}
}

// Fault 4: the swap is a toggle, and running it again puts the old model back.
func TestFault4SwappingTwiceIsSwappingOnce(t *testing.T) {
	w := newBrought(t, "toggle")
	w.Register(t, "toggle", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Register(t, "toggle", "second")
	w.dispatch(t, map[string]any{"modelVersion": "latest", "again": "true"}).expect(t, 0, "green is already live")
	w.serves(t, "second", "one")
}

// Fault 5: the test asserts nothing, and the text of an exception with status 200 passes.
func TestFault5ErrorWithStatus200IsRefused(t *testing.T) {
	w := newBrought(t, "excused")
	w.Register(t, "excused", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Replace(t, "scoring/src/score.py", "    return {", "    try:\n        raise ValueError('no fare')\n    except Exception as e:\n        return str(e)\n    return {")
	w.Commit(t, "as the reference's script answers")
	j := w.dispatch(t, nil)
	j.expect(t, 1, "the test of green failed")
	if j.outputs["verdict"] != "failed" {
		t.Errorf("verdict %q", j.outputs["verdict"])
	}
	w.serves(t, "first", "one")
}

// Fault 6: two runs race for the slots.
func TestFault6TwoRunsTakeTurns(t *testing.T) {
	w := newBrought(t, "turns")
	w.Register(t, "turns", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Register(t, "turns", "second")
	w.Register(t, "turns", "third")
	var jobs [2]job
	var both sync.WaitGroup
	for i, version := range []string{"2", "3"} {
		both.Go(func() { jobs[i] = w.dispatch(t, map[string]any{"modelVersion": version}) })
	}
	both.Wait()
	for i := range jobs {
		jobs[i].expect(t, 0)
	}
	st := w.Status(t, "turns")
	history := rig.Must(t, w.Hotswap("history", "-e", "turns"))
	if strings.Count(history, "Promoted") != 3 || st.Lock != nil {
		t.Errorf("want three rollouts that were promoted one after the other, and no lock:\n%s%+v", history, st.Lock)
	}
	w.serves(t, map[string]string{"azureml:turns:2": "second", "azureml:turns:3": "third"}[st.Slot(st.Live).Model], "one")
}

// Fault 7: a pull request that is closed unmerged leaves production different from main.
func TestFault7ClosedUnmergedIsUndone(t *testing.T) {
	w := started(t, "undone")
	w.Register(t, "undone", "second")
	number := w.change(t, "two")
	w.event(t, number, "opened").expect(t, 0)
	w.serves(t, "second", "two")
	w.close(t, number).expect(t, 0)
	w.serves(t, "first", "one")
}

// Fault 8: the latest model is the first row of a list, in whatever order it came.
func TestFault8LatestIsTheNewest(t *testing.T) {
	w := newBrought(t, "latest")
	for _, version := range []string{"1", "9", "10"} {
		file := filepath.Join(t.TempDir(), "model.json")
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"name": "model %s"}`, version), 0o644); err != nil {
			t.Fatal(err)
		}
		rig.Must(t, w.Hotswap("model", "register", "-n", "latest", "--version", version, "--path", file))
	}
	j := w.dispatch(t, map[string]any{"modelVersion": "latest"})
	j.expect(t, 0)
	w.serves(t, "model 10", "one")
}

// Fault 9: sed over the YAML rewrites the image's tag when the model's version is in it.
func TestFault9FilesAreNotRewritten(t *testing.T) {
	w := newBrought(t, "image")
	const image = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:1"
	w.Replace(t, "scoring/deployment.yml", "azureml:image@latest\n", "azureml:image:1\nenvironment: {image: '"+image+"', conda_file: conda.yml}\n")
	w.Write(t, "scoring/conda.yml", "name: image\ndependencies: []\n")
	w.Write(t, ".github/workflows/brought.yml", brought+"      - run: git diff --exit-code\n")
	w.Commit(t, "an image whose tag is a number")
	w.Register(t, "image", "first")
	w.Register(t, "image", "second")
	j := w.dispatch(t, map[string]any{"modelVersion": "2"})
	j.expect(t, 0)
	w.serves(t, "second", "one")
	plan := rig.Must(t, w.Hotswap(append([]string{"rollout", "--plan", "--model-version", "2", "--request-file", w.Path("scoring/request.json")}, w.files()...)...))
	if !strings.Contains(plan, "nothing but the tags") { // the image among them
		t.Errorf("what is live is not what the files say:\n%s", plan)
	}
}

// Fault 10: the next deploy overwrites the only copy to go back to.
func TestFault10TheWayBackStaysOpen(t *testing.T) {
	w := newBrought(t, "back")
	w.Register(t, "back", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Register(t, "back", "second")
	w.dispatch(t, map[string]any{"modelVersion": "latest"}).expect(t, 0)
	w.Replace(t, "scoring/src/score.py", "    global model\n", "    raise ValueError('broken')\n")
	w.Commit(t, "break it")
	w.dispatch(t, nil).expect(t, 1)
	rig.Must(t, w.Hotswap("rollback", "-e", "back"))
	w.serves(t, "first", "one")
}

// Fault 11: a job that is skipped because the one that it needs failed counts as success.
func TestFault11NothingIsSkippedIntoSuccess(t *testing.T) {
	file := readShipped(t, workflow)
	if len(file.Jobs) != 1 {
		t.Errorf("%d jobs, want the one that is required", len(file.Jobs))
	}
	required := file.Jobs["Workshop-Deployment"]
	if required.Name != "Workshop-Deployment" || required.If != "" || required.Needs != nil {
		t.Errorf("the required job is called %q, runs if %q and needs %v: want it to run always", required.Name, required.If, required.Needs)
	}
	w := newTeam(t, "skipped") // whose model is nowhere, so that the first step that deploys fails
	w.onMain(t).expect(t, 1)
}

// What waits for one endpoint is not cancelled.
func TestRunsQueueUp(t *testing.T) {
	cd, drift := readShipped(t, workflow).Concurrency, readShipped(t, "workshop_drift.yml").Concurrency
	if cd.Group == "" || cd.Queue != "max" || cd.Cancel || cd != drift {
		t.Errorf("concurrency is %+v, and of the drift's %+v", cd, drift)
	}
}
