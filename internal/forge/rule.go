package forge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotswap/internal/online"
)

// Actions is the id of GitHub's own app on github.com that makes the checks of workflows.
const Actions int64 = 15368

// Rule is what a branch shall be under.
type Rule struct {
	Branch   string
	Check    string // that must have passed: the name of a job
	App      int64  // that makes the check, on GitHub; 0: GitHub Actions
	UpToDate bool   // the pull request must have the newest commit of the branch in it
}

// Check is one that must have passed before a merge.
type Check struct {
	Context string // in Gitea a pattern
	App     int64  // that must have made it; 0: any
}

// Protection is what a branch is under, by whatever rules.
type Protection struct {
	Branch      string
	PullRequest bool // nobody pushes to it
	Checks      []Check
	UpToDate    bool
	By          []string // the rules that say so
	Unread      []string // what this token may not read; what seems to be missing may be there
}

// Change is what is done, or has to be, so that a rule is in force.
type Change struct {
	Before, After Protection
	Action        Action
	Name          string   // of what is written, such as: ruleset "Hotswap: main"
	Does          []string // in people's words
}

// Action is what happens to the thing that a forge keeps a rule in.
type Action string

// The actions.
const (
	None   Action = "none" // the rule is in force already
	Create Action = "create"
	Update Action = "update"
)

// draft is a change that is not written yet.
type draft struct {
	action Action
	name   string
	does   []string
	write  request
}

// lacks lists what a protection does not say of a rule, in words; nothing where the rule is in force.
func (p Protection) lacks(rule Rule, kind Kind) []string {
	var lacks []string
	if !p.PullRequest {
		lacks = append(lacks, "a pull request is required")
	}
	if !p.requires(rule, kind) {
		lacks = append(lacks, "check "+rule.describe(kind)+" is required")
	}
	if rule.UpToDate && !p.UpToDate {
		lacks = append(lacks, "a pull request must be up to date with "+rule.Branch)
	}
	return lacks
}

func (rule Rule) describe(kind Kind) string {
	if kind == GitHub {
		return fmt.Sprintf("%s of app %d", rule.Check, rule.App)
	}
	return pattern(rule.Check)
}

func (p Protection) requires(rule Rule, kind Kind) bool {
	return slices.ContainsFunc(p.Checks, func(c Check) bool {
		if kind == Gitea {
			return covers(c.Context, rule.Check)
		}
		return c.Context == rule.Check && c.App == rule.App
	})
}

// with is a protection under a rule more.
func (p Protection) with(rule Rule, kind Kind, by string) Protection {
	p.PullRequest, p.UpToDate = true, p.UpToDate || rule.UpToDate
	p.Checks, p.By = slices.Clone(p.Checks), slices.Clone(p.By)
	if !p.requires(rule, kind) {
		c := Check{Context: rule.Check, App: rule.App}
		if kind == Gitea {
			c = Check{Context: pattern(rule.Check)}
		}
		p.Checks = append(p.Checks, c)
	}
	if !slices.Contains(p.By, by) {
		p.By = append(p.By, by)
	}
	return p
}

// Protection reads what a branch is under.
func (r *Repository) Protection(ctx context.Context, branch string) (Protection, error) {
	return r.dialect.protection(ctx, branch)
}

// Lacks reads what a branch is under, and lists in words what a rule says beyond it; nothing where
// the rule is in force.
func (r *Repository) Lacks(ctx context.Context, rule Rule) (Protection, []string, error) {
	rule, err := r.settle(ctx, rule)
	if err != nil {
		return Protection{}, nil, err
	}
	p, err := r.dialect.protection(ctx, rule.Branch)
	if err != nil {
		return Protection{}, nil, err
	}
	return p, p.lacks(rule, r.kind), nil
}

// settle fills in what a rule leaves open: the app of the workflows' checks.
func (r *Repository) settle(ctx context.Context, rule Rule) (Rule, error) {
	if r.kind == Gitea {
		rule.App = 0
		return rule, nil
	}
	if host := r.base.Hostname(); rule.App != 0 {
		return rule, nil
	} else if host == "api.github.com" || strings.HasSuffix(host, ".ghe.com") {
		rule.App = Actions
		return rule, nil
	}
	// A GitHub of one's own has an id of its own for the app.
	var app struct {
		ID int64 `json:"id"`
	}
	err := r.call(ctx, request{op: getApp, at: []any{"github-actions"}, out: &app})
	rule.App = app.ID
	return rule, err
}

// Plan tells what Protect would do.
func (r *Repository) Plan(ctx context.Context, rule Rule) (Change, error) {
	c, _, err := r.plan(ctx, &rule)
	return c, err
}

func (r *Repository) plan(ctx context.Context, rule *Rule) (c Change, d draft, err error) {
	if *rule, err = r.settle(ctx, *rule); err != nil {
		return c, d, err
	}
	before, err := r.dialect.protection(ctx, rule.Branch)
	if err != nil {
		return c, d, err
	}
	if len(before.lacks(*rule, r.kind)) == 0 {
		return Change{Before: before, After: before, Action: None, Name: strings.Join(before.By, ", ")}, d, nil
	}
	if d, err = r.dialect.prepare(ctx, *rule, before); err != nil {
		return c, d, err
	}
	return Change{
		Before: before, After: before.with(*rule, r.kind, d.name), Action: d.action, Name: d.name, Does: d.does,
	}, d, nil
}

// Protect brings a rule into force. It adds to what is there and takes nothing away; where the
// rule is in force already, it writes nothing.
func (r *Repository) Protect(ctx context.Context, rule Rule) (Change, error) {
	c, d, err := r.plan(ctx, &rule)
	if err != nil || c.Action == None {
		return c, err
	}
	err = r.call(ctx, d.write)
	if err != nil && online.CodeOf(err) != online.Unavailable {
		return Change{}, err
	}
	return r.confirm(ctx, c, rule, err) // where the answer was lost, what is in force tells
}

// confirmations is how often what was written is read, a second apart: a forge may answer from a
// copy that lags.
const confirmations = 5

// confirm reads whether a rule is in force.
func (r *Repository) confirm(ctx context.Context, c Change, rule Rule, lost error) (Change, error) {
	for n := 1; ; n++ {
		now, err := r.dialect.protection(ctx, rule.Branch)
		if err != nil {
			return Change{}, err
		}
		lacks := now.lacks(rule, r.kind)
		if len(lacks) == 0 {
			c.After = now
			return c, nil
		}
		if n == confirmations {
			if lost != nil {
				return Change{}, lost
			}
			return Change{}, online.Errorf(online.Conflict, "%s was written, but of the rule of %s this is not in force: %s%s; look at the branch's rules in the settings of %s",
				c.Name, rule.Branch, strings.Join(lacks, ", "), unread(now), r.Name())
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return Change{}, context.Cause(ctx)
		}
	}
}

func unread(p Protection) string {
	if len(p.Unread) == 0 {
		return ""
	}
	return " (not readable with this token: " + strings.Join(p.Unread, ", ") + ")"
}
