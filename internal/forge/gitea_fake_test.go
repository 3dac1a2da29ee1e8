package forge_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hotswap/internal/forge"
	"hotswap/internal/online"
)

const (
	token = "t0ken"
	repo  = "/api/v1/repos/{owner}/{repo}"
)

type object = map[string]any

// fake is a Gitea with one repository, in the shapes of its swagger (1.26). The real one is in e2e.
type fake struct {
	t             *testing.T
	admin         bool // of the repository, is the token's user
	forgejo       bool // which has no priorities of rules
	closed        bool // the scope read:user is missing
	branches      []string
	rules         []object
	pulls         []object
	comments      []object
	statuses      map[string][]object
	page          int
	requests      []string // METHOD PATTERN
	user          object
	mu            sync.Mutex
	url           string
	loseCreations bool // what a POST makes is there, and its answer is a 502
}

var person = object{"id": 7, "login": "ci"}

func newFake(t *testing.T) (*fake, *forge.Repository) {
	t.Helper()
	f := &fake{t: t, admin: true, branches: []string{"main", "integration"}, statuses: map[string][]object{}, page: 50, user: person}
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(r *http.Request, in object) (int, any){
		"GET " + repo: f.repository,
		"GET /api/v1/user": func(*http.Request, object) (int, any) {
			if f.closed {
				return http.StatusForbidden, object{"message": "token does not have at least one of required scope(s): [read:user]"}
			}
			return http.StatusOK, f.user
		},
		"GET " + repo + "/branches/{branch}":               f.branch,
		"GET " + repo + "/branch_protections/{name}":       f.getRule,
		"POST " + repo + "/branch_protections":             f.createRule,
		"PATCH " + repo + "/branch_protections/{name}":     f.editRule,
		"GET " + repo + "/pulls":                           f.listPulls,
		"POST " + repo + "/pulls":                          f.createPull,
		"GET " + repo + "/pulls/{pull_number}":             f.getPull,
		"PATCH " + repo + "/pulls/{pull_number}":           f.editPull,
		"GET " + repo + "/issues/{issue_number}/comments":  func(*http.Request, object) (int, any) { return http.StatusOK, f.comments },
		"POST " + repo + "/issues/{issue_number}/comments": f.createComment,
		"PATCH " + repo + "/issues/comments/{comment_id}":  f.editComment,
		"POST " + repo + "/statuses/{sha}":                 f.createStatus,
		"GET " + repo + "/commits/{ref}/statuses":          func(r *http.Request, _ object) (int, any) { return http.StatusOK, f.statuses[r.PathValue("ref")] },
	} {
		mux.HandleFunc(pattern, f.serve(pattern, handle))
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f, f.dial(forge.Options{})
}

func (f *fake) dial(o forge.Options) *forge.Repository {
	f.t.Helper()
	o.Kind, o.BaseURL, o.Repository, o.Token = forge.Gitea, f.url+"/api/v1", "ml/taxi-fare", token
	r, err := forge.Dial(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// seen are the operations that the tests have called.
var seen struct {
	sync.Mutex
	calls []string
}

// TestMain fails where a call that is made of Gitea was not tested.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.run=") || strings.HasPrefix(arg, "-test.list=")
	}) {
		for _, name := range forge.Operations(forge.Gitea) {
			if !slices.Contains(seen.calls, strings.Replace(name, " ", " /api/v1", 1)) {
				println("no test calls", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

func (f *fake) serve(pattern string, handle func(*http.Request, object) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		seen.Lock()
		seen.calls = append(seen.calls, pattern)
		seen.Unlock()
		f.requests = append(f.requests, pattern)
		if got := r.Header.Get("Authorization"); got != "token "+token {
			f.t.Errorf("%s with the header Authorization %q", pattern, got)
		}
		var in object
		if r.Method != http.MethodGet {
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				f.t.Error(err)
			}
		}
		status, body := handle(r, in)
		if list, is := body.([]object); is {
			body = f.cut(w, r, list)
		}
		if f.loseCreations && status == http.StatusCreated {
			status = http.StatusBadGateway
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (f *fake) cut(w http.ResponseWriter, r *http.Request, list []object) []object {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	page = max(page, 1)
	from, to := min((page-1)*f.page, len(list)), min(page*f.page, len(list))
	if to < len(list) {
		query.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next",<%s>; rel="last"`, f.url, r.URL.Path, query.Encode(), f.url))
	}
	return append([]object{}, list[from:to]...)
}

func (f *fake) writes() (all []string) {
	for _, r := range f.requests {
		if !strings.HasPrefix(r, "GET ") {
			all = append(all, r)
		}
	}
	return all
}

func (f *fake) repository(*http.Request, object) (int, any) {
	return http.StatusOK, object{
		"full_name": "ml/taxi-fare", "html_url": f.url + "/ml/taxi-fare", "default_branch": "main", "archived": false,
		"permissions": object{"admin": f.admin, "push": true, "pull": true},
	}
}

// effective is the rule that a branch is under: in Gitea that of the smallest priority, in Forgejo
// one without a pattern first.
func (f *fake) effective(branch string) object {
	var found []object
	for _, rule := range f.rules {
		if rule["rule_name"] == branch || rule["rule_name"] == "*" {
			found = append(found, rule)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(a, b object) int {
		if f.forgejo {
			return strings.Compare(b["rule_name"].(string), a["rule_name"].(string))
		}
		return int(number(a["priority"]) - number(b["priority"]))
	})
}

func number(v any) float64 {
	n, is := v.(float64)
	if !is {
		n = float64(v.(int))
	}
	return n
}

func (f *fake) branch(r *http.Request, _ object) (int, any) {
	name := r.PathValue("branch")
	if !slices.Contains(f.branches, name) {
		return http.StatusNotFound, object{"message": "branch does not exist [name: " + name + "]", "errors": nil}
	}
	rule := f.effective(name)
	b := object{"name": name, "protected": rule != nil, "enable_status_check": false, "status_check_contexts": []string{}, "effective_branch_protection_name": ""}
	if rule != nil {
		b["enable_status_check"], b["status_check_contexts"] = rule["enable_status_check"], rule["status_check_contexts"]
		if f.admin {
			b["effective_branch_protection_name"] = rule["rule_name"]
		}
	}
	return http.StatusOK, b
}

var notAdmin = object{"message": "user should be an owner or a collaborator with admin write of a repository"}

func (f *fake) rule(name string) object {
	n := slices.IndexFunc(f.rules, func(r object) bool { return r["rule_name"] == name })
	if n < 0 {
		return nil
	}
	return f.rules[n]
}

func (f *fake) getRule(r *http.Request, _ object) (int, any) {
	rule := f.rule(r.PathValue("name"))
	switch {
	case !f.admin:
		return http.StatusForbidden, notAdmin
	case rule == nil:
		return http.StatusNotFound, object{"message": "not found"}
	}
	return http.StatusOK, rule
}

// addRule puts a rule into the repository: fields that are not given are what they are by default.
func (f *fake) addRule(in object) object {
	rule := object{
		"rule_name": "", "branch_name": in["rule_name"], "enable_push": false, "enable_push_whitelist": false, "push_whitelist_usernames": []string{},
		"enable_status_check": false, "status_check_contexts": []string{}, "block_on_outdated_branch": false, "required_approvals": 0,
		"block_admin_merge_override": false, "priority": len(f.rules) + 1, "created_at": "2026-11-22T10:00:00Z", "updated_at": "2026-11-22T10:00:00Z",
	}
	if f.forgejo {
		delete(rule, "priority")
		rule["apply_to_admins"] = false
	}
	for key, value := range in {
		if _, has := rule[key]; has && (key != "priority" || number(value) != 0) {
			rule[key] = value
		}
	}
	f.rules = append(f.rules, rule)
	return rule
}

func (f *fake) createRule(_ *http.Request, in object) (int, any) {
	switch {
	case !f.admin, f.rule(in["rule_name"].(string)) != nil:
		return http.StatusForbidden, notAdmin
	case in["created_at"] != nil, in["branch_name"] != nil:
		f.t.Errorf("what is the forge's own was sent back: %v", in)
	}
	return http.StatusCreated, f.addRule(in)
}

func (f *fake) editRule(r *http.Request, in object) (int, any) {
	rule := f.rule(r.PathValue("name"))
	if !f.admin {
		return http.StatusForbidden, notAdmin
	}
	maps.Copy(rule, in)
	return http.StatusOK, rule
}

func (f *fake) addPull(head, base string) object {
	p := object{
		"number": len(f.pulls) + 1, "title": "a change", "body": "", "state": "open", "draft": false, "merged_at": nil, "merge_commit_sha": nil, "user": f.user,
		"html_url": fmt.Sprintf("%s/ml/taxi-fare/pulls/%d", f.url, len(f.pulls)+1),
		"head":     object{"ref": head, "sha": strings.Repeat(strconv.Itoa(len(f.pulls)+1), 40), "repo": object{"id": 1}},
		"base":     object{"ref": base, "sha": strings.Repeat("b", 40), "repo": object{"id": 1}},
	}
	f.pulls = append(f.pulls, p)
	return p
}

// listPulls passes base_branch over, as older ones do.
func (f *fake) listPulls(r *http.Request, _ object) (int, any) {
	list := []object{}
	for _, p := range f.pulls {
		if state := r.URL.Query().Get("state"); state == "all" || state == p["state"] {
			list = append(list, p)
		}
	}
	return http.StatusOK, list
}

func (f *fake) createPull(_ *http.Request, in object) (int, any) {
	for _, p := range f.pulls {
		if p["state"] == "open" && p["head"].(object)["repo"] != nil && p["head"].(object)["ref"] == in["head"] && p["base"].(object)["ref"] == in["base"] {
			return http.StatusConflict, object{"message": "pull request already exists for these targets"}
		}
	}
	p := f.addPull(in["head"].(string), in["base"].(string))
	p["title"], p["body"] = in["title"], in["body"]
	return http.StatusCreated, p
}

func (f *fake) pull(r *http.Request) object {
	n, _ := strconv.Atoi(r.PathValue("pull_number"))
	if n < 1 || n > len(f.pulls) {
		return nil
	}
	return f.pulls[n-1]
}

func (f *fake) getPull(r *http.Request, _ object) (int, any) {
	if p := f.pull(r); p != nil {
		return http.StatusOK, p
	}
	return http.StatusNotFound, object{"message": "not found"}
}

func (f *fake) editPull(r *http.Request, in object) (int, any) {
	p := f.pull(r)
	maps.Copy(p, in)
	return http.StatusCreated, p
}

func (f *fake) addComment(user object, body string) object {
	c := object{"id": len(f.comments) + 1, "user": user, "body": body}
	f.comments = append(f.comments, c)
	return c
}

func (f *fake) createComment(_ *http.Request, in object) (int, any) {
	return http.StatusCreated, f.addComment(f.user, in["body"].(string))
}

func (f *fake) editComment(r *http.Request, in object) (int, any) {
	id, _ := strconv.Atoi(r.PathValue("comment_id"))
	f.comments[id-1]["body"] = in["body"]
	return http.StatusOK, f.comments[id-1]
}

func (f *fake) createStatus(r *http.Request, in object) (int, any) {
	f.statuses[r.PathValue("sha")] = append(f.statuses[r.PathValue("sha")], in)
	return http.StatusCreated, object{"context": in["context"], "status": in["state"]}
}

// code fails the test where an error has another code, or says something else.
func code(t *testing.T, err error, want online.Code, says ...string) {
	t.Helper()
	if err == nil || online.CodeOf(err) != want {
		t.Fatalf("error %v, code %s, want %s", err, online.CodeOf(err), want)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want it to say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("the token is in the error: %v", err)
	}
}
