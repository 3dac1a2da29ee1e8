package openapi

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

type handler func(s *stub, at map[string]string, query url.Values, in object) *answer

const repo = "/repos/{owner}/{repo}"

// handlers are what the stub can do, by the description's operations.
var handlers = map[string]handler{
	"GET " + repo: func(s *stub, _ map[string]string, _ url.Values, _ object) *answer { return ok(s.state.repository) },
	"GET /user": func(s *stub, _ map[string]string, _ url.Values, _ object) *answer {
		if s.state.user == nil {
			return refusal(http.StatusForbidden, "Resource not accessible by integration")
		}
		return ok(s.state.user)
	},
	"GET /apps/{app_slug}": func(s *stub, _ map[string]string, _ url.Values, _ object) *answer { return ok(s.state.app) },

	"GET " + repo + "/pulls":                 (*stub).listPulls,
	"POST " + repo + "/pulls":                (*stub).createPull,
	"GET " + repo + "/pulls/{pull_number}":   (*stub).getPull,
	"PATCH " + repo + "/pulls/{pull_number}": (*stub).editPull,

	"GET " + repo + "/issues/{issue_number}/comments": func(s *stub, _ map[string]string, _ url.Values, _ object) *answer {
		return ok(s.state.comments)
	},
	"POST " + repo + "/issues/{issue_number}/comments": (*stub).createComment,
	"PATCH " + repo + "/issues/comments/{comment_id}":  (*stub).editComment,
	"POST " + repo + "/statuses/{sha}":                 (*stub).createStatus,
	"GET " + repo + "/commits/{ref}/check-runs":        (*stub).listChecks,
	"GET " + repo + "/branches/{branch}":               (*stub).getBranch,
	"GET " + repo + "/rules/branches/{branch}":         (*stub).listRules,
	"GET " + repo + "/rulesets":                        (*stub).listRulesets,
	"POST " + repo + "/rulesets":                       (*stub).createRuleset,
	"GET " + repo + "/rulesets/{ruleset_id}":           (*stub).getRuleset,
	"PUT " + repo + "/rulesets/{ruleset_id}":           (*stub).editRuleset,
	"GET " + repo + "/branches/{branch}/protection":    (*stub).getProtection,
	"PUT " + repo + "/branches/{branch}/protection":    (*stub).setProtection,
}

func ok(body any) *answer { return &answer{status: http.StatusOK, body: body} }

func notFound() *answer { return refusal(http.StatusNotFound, "Not Found") }

// number finds an entry by what it has under a key.
func number(list []object, key, value string) object {
	n, _ := strconv.Atoi(value)
	i := slices.IndexFunc(list, func(o object) bool { return o[key] == n })
	if i < 0 {
		return nil
	}
	return list[i]
}

// short is a pull request as lists have it: without what only a look at one shows.
func short(s *stub, pull object) object {
	o := s.d.example(s.t, "GET "+repo+"/pulls", 200).([]any)[0].(object)
	for key := range o {
		if value, has := pull[key]; has {
			o[key] = value
		}
	}
	return o
}

func (s *stub) listPulls(_ map[string]string, query url.Values, _ object) *answer {
	list := []object{}
	for _, p := range s.state.pulls {
		head, base := p["head"].(object), p["base"].(object)
		if state := query.Get("state"); state != "all" && p["state"] != state ||
			query.Get("head") != "" && head["label"] != query.Get("head") || query.Get("base") != "" && base["ref"] != query.Get("base") {
			continue
		}
		list = append(list, short(s, p))
	}
	if query.Get("direction") == "desc" {
		slices.Reverse(list)
	}
	return ok(list)
}

// addPull puts a pull request into the repository.
func (s *stub) addPull(head, base string) object {
	p := s.d.example(s.t, "GET "+repo+"/pulls/{pull_number}", 200).(object)
	n := len(s.state.pulls) + 1
	p["number"], p["state"], p["merged"], p["merged_at"], p["draft"] = n, "open", false, nil, false
	p["title"], p["body"], p["user"] = "Amazing new feature", nil, s.state.author
	p["requested_teams"] = []any{} // the example's is not as its schema wants it
	p["html_url"] = "https://github.com/" + path.Join(owner, name, "pull", strconv.Itoa(n))
	p["head"].(object)["ref"], p["head"].(object)["label"] = head, owner+":"+head
	p["head"].(object)["sha"] = strings.Repeat(strconv.Itoa(n%10), 40)
	p["base"].(object)["ref"] = base
	p["base"].(object)["repo"] = p["head"].(object)["repo"]
	s.state.pulls = append(s.state.pulls, p)
	return p
}

func (s *stub) createPull(_ map[string]string, _ url.Values, in object) *answer {
	head, _ := in["head"].(string)
	base, _ := in["base"].(string)
	if s.state.branches[head] == nil || s.state.branches[base] == nil {
		return invalid(object{"resource": "PullRequest", "field": "head", "code": "invalid"})
	}
	for _, p := range s.state.pulls {
		if p["state"] == "open" && p["head"].(object)["ref"] == head && p["base"].(object)["ref"] == base {
			return invalid(object{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for " + owner + ":" + head + "."})
		}
	}
	p := s.addPull(head, base)
	p["title"], p["body"] = in["title"], in["body"]
	return &answer{status: http.StatusCreated, body: p}
}

func invalid(errors ...any) *answer {
	a := refusal(http.StatusUnprocessableEntity, "Validation Failed")
	a.body.(object)["errors"] = errors
	return a
}

func (s *stub) getPull(at map[string]string, _ url.Values, _ object) *answer {
	if p := number(s.state.pulls, "number", at["pull_number"]); p != nil {
		return ok(p)
	}
	return notFound()
}

func (s *stub) editPull(at map[string]string, _ url.Values, in object) *answer {
	p := number(s.state.pulls, "number", at["pull_number"])
	if p == nil {
		return refusal(http.StatusForbidden, "Forbidden")
	}
	maps.Copy(p, in)
	return ok(p)
}

// addComment puts a comment on the pull request.
func (s *stub) addComment(user object, body string) object {
	c := s.d.example(s.t, "GET "+repo+"/issues/{issue_number}/comments", 200).([]any)[0].(object)
	c["id"], c["user"], c["body"] = len(s.state.comments)+1, user, body
	s.state.comments = append(s.state.comments, c)
	return c
}

func (s *stub) createComment(_ map[string]string, _ url.Values, in object) *answer {
	return &answer{status: http.StatusCreated, body: s.addComment(s.state.author, in["body"].(string))}
}

func (s *stub) editComment(at map[string]string, _ url.Values, in object) *answer {
	c := number(s.state.comments, "id", at["comment_id"])
	if c == nil {
		return notFound()
	}
	// Whoever may write may edit what people wrote; to an app, another app's is closed.
	if user := c["user"].(object); s.state.user == nil && user["type"] == "Bot" && user["login"] != s.state.author["login"] {
		return refusal(http.StatusForbidden, "Resource not accessible by integration")
	}
	c["body"] = in["body"]
	return ok(c)
}

func (s *stub) createStatus(_ map[string]string, _ url.Values, in object) *answer {
	o := s.d.example(s.t, "POST "+repo+"/statuses/{sha}", 201).(object)
	if text, _ := in["description"].(string); len([]rune(text)) > 140 {
		return invalid(object{"resource": "Status", "code": "custom", "message": "description is too long (maximum is 140 characters)"})
	}
	maps.Copy(o, in)
	s.state.statuses = append(s.state.statuses, o)
	return &answer{status: http.StatusCreated, body: o}
}

// addCheck reports a check of an app on a commit.
func (s *stub) addCheck(sha, check string, app int) {
	o := s.d.example(s.t, "GET "+repo+"/commits/{ref}/check-runs", 200).(object)["check_runs"].([]any)[0].(object)
	o["name"], o["head_sha"] = check, sha
	o["app"].(object)["id"], o["app"].(object)["name"] = app, "GitHub Actions"
	s.state.checks[sha] = append(s.state.checks[sha], o)
}

func (s *stub) listChecks(at map[string]string, query url.Values, _ object) *answer {
	list := []object{}
	for _, c := range s.state.checks[at["ref"]] {
		if c["name"] == query.Get("check_name") {
			list = append(list, c)
		}
	}
	return ok(object{"total_count": len(list), "check_runs": list})
}

func (s *stub) getBranch(at map[string]string, _ url.Values, _ object) *answer {
	b := s.state.branches[at["branch"]]
	if b == nil {
		return refusal(http.StatusNotFound, "Branch not found")
	}
	shown := object{"enabled": s.state.classic != nil, "required_status_checks": object{"enforcement_level": "off", "contexts": []any{}, "checks": []any{}}}
	if checks, is := s.state.classic["required_status_checks"].(object); is {
		shown["required_status_checks"] = object{"enforcement_level": "everyone", "contexts": checks["contexts"], "checks": checks["checks"]}
	}
	b["protection"], b["protected"] = shown, s.state.classic != nil
	return ok(b)
}
