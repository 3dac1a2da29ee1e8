package act

import (
	"strings"
	"testing"
)

// A workflow as teams have it from the reference: only the folders of the actions were replaced.
const brought = `name: brought
on:
  workflow_dispatch:
    inputs:
      modelVersion: {default: ''}
      again: {default: 'false'}
env:
  AZURE_CREDENTIALS: ${{ secrets.AZURE_SERVICE_PRINCIPAL }} # where azure/login stood
jobs:
  Workshop-Deployment:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./.github/actions/hotswap-setup
        with: {path: '${{ vars.HOTSWAP_PATH }}'}
      - uses: ./.github/actions/aml-endpoint-deploy
        id: deploy
        with:
          resourceGroup: hotswap
          workspaceName: local
          endpointFile: scoring/endpoint.yml
          deploymentFile: scoring/deployment.yml
          modelVersion: ${{ inputs.modelVersion }}
      - uses: ./.github/actions/aml-endpoint-test
        with: {resourceGroup: hotswap, workspaceName: local, endpointFile: scoring/endpoint.yml, requestFile: scoring/request.json}
      - uses: ./.github/actions/aml-endpoint-swap
        with: {resourceGroup: hotswap, workspaceName: local, endpointFile: scoring/endpoint.yml}
      - if: inputs.again == 'true' # a second swap in one job, as a person's re-run is
        uses: ./.github/actions/aml-endpoint-swap
        with: {resourceGroup: hotswap, workspaceName: local, endpointFile: scoring/endpoint.yml}
`

// newBrought is a team with that workflow.
func newBrought(t *testing.T, endpoint string) *team {
	t.Helper()
	w := newTeam(t, endpoint)
	w.Write(t, ".github/workflows/brought.yml", brought)
	w.Write(t, "scoring/request.json", `{"n": 21}`)
	w.Commit(t, "the workflow of before")
	return w
}

// dispatch runs that workflow by hand.
func (w *team) dispatch(t *testing.T, inputs map[string]any) job {
	t.Helper()
	return w.run(t, run{
		workflow: "brought.yml", event: "workflow_dispatch", commit: w.Head(t), ref: "refs/heads/main",
		payload: map[string]any{"inputs": inputs, "ref": "refs/heads/main"},
	})
}

func TestActionsReplaceTheReferences(t *testing.T) {
	w := newBrought(t, "brought")
	w.Register(t, "brought", "first")
	j := w.dispatch(t, nil)
	j.expect(t, 0)
	w.serves(t, "first", "one")
	for name, want := range map[string]string{"deployedVersion": "1", "slot": "blue", "verdict": "passed", "outcome": "Promoted"} {
		if j.outputs[name] != want {
			t.Errorf("output %s is %q, want %q", name, j.outputs[name], want)
		}
	}
	if j.outputs["rolloutId"] == "" || j.outputs["rolloutId"] != w.Status(t, "brought").Rollout.Rollout {
		t.Errorf("output rolloutId is %q", j.outputs["rolloutId"])
	}
	for _, part := range []string{"Rollout of <code>brought</code>", "Tests of <code>blue</code>", "Outcome: Promoted"} {
		if !strings.Contains(j.summary, part) {
			t.Errorf("the summary has no %q:\n%s", part, j.summary)
		}
	}
	if len(j.logs) != 1 || j.logs["blue.log"] == "" {
		t.Errorf("kept the logs %q", j.logs)
	}
	if strings.Contains(j.log, w.secret(t)) {
		t.Error("the log has the secret")
	}
}

// An empty version is what the deployment file says; latest and a number are themselves.
func TestModelVersionIsAsAsked(t *testing.T) {
	w := newBrought(t, "versions")
	for _, name := range []string{"first", "second", "third"} {
		w.Register(t, "versions", name)
	}
	w.Replace(t, "scoring/deployment.yml", "azureml:versions@latest", "azureml:versions:2")
	w.Commit(t, "pin the model")
	for _, c := range []struct{ asked, version, serves string }{{"", "2", "second"}, {"latest", "3", "third"}, {"1", "1", "first"}} {
		j := w.dispatch(t, map[string]any{"modelVersion": c.asked})
		j.expect(t, 0)
		if j.outputs["deployedVersion"] != c.version {
			t.Errorf("asked for %q: deployed %q, want %q", c.asked, j.outputs["deployedVersion"], c.version)
		}
		w.serves(t, c.serves, "one")
	}
}

// What the scoring script raised is told on its line, and its log is kept.
func TestBrokenScriptIsAnnotated(t *testing.T) {
	w := newBrought(t, "annotated")
	w.Register(t, "annotated", "first")
	w.dispatch(t, nil).expect(t, 0)
	w.Replace(t, "scoring/src/score.py", "    global model\n", "    global model\n    raise ValueError('no licence ::error::%0A')\n")
	w.Commit(t, "break it")
	j := w.dispatch(t, nil)
	j.expect(t, 1, "file=scoring/src/score.py,line=8")
	if !strings.Contains(j.logs["green.log"], "ValueError: no licence") {
		t.Errorf("kept the logs %q", j.logs)
	}
	w.serves(t, "first", "one")
}
