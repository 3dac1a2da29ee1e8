package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// noStore keeps tokens out of caches (RFC 6749 §5.1).
func noStore() http.Header { return http.Header{"Cache-Control": {"no-store"}, "Pragma": {"no-cache"}} }

// postToken exchanges a client secret, or an assertion, for a token. Its errors are OAuth's, not ARM's.
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
		return s.refusedLogin(r, form, refused), nil
	}
	if err != nil {
		return reply{}, err
	}
	seconds := int(time.Until(token.ExpiresAt).Seconds())
	return reply{http.StatusOK, map[string]any{
		"token_type": "Bearer", "access_token": token.Value, "expires_in": seconds, "ext_expires_in": seconds,
	}, noStore()}, nil
}

// refusedLogin has the fields that Microsoft's authentication libraries show, and tells the log what
// the caller is not told.
func (s *Server) refusedLogin(r *request, form url.Values, refused *identity.GrantError) reply {
	status := http.StatusBadRequest
	switch refused.Code {
	case identity.InvalidClient:
		status = http.StatusUnauthorized
	case identity.TemporarilyUnavailable:
		status = http.StatusServiceUnavailable
	}
	numbers, description := []int{}, refused.Description
	if refused.Number != 0 {
		numbers = append(numbers, refused.Number)
		description = fmt.Sprintf("AADSTS%d: %s", refused.Number, description)
	}
	s.Log.InfoContext(r.Context(), "login refused", "request", r.id, "remote", r.RemoteAddr, "client_id", cut(form.Get("client_id")),
		"code", string(refused.Code), "description", cut(description), "reason", cut(refused.Reason))
	return reply{status, map[string]any{
		"error": string(refused.Code), "error_description": description, "error_codes": numbers,
		"timestamp": arm.Time(time.Now()), "trace_id": r.id, "correlation_id": r.id,
	}, noStore()}
}

// cut keeps what a stranger sent from filling the log.
func cut(text string) string {
	const most = 1000
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
