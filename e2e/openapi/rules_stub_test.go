package openapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
)

const upgrade = "Upgrade to GitHub Pro or make this repository public to enable this feature."

// addRuleset puts a ruleset into the repository.
func (s *stub) addRuleset(name string, rules ...any) object {
	r := s.d.example(s.t, "GET "+repo+"/rulesets/{ruleset_id}", 200).(object)
	r["id"], r["name"], r["rules"], r["bypass_actors"] = 40+len(s.state.rulesets), name, rules, []any{}
	r["conditions"] = object{"ref_name": object{"include": []any{"refs/heads/main"}, "exclude": []any{}}}
	s.state.rulesets = append(s.state.rulesets, r)
	return r
}

// listRules adds up the active rulesets that name the branch.
func (s *stub) listRules(at map[string]string, _ url.Values, _ object) *answer {
	if s.state.noRulesets {
		return refusal(http.StatusForbidden, upgrade)
	}
	list := []object{}
	for _, set := range s.state.rulesets {
		ref := set["conditions"].(object)["ref_name"].(object)
		full := any("refs/heads/" + at["branch"])
		if set["enforcement"] != "active" || !slices.Contains(ref["include"].([]any), full) || slices.Contains(ref["exclude"].([]any), full) {
			continue
		}
		for _, rule := range set["rules"].([]any) {
			effective := object{"ruleset_source_type": "Repository", "ruleset_source": owner + "/" + name, "ruleset_id": set["id"]}
			maps.Copy(effective, rule.(object))
			list = append(list, effective)
		}
	}
	return ok(list)
}

func (s *stub) listRulesets(map[string]string, url.Values, object) *answer {
	if s.state.noRulesets {
		return refusal(http.StatusForbidden, upgrade)
	}
	list := []object{}
	for _, set := range s.state.rulesets {
		short := object{}
		for key, value := range set {
			if key != "rules" && key != "conditions" && key != "bypass_actors" {
				short[key] = value
			}
		}
		list = append(list, short)
	}
	return ok(list)
}

func (s *stub) getRuleset(at map[string]string, _ url.Values, _ object) *answer {
	if set := number(s.state.rulesets, "id", at["ruleset_id"]); set != nil {
		return ok(set)
	}
	return notFound()
}

func (s *stub) createRuleset(_ map[string]string, _ url.Values, in object) *answer {
	for _, set := range s.state.rulesets {
		if set["name"] == in["name"] {
			return refusal(http.StatusUnprocessableEntity, "Name must be unique")
		}
	}
	set := s.addRuleset(in["name"].(string))
	maps.Copy(set, in)
	return &answer{status: http.StatusCreated, body: set}
}

func (s *stub) editRuleset(at map[string]string, _ url.Values, in object) *answer {
	set := number(s.state.rulesets, "id", at["ruleset_id"])
	if set == nil {
		return notFound()
	}
	if in["bypass_actors"] == nil { // what a PUT leaves out may be gone
		set["bypass_actors"] = []any{}
	}
	maps.Copy(set, in)
	return ok(set)
}

func (s *stub) getProtection(map[string]string, url.Values, object) *answer {
	switch {
	case s.state.mayNotReadAdministered:
		return refusal(http.StatusForbidden, "Resource not accessible by personal access token")
	case s.state.classic == nil:
		return refusal(http.StatusNotFound, "Branch not protected")
	}
	return ok(s.state.classic)
}

// setProtection keeps what a PUT says in the form in which a GET shows it. What it leaves out is
// taken away, as GitHub does.
func (s *stub) setProtection(_ map[string]string, _ url.Values, in object) *answer {
	at := "https://api.github.com/repos/" + owner + "/" + name + "/branches/main/protection"
	kept := object{"url": at}
	for _, key := range []string{
		"enforce_admins", "required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations",
		"required_conversation_resolution", "lock_branch", "allow_fork_syncing",
	} {
		on, _ := in[key].(bool)
		kept[key] = object{"enabled": on}
		if key == "enforce_admins" {
			kept[key].(object)["url"] = at + "/enforce_admins"
		}
	}
	if checks, is := in["required_status_checks"].(object); is {
		kept["required_status_checks"] = keptChecks(checks, at+"/required_status_checks")
	}
	if reviews, is := in["required_pull_request_reviews"].(object); is {
		k := object{"url": at + "/required_pull_request_reviews", "dismiss_stale_reviews": false, "require_code_owner_reviews": false}
		for key, value := range reviews {
			k[key] = value
			if who, is := value.(object); is {
				k[key] = s.actors(who, at+"/"+key)
			}
		}
		kept["required_pull_request_reviews"] = k
	}
	if who, is := in["restrictions"].(object); is {
		kept["restrictions"] = s.actors(who, at+"/restrictions")
	}
	s.state.classic = kept
	return ok(kept)
}

func keptChecks(in object, at string) object {
	contexts, checks := []any{}, []any{}
	for _, c := range in["checks"].([]any) {
		check := c.(object)
		contexts = append(contexts, check["context"])
		app := check["app_id"]
		if app == float64(-1) {
			app = nil
		}
		checks = append(checks, object{"context": check["context"], "app_id": app})
	}
	return object{"url": at, "contexts_url": at + "/contexts", "strict": in["strict"], "contexts": contexts, "checks": checks}
}

// actors are users, teams and apps in the long form, out of their names.
func (s *stub) actors(in object, at string) object {
	example := s.d.example(s.t, "GET "+repo+"/branches/{branch}/protection", 200).(object)["restrictions"].(object)
	out := object{"url": at, "users_url": at + "/users", "teams_url": at + "/teams", "apps_url": at + "/apps"}
	for kind, key := range map[string]string{"users": "login", "teams": "slug", "apps": "slug"} {
		list := []any{}
		names, _ := in[kind].([]any)
		for _, n := range names {
			one := maps.Clone(example[kind].([]any)[0].(object))
			one[key] = n
			switch kind { // the examples are not as their schemas want them
			case "teams":
				one["type"] = "organization"
			case "apps":
				one["owner"] = person("github", 1, "Organization")
			}
			list = append(list, one)
		}
		out[kind] = list
	}
	return out
}
