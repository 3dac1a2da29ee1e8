package forge_test

import (
	"slices"
	"strings"
	"testing"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

var (
	rule    = forge.Rule{Branch: "main", Check: "Workshop-Deployment"}
	pattern = "* / Workshop-Deployment (pull_request)"
)

// fields compares some of an object's with what they shall be.
func fields(t *testing.T, got, want object) {
	t.Helper()
	for key, value := range want {
		if list, is := got[key].([]any); is {
			var all []string
			for _, v := range list {
				all = append(all, v.(string))
			}
			if !slices.Equal(all, value.([]string)) {
				t.Errorf("%s is %q, want %q", key, all, value)
			}
			continue
		}
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
}

func TestGiteaProtectTwice(t *testing.T) {
	f, r := newFake(t)
	plan, err := r.Plan(t.Context(), rule)
	if err != nil || plan.Action != forge.Create || len(f.writes()) > 0 {
		t.Fatalf("%+v, %v, wrote %q", plan, err, f.writes())
	}
	c, err := r.Protect(t.Context(), rule)
	if err != nil || c.Action != forge.Create || c.Name != `branch protection "main"` || !slices.Equal(c.Does, plan.Does) || len(c.Does) != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	if a := c.After; !a.PullRequest || a.UpToDate || !slices.Equal(a.Checks, []forge.Check{{Context: pattern}}) {
		t.Errorf("%+v", a)
	}
	fields(t, f.rules[0], object{
		"rule_name": "main", "enable_push": false, "enable_status_check": true, "status_check_contexts": []string{pattern}, "block_admin_merge_override": true,
	})
	if c, err = r.Protect(t.Context(), rule); err != nil || c.Action != forge.None || len(f.writes()) != 1 {
		t.Errorf("the second time: %+v, %v, wrote %q", c, err, f.writes())
	}
}

func TestGiteaProtectUpToDate(t *testing.T) {
	f, r := newFake(t)
	f.addRule(object{"rule_name": "main", "enable_status_check": true, "status_check_contexts": []string{pattern}})
	strict := rule
	strict.UpToDate = true
	if c, err := r.Protect(t.Context(), strict); err != nil || c.Action != forge.Update || !c.After.UpToDate || len(c.Does) != 1 {
		t.Errorf("up to date: %+v, %v", c, err)
	}
}

// Whatever the branch's rule says stays, unless it is looser.
func TestGiteaProtectAdds(t *testing.T) {
	for name, tt := range map[string]struct {
		had      object
		contexts []string
		does     int // 0: nothing is written
	}{
		"a check of another job":                {object{"enable_status_check": true, "status_check_contexts": []string{"lint"}}, []string{"lint", pattern}, 1},
		"pushing":                               {object{"enable_push": true, "enable_status_check": true, "status_check_contexts": []string{pattern}}, []string{pattern}, 1},
		"whatever was reported must pass":       {object{"enable_status_check": true}, []string{"*", pattern}, 1},
		"named, not required":                   {object{"status_check_contexts": []string{"lint"}}, []string{"lint", pattern}, 2},
		"the check, of one workflow":            {object{"enable_status_check": true, "status_check_contexts": []string{"cd / Workshop-Deployment (pull_request)"}}, nil, 0},
		"the check of a job with a longer name": {object{"enable_status_check": true, "status_check_contexts": []string{"cd / My Workshop-Deployment (pull_request)"}}, []string{"cd / My Workshop-Deployment (pull_request)", pattern}, 1},
		"the check on another event":            {object{"enable_status_check": true, "status_check_contexts": []string{"cd / Workshop-Deployment (push)"}}, []string{"cd / Workshop-Deployment (push)", pattern}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t)
			tt.had["rule_name"], tt.had["required_approvals"] = "main", 2
			own := f.addRule(tt.had)
			c, err := r.Protect(t.Context(), rule)
			if err != nil {
				t.Fatal(err)
			}
			if tt.does == 0 {
				if c.Action != forge.None || len(f.writes()) > 0 {
					t.Errorf("%+v, wrote %q", c, f.writes())
				}
				return
			}
			if c.Action != forge.Update || len(c.Does) != tt.does {
				t.Errorf("%+v", c)
			}
			fields(t, own, object{"enable_push": false, "enable_status_check": true, "status_check_contexts": tt.contexts, "required_approvals": 2})
		})
	}
}

// A pattern's rule would no longer count for a branch that has one of its own: it is taken over.
func TestGiteaProtectUnderAPattern(t *testing.T) {
	for _, forgejo := range []bool{false, true} {
		f, r := newFake(t)
		f.forgejo = forgejo
		f.addRule(object{
			"rule_name": "*", "required_approvals": 1, "enable_push": true, "enable_status_check": true, "status_check_contexts": []string{"lint"},
		})
		c, err := r.Protect(t.Context(), rule)
		if err != nil || c.Action != forge.Create || !strings.Contains(c.Does[0], `take over what branch protection "*" says`) {
			t.Fatalf("forgejo %v: %+v, %v", forgejo, c, err)
		}
		fields(t, f.rules[1], object{
			"rule_name": "main", "required_approvals": float64(1), "enable_push": false, "status_check_contexts": []string{"lint", pattern},
		})
		fields(t, f.rules[0], object{"rule_name": "*", "enable_push": true})
		if forgejo != (f.rules[1]["priority"] == nil) {
			t.Errorf("the priority is %v", f.rules[1]["priority"])
		}
	}
}

func TestGiteaProtectBehindAPattern(t *testing.T) {
	f, r := newFake(t)
	f.addRule(object{"rule_name": "*"})
	f.addRule(object{"rule_name": "main"})
	_, err := r.Protect(t.Context(), rule)
	code(t, err, online.Conflict, `goes by branch protection "*", which comes first`)
}

func TestGiteaProtectIsRefused(t *testing.T) {
	f, r := newFake(t)
	_, err := r.Protect(t.Context(), forge.Rule{Branch: "mian", Check: "x"})
	code(t, err, online.NotFound, "ml/taxi-fare has no branch mian")
	f.admin = false
	_, err = r.Protect(t.Context(), rule)
	code(t, err, online.Forbidden, `"write:repository"`, "administrator of the repository")
	f.addRule(object{"rule_name": "main", "enable_status_check": true, "status_check_contexts": []string{pattern}})
	_, err = r.Plan(t.Context(), rule)
	code(t, err, online.Forbidden, `"write:repository"`, "may not read")
	p, lacks, err := r.Lacks(t.Context(), rule)
	if err != nil || len(p.Unread) != 1 || len(p.Checks) != 1 || !slices.Equal(lacks, []string{"a pull request is required"}) {
		t.Errorf("%+v lacks %q, %v", p, lacks, err)
	}
}

func TestGiteaProtectWhoseAnswerIsLost(t *testing.T) {
	f, r := newFake(t)
	f.loseCreations = true
	if c, err := r.Protect(t.Context(), rule); err != nil || c.Action != forge.Create || len(f.rules) != 1 {
		t.Errorf("%+v, %v, %d rules", c, err, len(f.rules))
	}
}

// The characters of patterns in a job's name stand for themselves.
func TestGiteaPatternOfAJob(t *testing.T) {
	f, r := newFake(t)
	c, err := r.Protect(t.Context(), forge.Rule{Branch: "main", Check: `deploy [eu] {a}*?\`})
	if want := `* / deploy \[eu\] \{a\}\*\?\\ (pull_request)`; err != nil || c.After.Checks[0].Context != want {
		t.Errorf("%+v, %v, want %s", c.After, err, want)
	}
	if _, err = r.Protect(t.Context(), forge.Rule{Branch: "main", Check: `deploy [eu] {a}*?\`}); err != nil || len(f.writes()) != 1 {
		t.Errorf("%v, wrote %q", err, f.writes())
	}
}

func TestGiteaPullRequests(t *testing.T) {
	f, r := newFake(t)
	f.page = 1
	f.addPull("integration", "main")["state"] = "closed"
	f.addPull("integration", "release")
	fork := f.addPull("integration", "main")
	fork["head"].(object)["repo"] = nil // deleted
	n := forge.NewPullRequest{Head: "integration", Base: "main", Title: "Fare model 7"}
	p, created, err := r.Open(t.Context(), n)
	if err != nil || !created || p.Number != 4 {
		t.Fatalf("%+v, %v, %v", p, created, err)
	}
	n.Title = "Fare model 8"
	if p, created, err = r.Open(t.Context(), n); err != nil || created || p.Number != 4 || p.Title != "Fare model 8" {
		t.Fatalf("%+v, %v, %v", p, created, err)
	}
	if p, err = r.PullRequest(t.Context(), 3); err != nil || !p.Fork {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = r.PullRequest(t.Context(), 2); err != nil || p.Fork || p.BaseBranch != "release" {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = r.PullRequest(t.Context(), 9)
	code(t, err, online.NotFound, "read the pull request 9 (ml/taxi-fare)", "read:repository")
}

func TestGiteaOpenWhoseAnswerIsLost(t *testing.T) {
	f, r := newFake(t)
	f.loseCreations = true
	p, _, err := r.Open(t.Context(), forge.NewPullRequest{Head: "integration", Base: "main"})
	if err != nil || p.Number != 1 || len(f.pulls) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestGiteaComment(t *testing.T) {
	f, r := newFake(t)
	f.addComment(object{"id": 8, "login": "somebody"}, "<!-- hotswap -->\nspoofed")
	for _, text := range []string{"testing", "testing", "live"} {
		if err := r.Comment(t.Context(), 1, "hotswap", text); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.comments) != 2 || f.comments[1]["body"] != "<!-- hotswap -->\nlive" || f.comments[0]["body"] != "<!-- hotswap -->\nspoofed" || len(f.writes()) != 2 {
		t.Errorf("%v, wrote %q", f.comments, f.writes())
	}
	f.closed = true
	code(t, r.Comment(t.Context(), 1, "hotswap", "x"), online.Forbidden, `"read:user"`)
}

func TestGiteaReported(t *testing.T) {
	f, r := newFake(t)
	f.page = 1
	f.addPull("patch", "main")
	f.addPull("patch", "main")["state"] = "closed"
	if report, err := r.Reported(t.Context(), "Workshop-Deployment"); err != nil || report != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	f.page = 50
	sha := strings.Repeat("2", 40)
	for _, context := range []string{"cd / lint (pull_request)", "cd / Workshop-Deployment (push)", "cd / Workshop-Deployment (pull_request)"} {
		if err := r.SetStatus(t.Context(), sha, forge.Status{Context: context, State: forge.Success, Description: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	f.page = 1
	report, err := r.Reported(t.Context(), "Workshop-Deployment")
	if err != nil || report != nil {
		t.Fatalf("only the first page of pull requests is looked at: %+v, %v", report, err)
	}
	f.page = 2
	want := forge.Report{PullRequest: 2, Context: "cd / Workshop-Deployment (pull_request)"}
	if report, err = r.Reported(t.Context(), "Workshop-Deployment"); err != nil || report == nil || *report != want {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestGiteaFacts(t *testing.T) {
	f, r := newFake(t)
	if facts, err := r.Facts(t.Context()); err != nil || !facts.Administers || facts.DefaultBranch != "main" || facts.Name != "ml/taxi-fare" {
		t.Errorf("%+v, %v", facts, err)
	}
	f.admin = false
	if facts, err := r.Facts(t.Context()); err != nil || facts.Administers {
		t.Errorf("%+v, %v", facts, err)
	}
}
