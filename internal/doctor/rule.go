package doctor

import (
	"slices"
	"strings"

	"hotswap/internal/online"
)

// protect is the command that sets the rule of the branch.
func (f *facts) protect() []string {
	return []string{Command("hotswap", "protect", "--branch", f.Rule.Branch, "--check", f.Rule.Check)}
}

func (f *facts) branchRule() Finding {
	const withToken = "HOTSWAP_FORGE_TOKEN=… hotswap doctor" // no secret is for a command line, so it is not a flag
	if err := f.repository.err; online.CodeOf(err) == online.Unauthenticated {
		return unknown([]string{withToken}, "%v", err)
	} else if err != nil {
		return unknown([]string{"hotswap doctor --forge KIND --repo OWNER/NAME"}, "%v", err)
	}
	p, err := f.protection.is, f.protection.err
	switch {
	case err != nil && slices.Contains([]online.Code{online.Forbidden, online.Unauthenticated}, online.CodeOf(err)):
		return unknown([]string{withToken}, "%v", err)
	case err != nil:
		return failed(f.protect(), "%v", err)
	case len(f.lacks) > 0 && len(p.Unread) > 0:
		return unknown(f.protect(), "not seen: %s; not readable with this token: %s", strings.Join(f.lacks, ", "), strings.Join(p.Unread, ", "))
	case len(f.lacks) > 0:
		return failed(f.protect(), "the rule of %s does not say that %s", f.Rule.Branch, strings.Join(f.lacks, ", nor that "))
	}
	return ok("%s: a pull request and the check %q are required (%s)", f.Rule.Branch, f.Rule.Check, strings.Join(p.By, ", "))
}

// reportedCheck judges what the forge has seen. A rule that names a check which nothing reports lets
// nothing merge.
func (f *facts) reportedCheck() Finding {
	switch {
	case f.reported.before():
		return after("branch rule")
	case f.reported.err != nil:
		return unknown(nil, "%v", f.reported.err)
	case f.reported.is == nil:
		return unknown([]string{"hotswap pr open"}, "none of the newest pull requests has the check %q yet: the first one that runs the workflow shows it", f.Rule.Check)
	}
	return ok("pull request %d has it as %q", f.reported.is.PullRequest, f.reported.is.Context)
}
