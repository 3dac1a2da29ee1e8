package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"hotswap/internal/online"
)

// classic is the protection of a branch from before the rulesets, as GitHub answers it. It is
// written as a whole, in another shape, so whatever it has must be known here.
type classic struct {
	Checks      *wireChecks    `json:"required_status_checks"`
	Reviews     *classicReview `json:"required_pull_request_reviews"`
	Limits      *actors        `json:"restrictions"`
	Admins      enabled        `json:"enforce_admins"`
	Linear      enabled        `json:"required_linear_history"`
	ForcePush   enabled        `json:"allow_force_pushes"`
	Deletion    enabled        `json:"allow_deletions"`
	Creation    enabled        `json:"block_creations"`
	Resolved    enabled        `json:"required_conversation_resolution"`
	Locked      enabled        `json:"lock_branch"`
	ForkSyncing enabled        `json:"allow_fork_syncing"`

	unknown []string
}

// The keys that are known, beside those that a PUT does not touch.
var (
	classicKeys = []string{
		"required_status_checks", "required_pull_request_reviews", "restrictions", "enforce_admins", "required_linear_history",
		"allow_force_pushes", "allow_deletions", "block_creations", "required_conversation_resolution", "lock_branch", "allow_fork_syncing",
		"url", "name", "protection_url", "enabled", "required_signatures",
	}
	reviewKeys = []string{
		"required_approving_review_count", "dismiss_stale_reviews", "require_code_owner_reviews", "require_last_push_approval",
		"dismissal_restrictions", "bypass_pull_request_allowances", "url",
	}
)

type enabled struct {
	Enabled bool `json:"enabled"`
}

type classicReview struct {
	Approvals  int     `json:"required_approving_review_count"`
	Stale      bool    `json:"dismiss_stale_reviews"`
	CodeOwners bool    `json:"require_code_owner_reviews"`
	LastPush   bool    `json:"require_last_push_approval"`
	Dismissal  *actors `json:"dismissal_restrictions"`
	Bypass     *actors `json:"bypass_pull_request_allowances"`
}

type actors struct {
	Users []struct {
		Login string `json:"login"`
	} `json:"users"`
	Teams []struct {
		Slug string `json:"slug"`
	} `json:"teams"`
	Apps []struct {
		Slug string `json:"slug"`
	} `json:"apps"`
}

func (a *actors) body() any {
	if a == nil {
		return nil
	}
	users, teams, apps := []string{}, []string{}, []string{}
	for _, u := range a.Users {
		users = append(users, u.Login)
	}
	for _, t := range a.Teams {
		teams = append(teams, t.Slug)
	}
	for _, p := range a.Apps {
		apps = append(apps, p.Slug)
	}
	return map[string]any{"users": users, "teams": teams, "apps": apps}
}

// UnmarshalJSON takes down what would be lost when it is written back.
func (c *classic) UnmarshalJSON(text []byte) error {
	var all, reviews map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if r := all["required_pull_request_reviews"]; r != nil {
		if err := json.Unmarshal(r, &reviews); err != nil {
			return err
		}
	}
	type plain classic
	if err := json.Unmarshal(text, (*plain)(c)); err != nil {
		return err
	}
	c.unknown = append(others(all, classicKeys), others(reviews, reviewKeys)...)
	return nil
}

func others(all map[string]json.RawMessage, known []string) (unknown []string) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	return unknown
}

// body is what PUT wants for the same protection.
func (c *classic) body() map[string]any {
	body := map[string]any{
		"enforce_admins": c.Admins.Enabled, "restrictions": c.Limits.body(), "required_linear_history": c.Linear.Enabled,
		"allow_force_pushes": c.ForcePush.Enabled, "allow_deletions": c.Deletion.Enabled, "block_creations": c.Creation.Enabled,
		"required_conversation_resolution": c.Resolved.Enabled, "lock_branch": c.Locked.Enabled, "allow_fork_syncing": c.ForkSyncing.Enabled,
		"required_status_checks": nil, "required_pull_request_reviews": nil,
	}
	if c.Checks != nil {
		checks := []map[string]any{}
		for _, check := range c.Checks.checks() {
			app := check.App
			if app == 0 {
				app = -1 // any; without a number GitHub takes the app that was last to report it
			}
			checks = append(checks, map[string]any{"context": check.Context, "app_id": app})
		}
		// contexts is the older form of checks: GitHub wants it, and takes the two together as a sum.
		body["required_status_checks"] = map[string]any{"strict": c.Checks.Strict, "contexts": []string{}, "checks": checks}
	}
	if v := c.Reviews; v != nil {
		reviews := map[string]any{
			"required_approving_review_count": v.Approvals, "dismiss_stale_reviews": v.Stale,
			"require_code_owner_reviews": v.CodeOwners, "require_last_push_approval": v.LastPush,
		}
		if v.Dismissal != nil {
			reviews["dismissal_restrictions"] = v.Dismissal.body()
		}
		if v.Bypass != nil {
			reviews["bypass_pull_request_allowances"] = v.Bypass.body()
		}
		body["required_pull_request_reviews"] = reviews
	}
	return body
}

// mend makes the protection say a rule, and tells what it changed.
func (c *classic) mend(rule Rule) (does []string) {
	if c.Reviews == nil {
		c.Reviews = &classicReview{}
		does = append(does, "require a pull request")
	}
	if c.Checks == nil {
		c.Checks = &wireChecks{}
	}
	all := c.Checks.checks()
	if !slices.Contains(all, Check{rule.Check, rule.App}) {
		all = slices.DeleteFunc(all, func(have Check) bool { return have.Context == rule.Check }) // not pinned
		does = append(does, fmt.Sprintf("require check %s of app %d", rule.Check, rule.App))
		c.Checks.set(append(all, Check{rule.Check, rule.App}))
	}
	if rule.UpToDate && !c.Checks.Strict {
		c.Checks.Strict = true
		does = append(does, "require a pull request to be up to date with "+rule.Branch)
	}
	return does
}

// set replaces the list, in its newer form.
func (w *wireChecks) set(all []Check) {
	w.Contexts, w.Checks = nil, nil
	for _, c := range all {
		entry := struct {
			Context string `json:"context"`
			App     *int64 `json:"app_id"`
		}{Context: c.Context}
		if c.App != 0 {
			entry.App = &c.App
		}
		w.Checks = append(w.Checks, entry)
	}
}

const classicName = "branch protection"

// addClassic adds what the classic protection says. Where the token may not read it, the checks
// are known from the branch, and nothing else is.
func (g github) addClassic(ctx context.Context, p *Protection, w *wireGitHubBranch) error {
	c, err := g.classic(ctx, p.Branch)
	checks, name := w.Protection.Checks.checks(), classicName
	switch {
	case notToBeHad(err):
		p.Unread = append(p.Unread, `the rest of the classic branch protection (it needs "administration: read")`)
	case err != nil:
		return err
	default:
		checks = nil
		if c.Checks != nil {
			checks = c.Checks.checks()
			p.UpToDate = p.UpToDate || c.Checks.Strict && len(checks) > 0
		}
		p.PullRequest = p.PullRequest || c.Reviews != nil
		if !c.Admins.Enabled {
			name += " (administrators may pass it)"
		}
	}
	for _, check := range checks {
		if !slices.Contains(p.Checks, check) {
			p.Checks = append(p.Checks, check)
		}
	}
	p.By = append(p.By, name)
	return nil
}

func (g github) classic(ctx context.Context, branch string) (*classic, error) {
	var c classic
	return &c, g.call(ctx, request{op: getBranchProtection, at: []any{branch}, out: &c})
}

// prepareClassic adds the rule to the classic protection, which is written whole.
func (g github) prepareClassic(ctx context.Context, rule Rule, before Protection) (draft, error) {
	var w wireGitHubBranch
	if err := g.branch(ctx, rule.Branch, &w); err != nil {
		return draft{}, err
	}
	d := draft{action: Update, name: classicName + " of " + rule.Branch}
	c, err := g.classic(ctx, rule.Branch)
	switch {
	case err != nil && online.CodeOf(err) == online.NotFound && !w.Protection.Enabled:
		d.action, c = Create, &classic{Admins: enabled{true}} // as a ruleset binds administrators too
	case err != nil:
		return draft{}, err
	case len(c.unknown) > 0:
		return draft{}, online.Errorf(online.Conflict, "the protection of branch %s has %s, which hotswap does not know and would lose: set the rule by hand",
			rule.Branch, join(c.unknown))
	}
	if err := elsewhere(rule, before, nil); err != nil {
		return draft{}, err
	}
	d.does = c.mend(rule)
	d.write = request{op: setBranchProtection, at: []any{rule.Branch}, in: c.body()}
	return d, nil
}
