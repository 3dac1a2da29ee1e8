package doctor

import (
	"cmp"
	"strings"

	"hotswap/internal/document"
)

// right is a permission that the job's own token must have.
type right struct{ name, level, why string }

var rights = []right{
	{"contents", "read", "to check out, and to compare with the base commit"},
	{"pull-requests", "write", "for the comment"},
	{"statuses", "write", "for the status of a commit"},
}

var oidc = right{"id-token", "write", "to log in by OIDC"}

func (f *facts) permissions() Finding {
	w := f.workflow.is
	if w == nil || w.job == nil {
		return after("check name")
	}
	granted := child(w.job, "permissions")
	if granted == nil {
		granted = child(w.root, "permissions")
	}
	wanted := rights
	if f.needsOIDC() {
		wanted = append([]right{oidc}, rights...)
	}
	if granted == nil {
		return failed([]string{w.line(nil, "permissions: {"+list(wanted)+"}")}, "there are no permissions, so they are what the repository's settings say, and never id-token")
	}
	var missing []right
	for _, r := range wanted {
		if !grants(granted, r) {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		var whys []string
		for _, r := range missing {
			whys = append(whys, r.name+": "+r.level+" ("+r.why+")")
		}
		return failed([]string{w.line(granted, list(missing))}, "not granted: %s", strings.Join(whys, ", "))
	}
	return ok("%s", list(wanted))
}

// needsOIDC reports whether the job has to ask for an OIDC token. Where it is given a secret as well,
// as the file that hotswap init writes has it, only a run tells which of the two is there.
func (f *facts) needsOIDC() bool {
	w := f.workflow.is
	if f.InJob && f.account.err == nil {
		return f.account.is.Federated()
	}
	return w.mentions("AZURE_CLIENT_ID") && !w.mentions("AZURE_CREDENTIALS")
}

func list(all []right) string {
	texts := make([]string, len(all))
	for i, r := range all {
		texts[i] = r.name + ": " + r.level
	}
	return strings.Join(texts, ", ")
}

// grants reports whether permissions have a right. What they don't name they don't grant.
func grants(n *document.Node, r right) bool {
	level := text(child(n, r.name))
	if n.Kind != document.KindMapping {
		level = strings.TrimSuffix(n.Text, "-all") // read-all and write-all; neither is of less than all
		if r == oidc && level == "read" {
			return false
		}
	}
	return level == "write" || r.level == "read" && level == "read"
}

// grantLine is the line that grants the job's token something.
func (f *facts) grantLine(want string) string {
	w := f.workflow.is
	if w == nil {
		return "in the workflow: permissions: " + want
	}
	at := child(w.job, "permissions")
	return w.line(cmp.Or(at, child(w.root, "permissions")), "permissions: "+want)
}
