package forge

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"hotswap/internal/online"
)

// github is the dialect of GitHub, github.com or one's own.
type github struct{ *Repository }

func (g github) find(ctx context.Context, head, base string) (*PullRequest, error) {
	query := g.perPage(url.Values{"state": {"open"}, "head": {g.owner + ":" + head}, "base": {base}})
	return g.first(ctx, query, head, base)
}

// first returns the first pull request of a list that is of two branches of the repository.
func (r *Repository) first(ctx context.Context, query url.Values, head, base string) (*PullRequest, error) {
	for page, err := range pages[[]wirePull](ctx, r, request{op: listPulls, query: query}) {
		if err != nil {
			return nil, err
		}
		for _, w := range page {
			if p := w.pull(); p.State == "open" && !p.Fork && p.HeadBranch == head && p.BaseBranch == base {
				return &p, nil
			}
		}
	}
	return nil, nil
}

func (g github) reported(ctx context.Context, sha, check string) (*Report, error) {
	var w struct {
		Runs []struct {
			Name string `json:"name"`
			App  *struct {
				ID   int64  `json:"id"`
				Name string `json:"name"`
			} `json:"app"`
		} `json:"check_runs"`
	}
	query := url.Values{"check_name": {check}, "per_page": {"1"}}
	if err := g.call(ctx, request{op: listCheckRuns, at: []any{sha}, query: query, out: &w}); err != nil || len(w.Runs) == 0 {
		return nil, err
	}
	report := &Report{Context: w.Runs[0].Name}
	if app := w.Runs[0].App; app != nil {
		report.App, report.AppName = app.ID, app.Name
	}
	return report, nil
}

// administers asks for what only an administrator may read: the role in the repository is the
// user's, and says nothing of what a fine-grained token was given.
func (g github) administers(ctx context.Context, branch string) (bool, error) {
	err := g.call(ctx, request{op: getBranchProtection, at: []any{branch}})
	switch online.CodeOf(err) {
	case online.Forbidden:
		return false, nil
	case online.NotFound: // the branch has none
		return true, nil
	}
	return err == nil, err
}

// wireGitHubBranch is a branch with as much of its classic protection as every reader is shown.
type wireGitHubBranch struct {
	Protection struct {
		Enabled bool       `json:"enabled"`
		Checks  wireChecks `json:"required_status_checks"`
	} `json:"protection"`
}

type wireChecks struct {
	Strict   bool     `json:"strict"`
	Contexts []string `json:"contexts"`
	Checks   []struct {
		Context string `json:"context"`
		App     *int64 `json:"app_id"`
	} `json:"checks"`
}

func (w *wireChecks) checks() []Check {
	var all []Check
	for _, c := range w.Checks {
		check := Check{Context: c.Context}
		if c.App != nil && *c.App > 0 { // -1 is any
			check.App = *c.App
		}
		all = append(all, check)
	}
	for _, c := range w.Contexts { // the older form of the same list
		if !slices.ContainsFunc(all, func(have Check) bool { return have.Context == c }) {
			all = append(all, Check{Context: c})
		}
	}
	return all
}

// protection adds up the rulesets that apply to a branch and its classic protection: GitHub
// enforces all of them.
func (g github) protection(ctx context.Context, branch string) (Protection, error) {
	var w wireGitHubBranch
	if err := g.branch(ctx, branch, &w); err != nil {
		return Protection{}, err
	}
	p := Protection{Branch: branch}
	if err := g.addRulesets(ctx, &p); err != nil {
		return Protection{}, err
	}
	if w.Protection.Enabled {
		if err := g.addClassic(ctx, &p, &w); err != nil {
			return Protection{}, err
		}
	}
	return p, nil
}

// wireRule is a rule of a ruleset that applies to a branch.
type wireRule struct {
	Type       string         `json:"type"`
	Ruleset    int64          `json:"ruleset_id"`
	Parameters wireRuleValues `json:"parameters"`
}

type wireRuleValues struct {
	Strict bool `json:"strict_required_status_checks_policy"`
	Checks []struct {
		Context string `json:"context"`
		App     int64  `json:"integration_id"`
	} `json:"required_status_checks"`
}

func (g github) addRulesets(ctx context.Context, p *Protection) error {
	var by []int64
	for page, err := range pages[[]wireRule](ctx, g.Repository, request{op: listBranchRules, at: []any{p.Branch}, query: g.perPage(nil)}) {
		if notToBeHad(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, rule := range page {
			if p.add(rule) && !slices.Contains(by, rule.Ruleset) {
				by = append(by, rule.Ruleset)
			}
		}
	}
	if len(by) == 0 {
		return nil
	}
	names, err := g.rulesets(ctx, true)
	if err != nil {
		return err
	}
	for _, id := range by {
		p.By = append(p.By, rulesetName(id, names))
	}
	return nil
}

// add takes over what a rule says of what we look for, and reports whether it says any of it.
func (p *Protection) add(rule wireRule) bool {
	switch rule.Type {
	case "pull_request":
		p.PullRequest = true
	case "required_status_checks":
		for _, c := range rule.Parameters.Checks {
			if check := (Check{c.Context, c.App}); !slices.Contains(p.Checks, check) {
				p.Checks = append(p.Checks, check)
			}
		}
		p.UpToDate = p.UpToDate || rule.Parameters.Strict && len(rule.Parameters.Checks) > 0
	default:
		return false
	}
	return true
}

// notToBeHad reports whether GitHub refuses to list rulesets, which every reader of the repository
// may list: then its plan doesn't have them, or its version.
func notToBeHad(err error) bool {
	code := online.CodeOf(err)
	return err != nil && (code == online.Forbidden || code == online.NotFound)
}

type wireRuleset struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (g github) rulesets(ctx context.Context, parents bool) ([]wireRuleset, error) {
	query := g.perPage(url.Values{"includes_parents": {fmt.Sprint(parents)}})
	var all []wireRuleset
	for page, err := range pages[[]wireRuleset](ctx, g.Repository, request{op: listRulesets, query: query}) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

func rulesetName(id int64, names []wireRuleset) string {
	for _, n := range names {
		if n.ID == id {
			return fmt.Sprintf("ruleset %q", n.Name)
		}
	}
	return fmt.Sprintf("ruleset %d", id)
}

// prepare keeps the rule in a ruleset of its own, so that nobody else's is touched. Where there
// are none, it adds to the classic protection.
func (g github) prepare(ctx context.Context, rule Rule, before Protection) (draft, error) {
	sets, err := g.rulesets(ctx, false)
	if notToBeHad(err) {
		return g.prepareClassic(ctx, rule, before)
	}
	if err != nil {
		return draft{}, err
	}
	name := "Hotswap: " + rule.Branch
	set, d := newRuleset(name), draft{action: Create, name: fmt.Sprintf("ruleset %q", name)}
	d.write = request{op: createRuleset}
	if n := slices.IndexFunc(sets, func(s wireRuleset) bool { return s.Name == name }); n >= 0 {
		if err := g.call(ctx, request{op: getRuleset, at: []any{sets[n].ID}, out: &set}); err != nil {
			return draft{}, err
		}
		d.action, d.write = Update, request{op: editRuleset, at: []any{sets[n].ID}}
	}
	if err := elsewhere(rule, before, set.checks()); err != nil {
		return draft{}, err
	}
	d.does = set.mend(rule)
	d.write.in = set
	return d, nil
}

// elsewhere refuses to require a check of an app where another rule wants it of another app: both
// can't be had, so nothing would merge any more.
func elsewhere(rule Rule, before Protection, ours []Check) error {
	for _, c := range before.Checks {
		if c.Context == rule.Check && c.App != 0 && c.App != rule.App && !slices.Contains(ours, c) {
			return online.Errorf(online.Conflict, "check %s is required of app %d already (%s), and of app %d too it could never be: give --app-id %d, or change that rule",
				c.Context, c.App, join(before.By), rule.App, c.App)
		}
	}
	return nil
}
