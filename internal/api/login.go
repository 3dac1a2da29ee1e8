package api

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// noStore keeps tokens out of caches (RFC 6749 §5.1).
func noStore() http.Header { return http.Header{"Cache-Control": {"no-store"}, "Pragma": {"no-cache"}} }

// postToken exchanges a client secret for a token. Its errors are OAuth's, not ARM's.
func (s *Server) postToken(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return reply{}, online.Errorf(online.Invalid, "read the login: the body is not a form: %w", err)
	}
	token, err := s.Authority.Grant(r.Context(), r.PathValue("tenant"), form)
	if refused, ok := errors.AsType[*identity.GrantError](err); ok {
		return s.refusedLogin(r, refused), nil
	}
	if err != nil {
		return reply{}, err
	}
	seconds := int(time.Until(token.ExpiresAt).Seconds())
	return reply{http.StatusOK, map[string]any{
		"token_type": "Bearer", "access_token": token.Value, "expires_in": seconds, "ext_expires_in": seconds,
	}, noStore()}, nil
}

// refusedLogin has the fields that Microsoft's authentication libraries show.
func (s *Server) refusedLogin(r *request, refused *identity.GrantError) reply {
	status := http.StatusBadRequest
	if refused.Code == identity.InvalidClient {
		status = http.StatusUnauthorized
	}
	s.Log.InfoContext(r.Context(), "login refused", "request", r.id, "remote", r.RemoteAddr, "code", string(refused.Code))
	return reply{status, map[string]any{
		"error": string(refused.Code), "error_description": refused.Description, "error_codes": []int{},
		"timestamp": arm.Time(time.Now()), "trace_id": r.id, "correlation_id": r.id,
	}, noStore()}
}
