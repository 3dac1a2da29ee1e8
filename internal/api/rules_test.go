package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/api"
	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// The least role that opens each route, with the role on the workspace, on the endpoint of the call,
// and on another endpoint; - where none does. W is the path of the workspace, E that of an endpoint.
const rules = `
GET /metadata/endpoints                        nobody   nobody   nobody
GET /{tenant}/v2.0/.well-known/openid-configuration nobody nobody nobody
GET /{tenant}/discovery/v2.0/keys              nobody   nobody   nobody
POST /{tenant}/oauth2/v2.0/token               nobody   nobody   nobody
GET /tenants                                   nobody   nobody   nobody
GET /subscriptions                             nobody   nobody   nobody
GET W/providers/Microsoft.Authorization/permissions nobody nobody nobody
GET E/providers/Microsoft.Authorization/permissions nobody nobody nobody

GET /subscriptions/{subscription}              reader   reader   reader
GET /subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/workspaces reader reader reader
GET /subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces reader reader reader
GET W                                          reader   reader   reader
GET L/mfeOperationsStatus/{operation}          reader   reader   -
GET L/mfeOperationResults/{operation}          reader   reader   -

GET W/onlineEndpoints                          reader   -        -
GET E                                          reader   reader   -
PUT E                                          deployer deployer -
PATCH E                                        deployer deployer -
DELETE E                                       deployer deployer -
POST E/listKeys                                scorer   scorer   -
POST E/regenerateKeys                          deployer deployer -
POST E/token                                   scorer   scorer   -
GET E/providers/Microsoft.Insights/metrics     reader   reader   -
GET E/providers/Microsoft.Insights/metricDefinitions reader reader -
GET E/deployments                              reader   reader   -
GET E/deployments/{deployment}                 reader   reader   -
PUT E/deployments/{deployment}                 deployer deployer -
PATCH E/deployments/{deployment}               deployer deployer -
DELETE E/deployments/{deployment}              deployer deployer -
POST E/deployments/{deployment}/getLogs        reader   reader   -
GET E/deployments/{deployment}/skus            reader   reader   -

GET W/models                                   reader   deployer deployer
GET W/models/{name}                            reader   deployer deployer
PUT W/models/{name}                            deployer -        -
DELETE W/models/{name}                         deployer -        -
GET W/models/{name}/versions                   reader   deployer deployer
GET W/models/{name}/versions/{version}         reader   deployer deployer
PUT W/models/{name}/versions/{version}         deployer deployer deployer
DELETE W/models/{name}/versions/{version}      deployer -        -
GET W/codes                                    reader   deployer deployer
GET W/codes/{name}                             reader   deployer deployer
PUT W/codes/{name}                             deployer -        -
DELETE W/codes/{name}                          deployer -        -
GET W/codes/{name}/versions                    reader   deployer deployer
GET W/codes/{name}/versions/{version}          reader   deployer deployer
PUT W/codes/{name}/versions/{version}          deployer deployer deployer
DELETE W/codes/{name}/versions/{version}       deployer -        -
POST W/codes/{name}/versions/{version}/startPendingUpload deployer deployer deployer
GET W/environments                             reader   deployer deployer
GET W/environments/{name}                      reader   deployer deployer
PUT W/environments/{name}                      deployer -        -
DELETE W/environments/{name}                   deployer -        -
GET W/environments/{name}/versions             reader   deployer deployer
GET W/environments/{name}/versions/{version}   reader   deployer deployer
PUT W/environments/{name}/versions/{version}   deployer deployer deployer
DELETE W/environments/{name}/versions/{version} deployer -       -

GET W/datastores                               reader   deployer deployer
GET W/datastores/{datastore}                   reader   deployer deployer
PUT W/datastores/{datastore}                   owner    -        -
DELETE W/datastores/{datastore}                owner    -        -
POST W/datastores/{datastore}/listSecrets      deployer deployer deployer

GET W/providers/Hotswap/principals             owner    -        -
PUT W/providers/Hotswap/principals/{principal} owner    -        -
DELETE W/providers/Hotswap/principals/{principal} owner  -       -
POST W/providers/Hotswap/principals/{principal}/federate owner - -
`

const (
	workspacePattern = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
	locationPattern  = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
)

// ruleTable reads rules: the roles by the route's pattern.
func ruleTable(t *testing.T) map[string][]string {
	t.Helper()
	table := map[string][]string{}
	for line := range strings.Lines(rules) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 5 {
			t.Fatalf("row %q", line)
		}
		path := words[1]
		for short, long := range map[string]string{"W": workspacePattern, "E": workspacePattern + "/onlineEndpoints/{endpoint}", "L": locationPattern} {
			if rest, ok := strings.CutPrefix(path, short); ok {
				path = long + rest
			}
		}
		table[words[0]+" "+path] = words[2:]
	}
	return table
}

// values of the words in braces of a route's pattern.
var values = map[string]string{
	"tenant": tenant, "subscription": "sub", "group": "hotswap", "workspace": "local", "location": "local", "operation": "op-1",
	"endpoint": "taxi", "deployment": "blue", "name": "n", "version": "1", "datastore": "none", "principal": "nobody",
}

func fill(pattern string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllStringFunc(pattern, func(s string) string { return values[strings.Trim(s, "{}")] })
}

// as makes the calls of somebody with a role on an endpoint, "" for the workspace.
func (s *server) as(t *testing.T, name string, roles ...identity.Assignment) *server {
	t.Helper()
	record := identity.Record{Principal: identity.Principal{ClientID: "id-of-" + name, TenantID: tenant, ObjectID: "o-" + name, Name: name, Roles: roles}}
	if err := s.registry.Add(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	caller := *s
	caller.token = s.tokenOf(t, record.Principal)
	return &caller
}

// callers are one of each role on the workspace, on the endpoint of the calls and on another.
func callers(t *testing.T, s *server) map[identity.Role][3]*server {
	t.Helper()
	all := map[identity.Role][3]*server{}
	for _, role := range append(identity.Roles, "nobody") {
		var three [3]*server
		for n, endpoint := range []string{"", "taxi", "fare"} {
			var roles []identity.Assignment
			if role != "nobody" {
				roles = append(roles, identity.Assignment{Role: role, Endpoint: endpoint})
			}
			three[n] = s.as(t, string(role)+"-"+endpoint+"-x", roles...)
		}
		all[role] = three
	}
	return all
}

func ruleServer(t *testing.T) *server {
	t.Helper()
	s := newServer(t)
	s.control.operations["op-1"] = online.Operation{ID: "op-1", Endpoint: "taxi", Deployment: "blue", Status: online.OperationSucceeded, StartedAt: when}
	return s
}

// Each route with each role, there and elsewhere.
func TestEachRouteAsksForARole(t *testing.T) {
	s := ruleServer(t)
	table := ruleTable(t)
	all := callers(t, s)
	routes, _ := api.Routes(s.Server)
	for _, route := range routes {
		least, known := table[route.Pattern]
		if !known {
			t.Errorf("%s is not in the table of rules", route.Pattern)
			continue
		}
		delete(table, route.Pattern)
		method, path, _ := strings.Cut(fill(route.Pattern), " ")
		for role, three := range all {
			for n, caller := range three {
				want := least[n] == "nobody" || role.Includes(identity.Role(least[n]))
				w := caller.call(method, path, "")
				if w.Code == http.StatusUnauthorized && method+path != "POST/"+tenant+"/oauth2/v2.0/token" {
					t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
				}
				if got := w.Code != http.StatusForbidden; got != want {
					t.Errorf("%s as %s on the %s: %d %s, want allowed = %t", route.Pattern, role, []string{"workspace", "endpoint", "other endpoint"}[n], w.Code, w.Body, want)
				}
			}
		}
	}
	for pattern := range table {
		t.Errorf("%s is in the table of rules, and no route", pattern)
	}
}

// matches reports whether a name of an action is among those of a role's, where * is any text.
func matchesAction(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return regexp.MustCompile("(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$").MatchString(action)
	})
}

// What the permissions tell is what is allowed: a client that checks them beforehand isn't surprised.
func TestPermissionsAreTrue(t *testing.T) {
	s := ruleServer(t)
	routes, open := api.Routes(s.Server)
	for role, three := range callers(t, s) {
		for n, caller := range three {
			read := func(of string) (all []arm.Permission) {
				w := caller.call("GET", of+"/providers/Microsoft.Authorization/permissions?api-version=2022-04-01", "")
				var list arm.List[arm.Permission]
				if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 || list.Value == nil {
					t.Fatalf("%d %s: %v", w.Code, w.Body, err)
				}
				return list.Value
			}
			workspace, endpoint := read(scope), read(scope+"/onlineEndpoints/taxi")
			for _, route := range routes {
				if open[route.Pattern] || strings.Contains(route.Pattern, "{operation}") { // whose endpoint no scope names
					continue
				}
				there := workspace
				if strings.Contains(route.Pattern, "{endpoint}") {
					there = endpoint
				}
				told := slices.ContainsFunc(there, func(p arm.Permission) bool {
					return matchesAction(p.Actions, route.Action) && !matchesAction(p.NotActions, route.Action)
				})
				method, path, _ := strings.Cut(fill(route.Pattern), " ")
				if allowed := caller.call(method, path, "").Code != http.StatusForbidden; allowed != told {
					t.Errorf("%s of %s (%d): %s is told as %t and allowed: %t", route.Action, role, n, route.Pattern, told, allowed)
				}
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	s := newServer(t)
	for name, tt := range map[string]struct {
		roles []identity.Assignment
		path  string
	}{
		"permissions-reader":            {[]identity.Assignment{{Role: identity.Reader}}, scope},
		"permissions-deployer":          {[]identity.Assignment{{Role: identity.Deployer}}, scope},
		"permissions-owner":             {[]identity.Assignment{{Role: identity.Owner}}, scope},
		"permissions-of-endpoint":       {[]identity.Assignment{{Role: identity.Deployer, Endpoint: "taxi"}}, scope + "/onlineEndpoints/Taxi"},
		"permissions-beside-endpoint":   {[]identity.Assignment{{Role: identity.Deployer, Endpoint: "taxi"}}, scope},
		"permissions-reader-and-scorer": {[]identity.Assignment{{Role: identity.Reader}, {Role: identity.Scorer, Endpoint: "taxi"}}, scope + "/onlineEndpoints/taxi"},
		"permissions-of-nobody":         {nil, scope},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.as(t, name, tt.roles...).call("GET", tt.path+"/providers/Microsoft.Authorization/permissions?api-version=2022-04-01", "")
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			golden(t, name, w.Body.Bytes())
		})
	}
}

// In Azure's words, with the action and the scope, for people who look them up; and with what is missing.
func TestRefusalNamesActionAndScope(t *testing.T) {
	s := newServer(t)
	reader := s.as(t, "reads", identity.Assignment{Role: identity.Reader})
	for path, want := range map[string]string{
		"PUT " + blue: "perform action 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write' over scope '" + blue + "' or",
		"POST " + strings.ToLower(scope) + "/onlineEndpoints/taxi/listkeys":      "perform action 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action' over scope '" + scope + "/onlineEndpoints/taxi' or",
		"POST " + scope + "/datastores/x/listSecrets":                            "perform action 'Microsoft.MachineLearningServices/workspaces/datastores/listSecrets/action' over scope '" + scope + "/datastores/x' or",
		"GET " + scope + "/providers/hotswap/principals":                         "perform action 'Hotswap/principals/read' over scope '" + scope + "' or",
		"DELETE " + scope + "/providers/hotswap/principals/me":                   "perform action 'Hotswap/principals/delete' over scope '" + scope + "/providers/Hotswap/principals/me' or",
		"POST " + scope + "/codes/c/versions/1/startPendingUpload?api-version=x": "perform action 'Microsoft.MachineLearningServices/workspaces/codes/versions/startPendingUpload/action' over scope '" + scope + "/codes/c/versions/1' or",
	} {
		method, path, _ := strings.Cut(path, " ")
		w := reader.call(method, path, "")
		var answer arm.Envelope
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		said := answer.Error.Message
		if w.Header().Get("x-hotswap-role") == "" {
			t.Errorf("%s: no header tells the role", path)
		}
		if w.Code != 403 || answer.Error.Code != "AuthorizationFailed" || w.Header().Get("x-ms-error-code") != "AuthorizationFailed" ||
			!strings.HasPrefix(said, "The client 'id-of-reads' with object id 'o-reads' does not have authorization to "+want) || !strings.Contains(said, "It takes the role ") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	pattern := "GET " + workspacePattern + "/onlineEndpoints/{endpoint}/providers/Microsoft.Insights/metrics"
	if got := api.Resource(pattern, func(name string) string { return values[name] }); got != scope+"/onlineEndpoints/taxi" {
		t.Errorf("the scope of metrics is %s", got)
	}
}

// A route whose rule was forgotten is closed to everybody.
func TestRouteWithoutARule(t *testing.T) {
	s := newServer(t)
	s.Server = api.Serve(s.Server, "GET /forgotten")
	if w := s.call("GET", "/forgotten", ""); w.Code != 403 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
