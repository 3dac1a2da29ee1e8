package api

import (
	"net/http"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

func (s *Server) listKeys(r *request) (reply, error) {
	primary, secondary, err := s.Control.Keys(r.Context(), r.name("endpoint"))
	return reply{http.StatusOK, arm.Keys{Primary: primary, Secondary: secondary}, noStore()}, err
}

func (s *Server) regenerateKeys(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	which, value, err := arm.DecodeRegenerate(body)
	if err != nil {
		return reply{}, err
	}
	op, err := s.Control.RegenerateKey(r.Context(), r.name("endpoint"), which, value)
	if err != nil {
		return reply{}, err
	}
	return s.accepted(r, op)
}

// endpointToken gives a token for scoring to who may manage the endpoint.
func (s *Server) endpointToken(r *request) (reply, error) {
	e, err := s.Control.Endpoint(r.Context(), r.name("endpoint"))
	if err != nil {
		return reply{}, err
	}
	if e.AuthMode != online.AMLTokenAuth {
		return reply{}, online.Errorf(online.Invalid, "endpoint %q authenticates by %s, want %s for tokens of its own", e.Name, e.AuthMode, online.AMLTokenAuth)
	}
	token, err := s.Authority.Issue(identity.Claims{Principal: r.caller.Principal, Audience: e.ScoringURI})
	if err != nil {
		return reply{}, err
	}
	left := time.Until(token.ExpiresAt)
	return reply{http.StatusOK, arm.Token{
		AccessToken: token.Value, TokenType: "Bearer",
		Expiry: token.ExpiresAt.Unix(), RefreshAfter: token.ExpiresAt.Add(-left / 2).Unix(),
	}, noStore()}, nil
}
