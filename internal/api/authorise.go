package api

import (
	"fmt"
	"net/http"
	"strings"

	"hotswap/internal/online"
)

// authorise checks the token and that the path lies in the one workspace there is.
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
	if a == loggedIn {
		return nil
	}
	return s.inScope(r)
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
