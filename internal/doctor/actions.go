package doctor

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"hotswap/internal/document"
)

const actionsFolder = ".github/actions"

// use finds the first step of the job that uses an action; its name is that of a repository, or of
// a folder in this one.
func (w *workflow) use(action string) *document.Node {
	for _, step := range w.steps() {
		name, _, _ := strings.Cut(text(child(step, "uses")), "@")
		if strings.TrimPrefix(name, "./") == action {
			return step
		}
	}
	return nil
}

// mergeCommit is in the ref of a checkout that has what was merged, and not what was proposed.
const mergeCommit = "merge_commit_sha"

func (f *facts) checkout() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	step := w.use("actions/checkout")
	if step == nil {
		return failed([]string{w.line(child(w.job, "steps"), "- uses: actions/checkout@…")}, "no step checks the repository out")
	}
	with := child(step, "with")
	switch {
	case text(child(with, "fetch-depth")) != "0":
		return failed([]string{w.line(step, "fetch-depth: 0")}, "without its history, a commit can't be compared with its base")
	case !strings.Contains(text(child(with, "ref")), mergeCommit):
		return failed([]string{w.line(step, "ref: ${{ github.event.pull_request.merged && github.event.pull_request."+mergeCommit+" || github.sha }}")},
			"after a merge, what was merged has to be checked out")
	}
	return ok("with its history, and after a merge what was merged")
}

var pinned = regexp.MustCompile(`@[0-9a-f]{40}$`)

// actions judges the actions that the job is made of: ours as this binary has them, and all others
// pinned to a commit, since whoever can move a tag runs with the job's credentials.
func (f *facts) actions() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	for _, step := range w.steps() {
		uses := text(child(step, "uses"))
		if uses != "" && !strings.HasPrefix(uses, "./") && !pinned.MatchString(uses) {
			return failed([]string{w.line(child(step, "uses"), "uses: "+strings.SplitN(uses, "@", 2)[0]+"@ITS-COMMIT")}, "%s is not pinned to a commit", uses)
		}
	}
	ours, err := fs.Glob(f.Shipped, actionsFolder+"/*/action.yml")
	if err != nil || len(ours) == 0 {
		return unknown(nil, "this binary has no actions to compare with: %v", err)
	}
	var wrong []string
	for _, name := range ours {
		action := path.Dir(name)
		if w.use(action) == nil {
			return failed([]string{"hotswap init --force"}, "the job does not use %s", action)
		}
		want, err := fs.ReadFile(f.Shipped, name)
		if err != nil {
			return unknown(nil, "%v", err)
		}
		switch got, err := os.ReadFile(f.inRoot(name)); {
		case err != nil:
			wrong = append(wrong, action+" is missing")
		case !slices.Equal(settled(string(got)), settled(string(want))):
			wrong = append(wrong, action+" is another one than this hotswap's")
		}
	}
	if len(wrong) > 0 {
		return failed([]string{"hotswap init --force"}, "%s", strings.Join(wrong, ", "))
	}
	return ok("the %d actions are those of this hotswap", len(ours))
}

// settled are the lines of a file that are not the user's to edit.
func settled(text string) []string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "#setup") })
}
