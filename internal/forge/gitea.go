package forge

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"hotswap/internal/online"
)

// gitea is the dialect of Gitea and Forgejo.
type gitea struct{ *Repository }

// find looks through the open pull requests: the forge can look one up by its branches, but finds
// closed ones too. base_branch is passed over by those that don't know it.
func (g gitea) find(ctx context.Context, head, base string) (*PullRequest, error) {
	return g.first(ctx, g.perPage(url.Values{"state": {"open"}, "base_branch": {base}}), head, base)
}

// A job of Actions reports as WORKFLOW / JOB (EVENT). The rule names it by a pattern, in which the
// workflow may be called anything, as github.com's rules don't ask for it either.
const (
	anyWorkflow = "*"
	ofEvent     = " (pull_request)"
)

var escaped = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`)

func pattern(check string) string { return anyWorkflow + " / " + escaped.Replace(check) + ofEvent }

// covers reports whether a pattern is met by nothing but that check of some workflow.
func covers(context, check string) bool {
	return strings.HasSuffix(context, " / "+escaped.Replace(check)+ofEvent)
}

func (g gitea) reported(ctx context.Context, sha, check string) (*Report, error) {
	type status struct {
		Context string `json:"context"`
	}
	for page, err := range pages[[]status](ctx, g.Repository, request{op: listStatuses, at: []any{sha}, query: g.perPage(nil)}) {
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			if strings.HasSuffix(s.Context, " / "+check+ofEvent) {
				return &Report{Context: s.Context}, nil
			}
		}
	}
	return nil, nil
}

// administers believes the role: that is all there is to read without writing.
func (g gitea) administers(context.Context, string) (bool, error) { return true, nil }

type wireGiteaBranch struct {
	Protected bool     `json:"protected"`
	Rule      string   `json:"effective_branch_protection_name"` // for administrators only
	Checked   bool     `json:"enable_status_check"`
	Contexts  []string `json:"status_check_contexts"`
}

type wireGiteaRule struct {
	Push     bool     `json:"enable_push"`
	Checked  bool     `json:"enable_status_check"`
	Contexts []string `json:"status_check_contexts"`
	Outdated bool     `json:"block_on_outdated_branch"`
	Priority *int64   `json:"priority"` // Forgejo has none
}

func (g gitea) protection(ctx context.Context, branch string) (Protection, error) {
	var b wireGiteaBranch
	if err := g.branch(ctx, branch, &b); err != nil {
		return Protection{}, err
	}
	p := Protection{Branch: branch}
	if !b.Protected {
		return p, nil
	}
	rule, err := g.rule(ctx, b.Rule)
	if err != nil {
		return Protection{}, err
	}
	if rule == nil {
		p.By = []string{"a branch protection"}
		p.Unread = []string{"the rest of the branch protection (it needs an administrator's token)"}
		rule = &wireGiteaRule{Push: true, Checked: b.Checked, Contexts: b.Contexts}
	} else {
		p.By = []string{ruleName(b.Rule)}
	}
	p.PullRequest, p.UpToDate = !rule.Push, rule.Outdated
	for _, c := range rule.contexts() {
		p.Checks = append(p.Checks, Check{Context: c})
	}
	return p, nil
}

func ruleName(name string) string { return fmt.Sprintf("branch protection %q", name) }

// contexts are the patterns of the checks that the rule requires. Without any, it requires
// whatever was reported to have passed.
func (w *wireGiteaRule) contexts() []string {
	switch {
	case !w.Checked:
		return nil
	case len(w.Contexts) == 0:
		return []string{"*"}
	}
	return w.Contexts
}

// rule reads one by its name; nil where it has none for this token, or may not be read.
func (g gitea) rule(ctx context.Context, name string) (*wireGiteaRule, error) {
	if name == "" {
		return nil, nil
	}
	var w wireGiteaRule
	err := g.call(ctx, request{op: getRule, at: []any{name}, out: &w})
	if code := online.CodeOf(err); err != nil && (code == online.Forbidden || code == online.NotFound) {
		return nil, nil
	}
	return &w, err
}

// prepare adds to the rule of the branch. Of several rules that match a branch, the forge goes by
// one alone. Where that is a pattern's, the branch gets a rule of its own that says the same and
// ours: other branches stay as they are.
func (g gitea) prepare(ctx context.Context, rule Rule, _ Protection) (draft, error) {
	var b wireGiteaBranch
	if err := g.branch(ctx, rule.Branch, &b); err != nil {
		return draft{}, err
	}
	d := draft{action: Create, name: ruleName(rule.Branch), write: request{op: createRule}}
	if !b.Protected {
		var none wireGiteaRule
		body, does := none.mend(rule)
		maps.Copy(body, map[string]any{
			"rule_name":                  rule.Branch,
			"block_admin_merge_override": true, // Gitea's word for: administrators are bound too
			"apply_to_admins":            true, // Forgejo's
		})
		d.does, d.write.in = append([]string{"require a pull request"}, does...), body
		return d, nil
	}
	effective, err := g.rule(ctx, b.Rule)
	if err != nil {
		return draft{}, err
	}
	if effective == nil {
		return draft{}, online.Errorf(online.Forbidden, "branch %s of %s is under a rule that this token may not read: it needs the scope %q, and must belong to an administrator of the repository",
			rule.Branch, g.Name(), calls[editRule].scope)
	}
	body, does := effective.mend(rule)
	if b.Rule == rule.Branch {
		d.action, d.does, d.write = Update, does, request{op: editRule, at: []any{b.Rule}, in: body}
		return d, nil
	}
	d.does = append([]string{"take over what " + ruleName(b.Rule) + " says"}, does...)
	d.write.in, err = g.copied(ctx, b.Rule, rule.Branch, effective, body)
	return d, err
}

// mend is what a rule must be changed in.
func (w *wireGiteaRule) mend(rule Rule) (body map[string]any, does []string) {
	body = map[string]any{"enable_push": false, "enable_status_check": true}
	if w.Push {
		does = append(does, "require a pull request: nobody pushes any more")
	}
	now := w.contexts()
	contexts := slices.Clone(now)
	if !w.Checked {
		contexts = slices.Clone(w.Contexts) // they were named, if not required
	}
	if !slices.ContainsFunc(contexts, func(c string) bool { return covers(c, rule.Check) }) {
		contexts = append(contexts, pattern(rule.Check))
	}
	for _, c := range contexts {
		if !slices.Contains(now, c) {
			does = append(does, fmt.Sprintf("require check %q", c))
		}
	}
	body["status_check_contexts"] = contexts
	if rule.UpToDate && !w.Outdated {
		body["block_on_outdated_branch"] = true
		does = append(does, "require a pull request to be up to date with "+rule.Branch)
	}
	return body, does
}

// copied is a rule for a branch that says what a pattern's says, with some of it changed, and that
// comes before it: in Gitea by its number, in Forgejo by being no pattern.
func (g gitea) copied(ctx context.Context, from, branch string, effective *wireGiteaRule, changed map[string]any) (map[string]any, error) {
	own, err := g.rule(ctx, branch)
	if err != nil {
		return nil, err
	}
	if own != nil {
		return nil, online.Errorf(online.Conflict, "%s has a rule for %s, but goes by %s, which comes first: put the rule for %s before it in the settings",
			g.Name(), branch, ruleName(from), branch)
	}
	var body map[string]any
	if err := g.call(ctx, request{op: getRule, at: []any{from}, out: &body}); err != nil {
		return nil, err
	}
	for _, key := range []string{"created_at", "updated_at", "branch_name"} {
		delete(body, key)
	}
	maps.Copy(body, changed)
	body["rule_name"] = branch
	if p := effective.Priority; p != nil {
		before := *p - 1
		if before == 0 {
			before = -1 // 0 means: the last
		}
		body["priority"] = before
	}
	return body, nil
}
