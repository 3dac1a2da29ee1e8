package forge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ruleset is one as GitHub keeps it. What it has beside what we set is read and sent back as it
// was: a PUT replaces the lists that it names.
type ruleset struct {
	Name        string          `json:"name"`
	Target      string          `json:"target"`
	Enforcement string          `json:"enforcement"`
	Bypass      json.RawMessage `json:"bypass_actors,omitempty"`
	Conditions  conditions      `json:"conditions"`
	Rules       []rulesetRule   `json:"rules"`
}

type conditions struct {
	Ref struct {
		Include []string `json:"include"`
		Exclude []string `json:"exclude"`
	} `json:"ref_name"`
}

type rulesetRule struct {
	Type       string         `json:"type"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

func newRuleset(name string) *ruleset {
	set := &ruleset{Name: name, Target: "branch", Enforcement: "active"}
	set.Conditions.Ref.Include, set.Conditions.Ref.Exclude = []string{}, []string{}
	return set
}

// mend makes a ruleset say a rule, and tells what it changed.
func (s *ruleset) mend(rule Rule) []string {
	does := s.aim(rule.Branch)
	if s.Enforcement != "active" {
		does = append(does, fmt.Sprintf("enforce it (it was %s)", s.Enforcement))
		s.Enforcement = "active"
	}
	if s.rule("pull_request") == nil {
		does = append(does, "require a pull request")
		s.Rules = append(s.Rules, rulesetRule{"pull_request", map[string]any{
			"required_approving_review_count":   0,
			"dismiss_stale_reviews_on_push":     false,
			"require_code_owner_review":         false,
			"require_last_push_approval":        false,
			"required_review_thread_resolution": false,
		}})
	}
	return append(does, s.require(rule)...)
}

// aim makes the ruleset apply to a branch.
func (s *ruleset) aim(branch string) (does []string) {
	ref := &s.Conditions.Ref
	full := "refs/heads/" + branch
	if !slices.Contains(ref.Include, full) && !slices.Contains(ref.Include, "~ALL") {
		ref.Include = append(ref.Include, full)
		does = append(does, "apply to "+full)
	}
	if n := slices.Index(ref.Exclude, full); n >= 0 {
		ref.Exclude = slices.Delete(ref.Exclude, n, n+1)
		does = append(does, "no longer leave "+full+" out")
	}
	return does
}

const (
	statusChecks = "required_status_checks"
	strictPolicy = "strict_required_status_checks_policy"
)

// require makes the ruleset require the rule's check, pinned to its app.
func (s *ruleset) require(rule Rule) (does []string) {
	r := s.rule(statusChecks)
	if r == nil {
		s.Rules = append(s.Rules, rulesetRule{statusChecks, map[string]any{strictPolicy: false, statusChecks: []any{}}})
		r = &s.Rules[len(s.Rules)-1]
	}
	if !slices.Contains(s.checks(), Check{rule.Check, rule.App}) {
		all, _ := r.Parameters[statusChecks].([]any)
		all = slices.DeleteFunc(all, func(c any) bool { return contextOf(c) == rule.Check }) // not pinned, or to another app
		r.Parameters[statusChecks] = append(all, map[string]any{"context": rule.Check, "integration_id": rule.App})
		does = append(does, fmt.Sprintf("require check %s of app %d", rule.Check, rule.App))
	}
	if strict, _ := r.Parameters[strictPolicy].(bool); rule.UpToDate && !strict {
		r.Parameters[strictPolicy] = true
		does = append(does, "require a pull request to be up to date with "+rule.Branch)
	}
	return does
}

func (s *ruleset) rule(kind string) *rulesetRule {
	n := slices.IndexFunc(s.Rules, func(r rulesetRule) bool { return r.Type == kind })
	if n < 0 {
		return nil
	}
	return &s.Rules[n]
}

func (s *ruleset) checks() []Check {
	r := s.rule(statusChecks)
	if r == nil {
		return nil
	}
	var all []Check
	list, _ := r.Parameters[statusChecks].([]any)
	for _, c := range list {
		check := Check{Context: contextOf(c)}
		if m, is := c.(map[string]any); is {
			if id, is := m["integration_id"].(float64); is {
				check.App = int64(id)
			}
		}
		all = append(all, check)
	}
	return all
}

func contextOf(check any) string {
	m, _ := check.(map[string]any)
	text, _ := m["context"].(string)
	return text
}

func join(all []string) string { return strings.Join(all, ", ") }
