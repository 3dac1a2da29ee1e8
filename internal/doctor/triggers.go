package doctor

import (
	"path"
	"slices"
	"strings"

	"hotswap/internal/document"
	"hotswap/internal/forge"
)

// types are the events of a pull request after which the check must be made anew, or what was live
// has to be settled. Without a list it is only the first three of them.
var types = []string{"opened", "synchronize", "reopened", "ready_for_review", "closed"}

func (f *facts) onGitHub() bool { return f.kind != forge.Gitea }

func (f *facts) triggers() Finding {
	w := f.workflow.is
	if w == nil {
		return after("workflow file")
	}
	on := child(w.root, "on")
	pull, has := event(on, "pull_request")
	if !has {
		return failed([]string{w.line(on, "pull_request:")}, "no pull request starts the workflow, so its check never reports")
	}
	for _, bad := range []func() (*document.Node, string, string){
		func() (*document.Node, string, string) { return badTypes(on, pull) },
		func() (*document.Node, string, string) { return badPaths(pull) },
		func() (*document.Node, string, string) { return badBranches(pull, f.Rule.Branch) },
		func() (*document.Node, string, string) { return f.badOthers(on) },
	} {
		if at, want, why := bad(); why != "" {
			return failed([]string{w.line(at, want)}, "%s", why)
		}
	}
	return ok("every change of a pull request to %s starts the workflow", f.Rule.Branch)
}

// event finds a trigger in what on may be: one name, a list of them, or a mapping.
func event(on *document.Node, name string) (settings *document.Node, has bool) {
	if on == nil {
		return nil, false
	}
	if on.Kind == document.KindMapping {
		f := on.Field(name)
		if f == nil {
			return nil, false
		}
		return f.Value, true
	}
	return nil, slices.Contains(words(on), name)
}

func badTypes(on, pull *document.Node) (at *document.Node, want, why string) {
	given, list := []string{"opened", "synchronize", "reopened"}, child(pull, "types")
	if at = on; list != nil {
		at, given = list, words(list)
	}
	var missing []string
	for _, t := range types {
		if !slices.Contains(given, t) {
			missing = append(missing, t)
		}
	}
	if len(missing) == 0 {
		return nil, "", ""
	}
	return at, "types: [" + strings.Join(types, ", ") + "]", "it is not started by: " + strings.Join(missing, ", ")
}

func badPaths(pull *document.Node) (at *document.Node, want, why string) {
	for _, key := range []string{"paths", "paths-ignore"} {
		if n := child(pull, key); n != nil {
			return n, "take " + key + " out, and name the paths in hotswap.yml", "a pull request that " + key + " leaves out waits for ever for its required check"
		}
	}
	return nil, "", ""
}

func badBranches(pull *document.Node, branch string) (at *document.Node, want, why string) {
	const waits = "a pull request to %s does not start it, and waits for ever for its required check"
	if n := child(pull, "branches"); n != nil && !covers(words(n), branch) {
		return n, "branches: [" + branch + "]", strings.Replace(waits, "%s", branch, 1)
	}
	if n := child(pull, "branches-ignore"); n != nil && covers(words(n), branch) {
		return n, "branches: [" + branch + "]", strings.Replace(waits, "%s", branch, 1)
	}
	return nil, "", ""
}

// covers reports whether one of the patterns is of the branch. A later one with ! takes it out again.
func covers(patterns []string, branch string) (covered bool) {
	for _, pattern := range patterns {
		pattern, not := strings.CutPrefix(pattern, "!")
		if is, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), branch); err == nil && is {
			covered = !not
		}
	}
	return covered
}

func (f *facts) badOthers(on *document.Node) (at *document.Node, want, why string) {
	if _, has := event(on, "pull_request_target"); has {
		return on, "take pull_request_target out", "pull_request_target gives the code of a fork the credentials"
	}
	if _, has := event(on, "merge_group"); !has && f.onGitHub() {
		return on, "merge_group:", "a merge queue waits for ever for the check"
	}
	if _, has := event(on, "workflow_dispatch"); !has {
		return on, "workflow_dispatch:", "nobody can deploy by hand"
	}
	return nil, "", ""
}
