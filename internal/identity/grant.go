package identity

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"hotswap/internal/online"
)

// A GrantCode is an error code of OAuth's token endpoint (RFC 6749 §5.2).
type GrantCode string

// The codes. InvalidClient is answered with 401, the others with 400.
const (
	InvalidClient        GrantCode = "invalid_client"
	InvalidScope         GrantCode = "invalid_scope"
	UnsupportedGrantType GrantCode = "unsupported_grant_type"
)

// GrantError is a login that is refused, in OAuth's words.
type GrantError struct {
	Code        GrantCode
	Description string
}

func (e *GrantError) Error() string { return string(e.Code) + ": " + e.Description }

const wrongClient = "the tenant, the client id or the client secret is wrong; check the credential"

// Grant answers the form of a client-credentials request to a tenant's token endpoint. A refused
// login is a *GrantError, which is the same whether the tenant, the client or the secret is wrong.
func (a *Authority) Grant(ctx context.Context, tenant string, form url.Values) (Token, error) {
	if g := form.Get("grant_type"); g != "client_credentials" {
		return Token{}, &GrantError{UnsupportedGrantType, fmt.Sprintf("grant_type is %q, want client_credentials", g)}
	}
	principal, err := a.authenticate(ctx, tenant, form.Get("client_id"), form.Get("client_secret"))
	if err != nil {
		return Token{}, err
	}
	audience, err := a.audience(form.Get("scope"))
	if err != nil {
		return Token{}, err
	}
	return a.Issue(Claims{principal, audience})
}

func (a *Authority) authenticate(ctx context.Context, tenant, clientID, secret string) (Principal, error) {
	principal, hash, err := a.options.Principals.Principal(ctx, strings.ToLower(clientID))
	if err != nil && online.CodeOf(err) != online.NotFound {
		return Principal{}, online.Errorf(online.CodeOf(err), "look up the client: %w", err)
	}
	// Compared even where there is no such client, so that the time tells nothing.
	right := CheckSecret(hash, secret)
	if err != nil || !right || !strings.EqualFold(tenant, principal.TenantID) {
		return Principal{}, &GrantError{InvalidClient, wrongClient}
	}
	return principal, nil
}

// audience finds the resource in a scope, like "https://localhost:8443/.default openid profile".
// The other words are OpenID's; Microsoft's clients send them though no user is there.
func (a *Authority) audience(scope string) (string, error) {
	var found []string
	for word := range strings.FieldsSeq(scope) {
		switch resource, ok := strings.CutSuffix(word, "/.default"); {
		case ok:
			found = append(found, strings.TrimSuffix(resource, "/"))
		case word != "openid" && word != "offline_access" && word != "profile" && word != "email":
			return "", &GrantError{InvalidScope, fmt.Sprintf("scope %q: want a resource followed by /.default", word)}
		}
	}
	if len(found) != 1 {
		return "", &GrantError{InvalidScope, fmt.Sprintf("the scope names %d resources, want one followed by /.default", len(found))}
	}
	for _, known := range a.options.Audiences {
		if strings.TrimSuffix(known, "/") == found[0] {
			return known, nil
		}
	}
	return "", &GrantError{InvalidScope, fmt.Sprintf("scope: no resource %q here, want one of %s", found[0], strings.Join(a.options.Audiences, ", "))}
}
