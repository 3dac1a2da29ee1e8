package openapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

var rule = forge.Rule{Branch: "main", Check: "Workshop-Deployment"}

func pullRequestRule(approvals int) object {
	return object{"type": "pull_request", "parameters": object{
		"required_approving_review_count": approvals, "dismiss_stale_reviews_on_push": true, "require_code_owner_review": false,
		"require_last_push_approval": false, "required_review_thread_resolution": false,
	}}
}

func checksRule(strict bool, checks ...any) object {
	return object{"type": "required_status_checks", "parameters": object{
		"strict_required_status_checks_policy": strict, "required_status_checks": checks,
	}}
}

func TestProtectTwice(t *testing.T) {
	s := newStub(t)
	r := s.dial()
	plan := must[forge.Change](t)(r.Plan(t.Context(), rule))
	if len(s.writes()) > 0 {
		t.Fatalf("the plan wrote %q", s.writes())
	}
	done := must[forge.Change](t)(r.Protect(t.Context(), rule))
	if diff := cmp.Diff(plan, done); diff != "" {
		t.Errorf("what was planned and what was done:\n%s", diff)
	}
	want := forge.Change{
		Before: forge.Protection{Branch: "main"},
		After: forge.Protection{
			Branch: "main", PullRequest: true, Checks: []forge.Check{{Context: "Workshop-Deployment", App: 15368}}, By: []string{`ruleset "Hotswap: main"`},
		},
		Action: forge.Create, Name: `ruleset "Hotswap: main"`,
		Does: []string{"apply to refs/heads/main", "require a pull request", "require check Workshop-Deployment of app 15368"},
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Error(diff)
	}
	again := must[forge.Change](t)(r.Protect(t.Context(), rule))
	if again.Action != forge.None || len(again.Does) > 0 || len(s.writes()) != 1 {
		t.Errorf("the second time: %+v, wrote %q", again, s.writes())
	}
}

func TestProtectTightens(t *testing.T) {
	s := newStub(t)
	r := s.dial()
	must[forge.Change](t)(r.Protect(t.Context(), rule))
	strict := rule
	strict.UpToDate = true
	c := must[forge.Change](t)(r.Protect(t.Context(), strict))
	if c.Action != forge.Update || !c.After.UpToDate || !slices.Equal(c.Does, []string{"require a pull request to be up to date with main"}) {
		t.Errorf("%+v", c)
	}
	if c = must[forge.Change](t)(r.Protect(t.Context(), rule)); c.Action != forge.None || !c.After.UpToDate {
		t.Errorf("it was loosened, or written for nothing: %+v", c)
	}
}

// Whatever somebody did to the ruleset, what they added stays.
func TestProtectMendsItsRuleset(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(set object)
		does  string
	}{
		"disabled":        {func(set object) { set["enforcement"] = "disabled" }, "enforce it (it was disabled)"},
		"of nothing":      {func(set object) { ref(set)["include"] = []any{"refs/heads/dev"} }, "apply to refs/heads/main"},
		"left out":        {func(set object) { ref(set)["exclude"] = []any{"refs/heads/main"} }, "no longer leave refs/heads/main out"},
		"no pull request": {func(set object) { set["rules"] = set["rules"].([]any)[1:] }, "require a pull request"},
		"not pinned": {func(set object) {
			set["rules"].([]any)[1] = checksRule(false, object{"context": "Workshop-Deployment"})
		}, "require check Workshop-Deployment of app 15368"},
		"pinned to another": {func(set object) {
			set["rules"].([]any)[1] = checksRule(false, object{"context": "Workshop-Deployment", "integration_id": 7})
		}, "require check Workshop-Deployment of app 15368"},
		"no checks": {func(set object) { set["rules"] = set["rules"].([]any)[:1] }, "require check Workshop-Deployment of app 15368"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			set := s.addRuleset("Hotswap: main", pullRequestRule(1), checksRule(false,
				object{"context": "Workshop-Deployment", "integration_id": 15368}, object{"context": "lint"}))
			set["bypass_actors"] = []any{object{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "pull_request"}}
			tt.spoil(set)
			set["rules"] = append(set["rules"].([]any), object{"type": "non_fast_forward"})
			c := must[forge.Change](t)(s.dial().Protect(t.Context(), rule))
			if c.Action != forge.Update || !slices.Equal(c.Does, []string{tt.does}) {
				t.Errorf("%+v", c)
			}
			if want := []string{"PUT /repos/{owner}/{repo}/rulesets/{ruleset_id}"}; !slices.Equal(s.writes(), want) {
				t.Errorf("wrote %q", s.writes())
			}
			var kinds []any
			for _, r := range set["rules"].([]any) {
				kinds = append(kinds, r.(object)["type"])
			}
			if !slices.Contains(kinds, any("non_fast_forward")) || len(set["bypass_actors"].([]any)) != 1 || len(kinds) != 3 {
				t.Errorf("something was lost: %v", set)
			}
			if name == "disabled" && len(c.After.Checks) != 2 {
				t.Errorf("a check was lost: %+v", c.After.Checks)
			}
		})
	}
}

func ref(set object) object { return set["conditions"].(object)["ref_name"].(object) }

// What others have set counts, and is left as it is.
func TestProtectBesideOthers(t *testing.T) {
	s := newStub(t)
	s.page = 1 // the rules come on several pages
	pinned := object{"context": "Workshop-Deployment", "integration_id": 15368}
	s.addRuleset("House rules", pullRequestRule(2))
	theirs := s.addRuleset("Quality", checksRule(true, object{"context": "lint"}, pinned))
	r := s.dial()
	c := must[forge.Change](t)(r.Protect(t.Context(), rule))
	if c.Action != forge.None || c.Name != `ruleset "House rules", ruleset "Quality"` || !c.After.UpToDate || len(s.writes()) > 0 {
		t.Errorf("%+v, wrote %q", c, s.writes())
	}
	theirs["rules"] = []any{checksRule(false, object{"context": "Workshop-Deployment"})}
	c = must[forge.Change](t)(r.Protect(t.Context(), rule))
	if c.Action != forge.Create || len(s.state.rulesets) != 3 || len(c.After.Checks) != 2 {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]any{checksRule(false, object{"context": "Workshop-Deployment"})}, theirs["rules"]); diff != "" {
		t.Errorf("the others' ruleset was changed:\n%s", diff)
	}
}

func TestProtectOfTwoApps(t *testing.T) {
	s := newStub(t)
	s.addRuleset("Quality", checksRule(false, object{"context": "Workshop-Deployment", "integration_id": 7}))
	_, err := s.dial().Protect(t.Context(), rule)
	code(t, err, online.Conflict, `required of app 7 already (ruleset "Quality")`)
	other := rule
	other.App = 7
	if c := must[forge.Change](t)(s.dial().Protect(t.Context(), other)); c.Action != forge.Create {
		t.Errorf("%+v", c)
	}
}

// A GitHub of one's own has an app of its own.
func TestProtectOnEnterpriseServer(t *testing.T) {
	s := newStub(t)
	s.state.app["id"] = 3
	r := s.dial(func(o *forge.Options) { o.BaseURL = "https://github.example.com/api/v3" })
	if c := must[forge.Change](t)(r.Protect(t.Context(), rule)); c.After.Checks[0].App != 3 {
		t.Errorf("%+v", c.After)
	}
	if p, lacks, err := r.Lacks(t.Context(), rule); err != nil || len(lacks) > 0 || !p.PullRequest {
		t.Errorf("%+v lacks %q, %v", p, lacks, err)
	}
}

func TestProtectIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		fault func(name string, _ int) *answer
		rule  forge.Rule
		code  online.Code
		says  []string
	}{
		"unknown branch": {nil, forge.Rule{Branch: "mian", Check: "x"}, online.NotFound, []string{"monalisa/taxi-fare has no branch mian"}},
		"no administrator": {func(name string, _ int) *answer {
			if strings.HasPrefix(name, "POST") {
				return refusal(http.StatusForbidden, "Resource not accessible by personal access token")
			}
			return nil
		}, rule, online.Forbidden, []string{"create the ruleset", `"administration: write"`, "Resource not accessible by personal access token"}},
		"no administrator, by a classic token": {func(name string, _ int) *answer {
			if strings.HasPrefix(name, "POST") {
				return refusal(http.StatusNotFound, "Not Found")
			}
			return nil
		}, rule, online.NotFound, []string{`"administration: write"`}},
		"expired": {func(string, int) *answer { return refusal(http.StatusUnauthorized, "Bad credentials") }, rule, online.Unauthenticated, []string{"Bad credentials", "expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			s.fault = tt.fault
			_, err := s.dial().Protect(t.Context(), tt.rule)
			code(t, err, tt.code, tt.says...)
		})
	}
}

func TestProtectWhoseAnswerIsLost(t *testing.T) {
	s := newStub(t)
	s.lost = func(name string, _ int) bool { return strings.HasPrefix(name, "POST") }
	c := must[forge.Change](t)(s.dial().Protect(t.Context(), rule))
	if c.Action != forge.Create || len(s.state.rulesets) != 1 {
		t.Errorf("%+v, %d rulesets", c, len(s.state.rulesets))
	}
}

func TestProtectWithoutRulesets(t *testing.T) {
	s := newStub(t)
	s.state.noRulesets = true
	r := s.dial()
	strict := rule
	strict.UpToDate = true
	plan := must[forge.Change](t)(r.Plan(t.Context(), strict))
	c := must[forge.Change](t)(r.Protect(t.Context(), strict))
	if c.Action != forge.Create || !c.After.PullRequest || !c.After.UpToDate || plan.Action != c.Action || !slices.Equal(plan.Does, c.Does) || len(c.Does) != 3 {
		t.Errorf("%+v\nplanned %+v", c, plan)
	}
	checks := s.state.classic["required_status_checks"].(object)["checks"]
	if diff := cmp.Diff([]any{object{"context": "Workshop-Deployment", "app_id": float64(15368)}}, checks); diff != "" {
		t.Error(diff)
	}
	if s.state.classic["enforce_admins"].(object)["enabled"] != true {
		t.Error("administrators are not bound")
	}
	if c = must[forge.Change](t)(r.Protect(t.Context(), strict)); c.Action != forge.None || len(s.writes()) != 1 {
		t.Errorf("the second time: %+v, wrote %q", c, s.writes())
	}
}

// All that the classic protection had stays, though it is written whole.
func TestProtectKeepsClassicProtection(t *testing.T) {
	s := newStub(t)
	s.state.noRulesets = true
	s.setProtection(nil, nil, object{
		"enforce_admins": false, "required_linear_history": true, "allow_force_pushes": true, "allow_deletions": true, "block_creations": true,
		"required_conversation_resolution": true, "lock_branch": false, "allow_fork_syncing": true,
		"required_status_checks": object{"strict": true, "checks": []any{
			object{"context": "lint", "app_id": float64(-1)}, object{"context": "docs", "app_id": float64(57789)}, object{"context": "Workshop-Deployment", "app_id": float64(-1)},
		}},
		"required_pull_request_reviews": object{
			"required_approving_review_count": float64(2), "dismiss_stale_reviews": true, "require_code_owner_reviews": true, "require_last_push_approval": true,
			"dismissal_restrictions":         object{"users": []any{"hubot"}, "teams": []any{"justice-league"}, "apps": []any{}},
			"bypass_pull_request_allowances": object{"users": []any{}, "teams": []any{}, "apps": []any{"octoapp"}},
		},
		"restrictions": object{"users": []any{"octocat"}, "teams": []any{}, "apps": []any{"octoapp"}},
	})
	before := s.state.classic
	c := must[forge.Change](t)(s.dial().Protect(t.Context(), rule))
	if c.Action != forge.Update || !slices.Equal(c.Does, []string{"require check Workshop-Deployment of app 15368"}) {
		t.Errorf("%+v", c)
	}
	want := before["required_status_checks"].(object)["checks"].([]any)
	want[2].(object)["app_id"] = float64(15368)
	if diff := cmp.Diff(before, s.state.classic); diff != "" {
		t.Errorf("before and after:\n%s", diff)
	}
}

func TestProtectOfUnknownSettings(t *testing.T) {
	for where, add := range map[string]func(c object){
		"required_moon_phase": func(c object) { c["required_moon_phase"] = object{"enabled": true} },
		"require_two_moons":   func(c object) { c["required_pull_request_reviews"].(object)["require_two_moons"] = true },
	} {
		s := newStub(t)
		s.state.noRulesets = true
		s.setProtection(nil, nil, object{"required_pull_request_reviews": object{"required_approving_review_count": 1}})
		add(s.state.classic)
		_, err := s.dial().Protect(t.Context(), rule)
		code(t, err, online.Conflict, where, "by hand")
		if len(s.writes()) > 0 {
			t.Errorf("wrote %q", s.writes())
		}
	}
}

// Where the classic protection may not be read, its checks are known from the branch, and what is
// not known is not taken for granted.
func TestProtectionThatIsNotReadable(t *testing.T) {
	s := newStub(t)
	s.setProtection(nil, nil, object{
		"required_pull_request_reviews": object{"required_approving_review_count": 1},
		"required_status_checks":        object{"strict": true, "checks": []any{object{"context": "Workshop-Deployment", "app_id": float64(15368)}}},
	})
	s.state.mayNotReadAdministered = true
	p, lacks, err := s.dial().Lacks(t.Context(), rule)
	if err != nil || p.PullRequest || len(p.Unread) != 1 || !slices.Equal(lacks, []string{"a pull request is required"}) ||
		!slices.Equal(p.Checks, []forge.Check{{Context: "Workshop-Deployment", App: 15368}}) {
		t.Errorf("%+v lacks %q, %v", p, lacks, err)
	}
	s.state.mayNotReadAdministered = false
	if p, lacks, err = s.dial().Lacks(t.Context(), rule); err != nil || len(lacks) > 0 || !p.UpToDate || len(p.Unread) > 0 {
		t.Errorf("%+v lacks %q, %v", p, lacks, err)
	}
}

// What was written is read until it is in force, and is not called done before.
func TestProtectIsConfirmed(t *testing.T) {
	newStub(t) // the description is read outside of the bubble
	for name, tt := range map[string]struct {
		lag  int // reads of the branch's rules that find none
		says string
	}{
		"a copy that lags": {lag: 4},
		"never, it seems":  {lag: 99, says: `ruleset "Hotswap: main" was written, but of the rule of main this is not in force: a pull request is required, check`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStub(t)
				s.fault = func(name string, n int) *answer {
					if strings.Contains(name, "/rules/branches/") && n <= tt.lag {
						return ok([]object{})
					}
					return nil
				}
				c, err := s.dial().Protect(t.Context(), rule)
				if tt.says == "" && (err != nil || !c.After.PullRequest) {
					t.Errorf("%+v, %v", c, err)
				}
				if tt.says != "" {
					code(t, err, online.Conflict, tt.says)
				}
				if len(s.writes()) != 1 {
					t.Errorf("wrote %q", s.writes())
				}
			})
		})
	}
}
