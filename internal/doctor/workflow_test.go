package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/doctor"
	"hotswap/internal/forge"
)

func TestWorkflow(t *testing.T) {
	job := "    name: Workshop-Deployment\n"
	gitea := func(w *world) { w.forge.kind = forge.Gitea }
	runRows(t, map[string]row{
		"missing":         {func(w *world) { w.remove(workflowName) }, "workflow file", doctor.Failed, "workshop_cd.yml", "hotswap init"},
		"no YAML":         {func(w *world) { w.workflow("jobs:", "jobs: [") }, "workflow file", doctor.Failed, "workshop_cd.yml:", "hotswap init"},
		"no jobs":         {func(w *world) { w.workflow("jobs:", "job:") }, "workflow file", doctor.Failed, "no jobs", "hotswap init"},
		"given, missing":  {func(w *world) { w.options.Workflow = "other.yml" }, "workflow file", doctor.Failed, "other.yml", "hotswap init"},
		"after no file":   {func(w *world) { w.remove(workflowName) }, "triggers", doctor.Unknown, `"workflow file"`, ""},
		"in Gitea's":      {func(w *world) { w.rename2(".gitea/workflows/workshop_cd.yml") }, "workflow file", doctor.OK, ".gitea/workflows/workshop_cd.yml", ""},
		"job renamed":     {func(w *world) { w.workflow(job, "    name: deploy\n") }, "check name", doctor.Failed, "its checks are: deploy", "name: Workshop-Deployment"},
		"job by its key":  {func(w *world) { w.workflow(job, "") }, "check name", doctor.OK, "", ""},
		"a matrix":        {func(w *world) { w.workflow(job, job+"    strategy: {matrix: {v: [1]}}\n") }, "check name", doctor.Failed, "matrix", "no strategy"},
		"a condition":     {func(w *world) { w.workflow(job, job+"    if: github.actor != 'bot'\n") }, "job always runs", doctor.Failed, "counts as passed", "take it out"},
		"a null one":      {func(w *world) { w.workflow(job, job+"    if: ${{ always() }}\n") }, "job always runs", doctor.OK, "", ""},
		"needs":           {func(w *world) { w.workflow(job, job+"    needs: [build]\n") }, "job always runs", doctor.Failed, "predecessor", "take it out"},
		"needs, always":   {func(w *world) { w.workflow(job, job+"    needs: [build]\n    if: always()\n") }, "job always runs", doctor.OK, "", ""},
		"may fail":        {func(w *world) { w.workflow(job, job+"    continue-on-error: true\n") }, "job always runs", doctor.Failed, "passes its check whatever", "take it out"},
		"may not fail":    {func(w *world) { w.workflow(job, job+"    continue-on-error: false\n") }, "job always runs", doctor.OK, "", ""},
		"cancels":         {func(w *world) { w.workflow("cancel-in-progress: false", "cancel-in-progress: true") }, "concurrency", doctor.Failed, "moving the traffic", "cancel-in-progress: false"},
		"no queue":        {func(w *world) { w.drop("queue: max") }, "concurrency", doctor.Failed, "all but the newest", "queue: max"},
		"no queue, Gitea": {func(w *world) { gitea(w); w.drop("queue: max") }, "concurrency", doctor.OK, "", ""},
		"no group":        {func(w *world) { w.workflow("concurrency:", "env2:") }, "concurrency", doctor.NotNeeded, "lock", ""},
		"the job's group": {func(w *world) { w.workflow(job, job+"    concurrency: {group: x, cancel-in-progress: true}\n") }, "concurrency", doctor.Failed, "moving", "cancel-in-progress: false"},
		"no environment":  {func(w *world) { w.workflow("    environment: production", "    timeout-minutes: 60") }, "environment", doctor.Failed, "another one for each event", "environment: production"},
		"its long form":   {func(w *world) { w.workflow("environment: production", "environment: {name: prod, url: x}") }, "environment", doctor.OK, `"prod"`, ""},
		"none, no OIDC": {func(w *world) {
			w.workflow("    environment: production", "    timeout-minutes: 60")
			w.workflow("AZURE_CLIENT_ID:", "NO_CLIENT_ID:")
		}, "environment", doctor.NotNeeded, "OIDC", ""},
		"shallow":         {func(w *world) { w.workflow("          fetch-depth: 0", "          fetch-tags: true") }, "checkout", doctor.Failed, "history", "fetch-depth: 0"},
		"not what merged": {func(w *world) { w.workflow("          ref: ", "          token: ") }, "checkout", doctor.Failed, "after a merge", "merge_commit_sha"},
		"no checkout":     {func(w *world) { w.workflow("uses: actions/checkout@", "uses: other/checkout@") }, "checkout", doctor.Failed, "no step", "actions/checkout"},
		"a tag": {func(w *world) {
			w.workflow("actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "actions/checkout@v6")
		}, "actions", doctor.Failed, "actions/checkout@v6 is not pinned", "uses: actions/checkout@ITS-COMMIT"},
		"an action gone": {func(w *world) { w.remove(".github/actions/aml-endpoint-swap/action.yml") }, "actions", doctor.Failed, "aml-endpoint-swap is missing", "hotswap init --force"},
		"an old action":  {func(w *world) { w.edit(".github/actions/aml-endpoint-test/action.yml", "runs:", "runs: # mine") }, "actions", doctor.Failed, "aml-endpoint-test is another one", "hotswap init --force"},
		"an action set up": {func(w *world) {
			w.edit(".github/actions/hotswap-setup/action.yml", "OWN_ASSET: '' #setup", "OWN_ASSET: 'x' #setup")
		}, "actions", doctor.OK, "", ""},
		"not used": {func(w *world) { w.workflow("uses: ./.github/actions/aml-endpoint-swap", "run: true") }, "actions", doctor.Failed, "does not use .github/actions/aml-endpoint-swap", "hotswap init --force"},
		"no job": {func(w *world) {
			w.workflow(job, "    name: deploy\n")
			w.workflow("jobs:\n", "jobs:\n  other: {runs-on: x}\n")
		}, "actions", doctor.Unknown, `"check name"`, ""},
	})
}

// drop takes the line with a text out of the workflow.
func (w *world) drop(text string) {
	w.t.Helper()
	name := filepath.Join(w.options.Root, workflowName)
	was, err := os.ReadFile(name)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(was)) {
		if strings.Contains(line, text) {
			w.workflow(line, "")
			return
		}
	}
	w.t.Fatalf("the workflow has no line with %q", text)
}

// What mends a workflow names the line where it is wrong.
func TestFixNamesTheLine(t *testing.T) {
	w := newWorld(t)
	w.drop("id-token: write")
	was, err := os.ReadFile(filepath.Join(w.options.Root, workflowName))
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(was), "permissions:\n")
	want := fmt.Sprintf("edit %s, line %d: id-token: write", workflowName, strings.Count(before, "\n")+2) // the line of its first key
	all := doctor.Examine(t.Context(), w.options)
	i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Check == "permissions" })
	if !slices.Equal(all[i].Fix, []string{want}) {
		t.Errorf("fix %q, want %q", all[i].Fix, want)
	}
}

func TestTriggers(t *testing.T) {
	const (
		types = "    types: [opened, synchronize, reopened, ready_for_review, closed]\n"
		pull  = "  pull_request:\n    branches: [main]\n" + types
		check = "triggers"
	)
	runRows(t, map[string]row{
		"opened only":          {func(w *world) { w.workflow(types, "    types: [opened]\n") }, check, doctor.Failed, "synchronize, reopened, ready_for_review, closed", ": types: [opened, synchronize, reopened, ready_for_review, closed]"},
		"one type as text":     {func(w *world) { w.workflow(types, "    types: opened\n") }, check, doctor.Failed, "synchronize", "types:"},
		"no types":             {func(w *world) { w.workflow(types, "") }, check, doctor.Failed, "it is not started by: ready_for_review, closed", "types:"},
		"paths":                {func(w *world) { w.workflow(types, types+"    paths: [src/**]\n") }, check, doctor.Failed, "waits for ever", "hotswap.yml"},
		"paths ignored":        {func(w *world) { w.workflow(types, types+"    paths-ignore: [docs/**]\n") }, check, doctor.Failed, "waits for ever", "take paths-ignore out"},
		"another branch":       {func(w *world) { w.workflow("branches: [main]", "branches: [release]") }, check, doctor.Failed, "a pull request to main does not", "branches: [main]"},
		"a pattern of it":      {func(w *world) { w.workflow("branches: [main]", "branches: ['**']") }, check, doctor.OK, "", ""},
		"a pattern without it": {func(w *world) { w.workflow("branches: [main]", "branches: ['**', '!main']") }, check, doctor.Failed, "to main", "branches: [main]"},
		"any branch":           {func(w *world) { w.drop("branches: [main]") }, check, doctor.OK, "", ""},
		"branch ignored":       {func(w *world) { w.workflow("branches: [main]", "branches-ignore: [ma*]") }, check, doctor.Failed, "to main", "branches: [main]"},
		"only pushes":          {func(w *world) { w.workflow(pull, "  push:\n") }, check, doctor.Failed, "never reports", "pull_request:"},
		"a list":               {func(w *world) { w.workflow("on:\n", "on: [push, pull_request]\nwas:\n") }, check, doctor.Failed, "ready_for_review, closed", "types:"},
		"a word":               {func(w *world) { w.workflow("on:\n", "on: push\nwas:\n") }, check, doctor.Failed, "never reports", "pull_request:"},
		"nothing":              {func(w *world) { w.workflow("on:\n", "was:\n") }, check, doctor.Failed, "never reports", "pull_request:"},
		"with a fork's code":   {func(w *world) { w.workflow(pull, pull+"  pull_request_target:\n") }, check, doctor.Failed, "fork", "take pull_request_target out"},
		"no merge queue":       {func(w *world) { w.drop("  merge_group:") }, check, doctor.Failed, "merge queue", "merge_group:"},
		"none in Gitea":        {func(w *world) { w.forge.kind = forge.Gitea; w.drop("  merge_group:") }, check, doctor.OK, "", ""},
		"not by hand":          {func(w *world) { w.workflow("  workflow_dispatch:\n", "  workflow_call:\n") }, check, doctor.Failed, "by hand", "workflow_dispatch:"},
	})
}

func TestPermissions(t *testing.T) {
	const id, check = "id-token: write", "permissions"
	whole := func(text string) func(*world) {
		return func(w *world) { w.workflow("permissions:\n", "permissions: "+text+"\nwas:\n") }
	}
	runRows(t, map[string]row{
		"no OIDC":           {func(w *world) { w.drop(id) }, check, doctor.Failed, "id-token: write (to log in by OIDC)", ": id-token: write"},
		"OIDC only read":    {func(w *world) { w.workflow("id-token: write", "id-token: read") }, check, doctor.Failed, "id-token", "id-token: write"},
		"a secret, no OIDC": {func(w *world) { w.cloud.federated = false; w.drop(id) }, check, doctor.OK, "", ""},
		"either, elsewhere": {func(w *world) { w.options.InJob = false; w.drop(id) }, check, doctor.OK, "", ""},
		"OIDC, elsewhere": {func(w *world) {
			w.options.InJob = false
			w.drop(id)
			w.workflow("      AZURE_CREDENTIALS:", "      NO_CREDENTIALS:")
		}, check, doctor.Failed, "id-token", "id-token: write"},
		"no comment":       {func(w *world) { w.drop("pull-requests: write") }, check, doctor.Failed, "pull-requests: write (for the comment)", "pull-requests: write"},
		"read only":        {func(w *world) { w.workflow("statuses: write", "statuses: read") }, check, doctor.Failed, "statuses: write", "statuses: write"},
		"no contents":      {func(w *world) { w.workflow("contents: read", "actions: read") }, check, doctor.Failed, "contents: read", "contents: read"},
		"more than needed": {func(w *world) { w.workflow("contents: read", "contents: write") }, check, doctor.OK, "", ""},
		"the job's own":    {func(w *world) { w.workflow("    environment:", "    permissions: {contents: read}\n    environment:") }, check, doctor.Failed, "id-token: write", "id-token: write, pull-requests: write, statuses: write"},
		"all":              {whole("write-all"), check, doctor.OK, "", ""},
		"all to read":      {whole("read-all"), check, doctor.Failed, "statuses", "id-token: write, pull-requests: write, statuses: write"},
		"none":             {whole("{}"), check, doctor.Failed, "contents", "contents: read"},
		"not said":         {func(w *world) { w.workflow("permissions:", "was:") }, check, doctor.Failed, "never id-token", "permissions: {id-token: write, contents: read"},
	})
}
