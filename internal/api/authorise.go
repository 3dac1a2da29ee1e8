package api

import (
	"fmt"
	"net/http"
	"strings"

	"hotswap/internal/online"
)

// authorise checks the token, that the path lies in the one workspace there is, and that the caller
// has the role that the route asks for.
func (s *Server) authorise(a access, r *request) (err error) {
	if a == anyone {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return s.unauthenticated(online.Errorf(online.Unauthenticated, "the request has no bearer token in its Authorization header"))
	}
	if r.caller, err = s.Authority.Verify(strings.TrimSpace(token), s.BaseURL); err != nil {
		return s.unauthenticated(err)
	}
	if err := s.inScope(r); err != nil {
		return err
	}
	return s.require(r, a, r.name("endpoint"))
}

// unauthenticated says where to get a token (RFC 6750 §3).
func (s *Server) unauthenticated(err error) error {
	challenge := fmt.Sprintf(`Bearer authorization_uri="%s/%s", error="invalid_token", error_description="the access token is missing or invalid"`, s.BaseURL, s.Workspace.Tenant)
	return &failure{
		error: err, status: http.StatusUnauthorized, code: "AuthenticationFailed",
		header: http.Header{"Www-Authenticate": {challenge}},
	}
}

// inScope compares as ARM does: without regard to case, and outermost first.
func (s *Server) inScope(r *request) error {
	for _, scope := range []struct{ key, want, code, text string }{
		{"subscription", s.Workspace.Subscription, "SubscriptionNotFound", "the subscription %q could not be found"},
		{"group", s.Workspace.ResourceGroup, "ResourceGroupNotFound", "resource group %q could not be found"},
		{"workspace", s.Workspace.Workspace, "ResourceNotFound", "workspace %q was not found"},
	} {
		if got := r.PathValue(scope.key); got != "" && !strings.EqualFold(got, scope.want) {
			return &failure{error: online.Errorf(online.NotFound, scope.text, got), status: http.StatusNotFound, code: scope.code}
		}
	}
	return nil
}

// require refuses a caller that has not the role which a rule asks for, in Azure's words and with
// what is missing: the header tells a client that it needn't name Azure's role for it.
func (s *Server) require(r *request, a access, endpoint string) error {
	if a.allows(r.caller.Principal, endpoint) {
		return nil
	}
	need := needs[a]
	return &failure{
		error: online.Errorf(online.Forbidden, "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' "+
			"or the scope is invalid. If access was recently granted, please refresh your credentials. It takes the role %s %s.",
			r.caller.ClientID, r.caller.ObjectID, action(r.route), resource(r.route, r.PathValue), need.role, need.where),
		status: http.StatusForbidden, code: answers[online.Forbidden].code, header: http.Header{"X-Hotswap-Role": {string(need.role)}},
	}
}

// action is the name under which Azure's roles know what a route does: the words of its resource's
// type below the provider, and read, write, delete, or the word of a POST and action
// (learn.microsoft.com/azure/role-based-access-control/role-definitions).
func action(pattern string) string {
	method, path, _ := strings.Cut(pattern, " ")
	name := "Microsoft.Resources" // of paths above providers
	if at := strings.LastIndex(path, "/providers/"); at >= 0 {
		name, path, _ = strings.Cut(path[at+len("/providers/"):], "/")
	}
	for word := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if !strings.HasPrefix(word, "{") {
			name += "/" + word
		}
	}
	return name + "/" + map[string]string{http.MethodGet: "read", http.MethodPut: "write", http.MethodPatch: "write", http.MethodDelete: "delete", http.MethodPost: "action"}[method]
}

// resource is the id of what a route is about: of a list what it lies in, of a POST what it is done to.
func resource(pattern string, value func(string) string) string {
	method, path, _ := strings.Cut(pattern, " ")
	words := strings.Split(strings.Trim(path, "/"), "/")
	if method == http.MethodPost {
		words = words[:len(words)-1]
	}
	provider := 0 // where the words of the last provider's types begin
	for n, word := range words {
		if word == "providers" {
			provider = n
		}
	}
	if types := len(words) - provider; provider > 0 && types%2 == 1 { // a type without a name
		words = words[:len(words)-1]
		if types == 3 { // of a provider below another resource
			words = words[:provider]
		}
	}
	for n, word := range words {
		if name, ok := strings.CutPrefix(word, "{"); ok {
			words[n] = value(strings.TrimSuffix(name, "}"))
		}
	}
	return "/" + strings.Join(words, "/")
}
