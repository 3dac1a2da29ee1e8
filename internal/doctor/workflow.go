package doctor

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hotswap/internal/document"
	"hotswap/internal/online"
)

// workflow is the file of the workflow that deploys, as far as it is looked at.
type workflow struct {
	name   string // from the repository's folder
	root   *document.Node
	job    *document.Node // the one that makes the required check, else the only one; nil where it can't be told
	named  bool           // the job makes the required check
	checks []string       // the names of the checks of all its jobs
}

// WorkflowName is what hotswap init calls the file.
const WorkflowName = "workshop_cd.yml"

// folders are where the forges look for workflows.
var folders = []string{".github/workflows", ".gitea/workflows", ".forgejo/workflows"}

// readWorkflow reads the file; without a name it is looked for.
func readWorkflow(root, name, check string) (*workflow, error) {
	for _, folder := range folders {
		candidate := path.Join(folder, WorkflowName)
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(candidate))); name == "" && err == nil {
			name = candidate
		}
	}
	if name == "" {
		name = path.Join(folders[0], WorkflowName)
	}
	full := filepath.FromSlash(name)
	if !filepath.IsAbs(full) {
		full = filepath.Join(root, full)
	}
	m, err := document.Open(full, "workflow")
	if err != nil {
		return nil, err
	}
	w := &workflow{name: name, root: m.Node}
	jobs := child(m.Node, "jobs")
	if jobs == nil || jobs.Kind != document.KindMapping || len(jobs.Fields) == 0 {
		return nil, online.Errorf(online.Invalid, "%s: it has no jobs", name)
	}
	for _, f := range jobs.Fields {
		called := checkOf(f)
		w.checks = append(w.checks, called)
		if called == check {
			w.job, w.named = f.Value, true
		}
	}
	if w.job == nil && len(jobs.Fields) == 1 {
		w.job = jobs.Fields[0].Value
	}
	return w, nil
}

// checkOf is what the forge calls a job's check: its name or else its key.
func checkOf(job document.Field) string {
	if name := child(job.Value, "name"); name != nil && name.Text != "" {
		return name.Text
	}
	return job.Key
}

// child is the value of a key of a mapping, nil where there is none.
func child(n *document.Node, key string) *document.Node {
	if n == nil || n.Kind != document.KindMapping {
		return nil
	}
	if f := n.Field(key); f != nil {
		return f.Value
	}
	return nil
}

// text is a scalar's, "" of anything else.
func text(n *document.Node) string {
	if n == nil || n.Kind == document.KindMapping || n.Kind == document.KindList || n.Kind == document.KindNull {
		return ""
	}
	return n.Text
}

// words are what a list has, or the one scalar in its place.
func words(n *document.Node) []string {
	if n == nil || n.Kind == document.KindMapping || n.Kind == document.KindNull {
		return nil
	}
	if n.Kind != document.KindList {
		return []string{n.Text}
	}
	all := make([]string, len(n.Items))
	for i, item := range n.Items {
		all[i] = item.Text
	}
	return all
}

// env is a variable that the job's steps have, "" where it is an expression.
func (w *workflow) env(name string) string {
	for _, scope := range []*document.Node{w.job, w.root} {
		if v := text(child(child(scope, "env"), name)); v != "" {
			if isExpression(v) {
				return ""
			}
			return v
		}
	}
	return ""
}

// mentions reports whether the job is given a variable of that name, whatever it may be.
func (w *workflow) mentions(name string) bool {
	scopes := append([]*document.Node{w.job, w.root}, w.steps()...)
	return slices.ContainsFunc(scopes, func(n *document.Node) bool { return child(child(n, "env"), name) != nil })
}

func isExpression(text string) bool { return strings.Contains(text, "${{") }

func (w *workflow) steps() []*document.Node {
	if steps := child(w.job, "steps"); steps != nil && steps.Kind == document.KindList {
		return steps.Items
	}
	return nil
}

// line is a line to have in the file, at a node's place; nil is the file's top.
func (w *workflow) line(n *document.Node, want string) string {
	if n == nil {
		return edit(w.name) + ": " + want
	}
	return fmt.Sprintf("%s, line %d: %s", edit(w.name), n.At.Line, want)
}

func (f *facts) workflowFile() Finding {
	if err := f.workflow.err; err != nil {
		return failed([]string{"hotswap init"}, "%v", err)
	}
	return ok("%s", f.workflow.is.name)
}

func (f *facts) checkName() Finding {
	w := f.workflow.is
	switch {
	case w == nil:
		return after("workflow file")
	case !w.named:
		return failed([]string{w.line(w.job, "name: "+f.Rule.Check)}, "no job of %s makes the check %q, its checks are: %s", w.name, f.Rule.Check, strings.Join(w.checks, ", "))
	case child(w.job, "strategy") != nil:
		return failed([]string{w.line(child(w.job, "strategy"), "no strategy")}, "a matrix adds its values to the name of the check")
	}
	return ok("a job of %s makes the check %q", w.name, f.Rule.Check)
}

// alwaysRuns judges what makes a forge skip the job: a skipped one counts as a success.
func (f *facts) alwaysRuns() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	condition := child(w.job, "if")
	always := strings.Trim(strings.TrimSuffix(strings.TrimPrefix(text(condition), "${{"), "}}"), " ") == "always()"
	for _, bad := range []struct {
		node *document.Node
		is   bool
		why  string
	}{
		{condition, condition != nil && !always, "a job whose condition is false is skipped, and a skipped check counts as passed"},
		{child(w.job, "needs"), child(w.job, "needs") != nil && !always, "a job whose predecessor failed is skipped, and a skipped check counts as passed"},
		{child(w.job, "continue-on-error"), text(child(w.job, "continue-on-error")) != "" && text(child(w.job, "continue-on-error")) != "false", "a job that may fail passes its check whatever happens"},
	} {
		if bad.is {
			return failed([]string{w.line(bad.node, "take it out, and let hotswap gate decide")}, "%s", bad.why)
		}
	}
	return ok("nothing makes the forge skip the job")
}

func (f *facts) concurrency() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	c := child(w.job, "concurrency")
	if c == nil {
		c = child(w.root, "concurrency")
	}
	switch cancel := text(child(c, "cancel-in-progress")); {
	case c == nil:
		return notNeeded("there is no concurrency group: the endpoint's lock alone keeps the order")
	case cancel != "" && cancel != "false":
		return failed([]string{w.line(child(c, "cancel-in-progress"), "cancel-in-progress: false")}, "a newer run would cancel one that is moving the traffic")
	case f.onGitHub() && text(child(c, "queue")) != "max":
		return failed([]string{w.line(c, "queue: max")}, "of the runs that wait, all but the newest are cancelled, and their checks with them")
	}
	return ok("runs wait for each other, and none is cancelled")
}

func (f *facts) environment() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	n := child(w.job, "environment")
	name := text(n)
	if n != nil && n.Kind == document.KindMapping {
		name = text(child(n, "name"))
	}
	switch {
	case name != "":
		return ok("%q is in the subject of the job's OIDC token", name)
	case !w.mentions("AZURE_CLIENT_ID"):
		return notNeeded("the job does not log in by OIDC")
	}
	return failed([]string{f.environmentLine()}, "without an environment, the subject of the job's OIDC token is another one for each event")
}

func (f *facts) environmentLine() string {
	const want = "environment: production"
	if f.workflow.is == nil {
		return "in the workflow's job: " + want
	}
	return f.workflow.is.line(f.workflow.is.job, want)
}
