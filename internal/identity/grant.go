package identity

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// A GrantCode is an error code of OAuth's token endpoint (RFC 6749 §5.2).
type GrantCode string

// The codes. InvalidClient is answered with 401, TemporarilyUnavailable, which is Entra's, with 503,
// the others with 400.
const (
	InvalidRequest         GrantCode = "invalid_request"
	InvalidClient          GrantCode = "invalid_client"
	InvalidScope           GrantCode = "invalid_scope"
	UnsupportedGrantType   GrantCode = "unsupported_grant_type"
	TemporarilyUnavailable GrantCode = "temporarily_unavailable"
)

// GrantError is a login that is refused, in OAuth's words.
type GrantError struct {
	Code        GrantCode
	Description string // for the caller
	Reason      string // for the server's log; "" where there is nothing to add
	Number      int    // Entra's, of AADSTSnumber; 0 where Entra has none for it
}

func (e *GrantError) Error() string { return string(e.Code) + ": " + e.Description }

const wrongClient = "the tenant, the client id or the client secret is wrong; check the credential"

// Grant answers the form of a client-credentials request to a tenant's token endpoint, with a secret
// or with an assertion of another issuer. A refused login is a *GrantError, which is the same whether
// the tenant, the client or the secret is wrong.
func (a *Authority) Grant(ctx context.Context, tenant string, form url.Values) (Token, error) {
	if g := form.Get("grant_type"); g != "client_credentials" {
		return Token{}, &GrantError{Code: UnsupportedGrantType, Description: fmt.Sprintf("grant_type is %q, want client_credentials", g)}
	}
	if !form.Has("client_assertion") && !form.Has("client_assertion_type") {
		principal, err := a.bySecret(tenant, form.Get("client_id"), form.Get("client_secret"))
		if err != nil {
			return Token{}, err
		}
		audience, err := a.audience(form.Get("scope"))
		if err != nil {
			return Token{}, err
		}
		return a.Issue(Claims{principal, audience})
	}
	if form.Has("client_secret") {
		return Token{}, &GrantError{Code: InvalidRequest, Description: "the request has both a client_secret and a client_assertion, want one of them"}
	}
	if !strings.EqualFold(tenant, a.options.TenantID) {
		return Token{}, &GrantError{Code: InvalidClient, Description: "there is no such tenant here; check the tenant id", Number: 90002}
	}
	audience, err := a.audience(form.Get("scope")) // first: an assertion is not spent on a scope that there isn't
	if err != nil {
		return Token{}, err
	}
	principal, err := a.byAssertion(ctx, form, audience)
	if err != nil {
		return Token{}, err
	}
	return a.Issue(Claims{principal, audience})
}

func (a *Authority) bySecret(tenant, clientID, secret string) (Principal, error) {
	record, found := a.options.Principals.Find(strings.ToLower(clientID))
	// Compared even where there is no such client, so that the time tells nothing.
	right := CheckSecret(record.Secret, secret)
	if !found || !right || !strings.EqualFold(tenant, record.TenantID) {
		return Principal{}, &GrantError{Code: InvalidClient, Description: wrongClient}
	}
	return record.Principal, nil
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
			return "", &GrantError{Code: InvalidScope, Description: fmt.Sprintf("scope %q: want a resource followed by /.default", word)}
		}
	}
	if len(found) != 1 {
		return "", &GrantError{Code: InvalidScope, Description: fmt.Sprintf("the scope names %d resources, want one followed by /.default", len(found))}
	}
	for _, known := range a.options.Audiences {
		if strings.TrimSuffix(known, "/") == found[0] {
			return known, nil
		}
	}
	return "", &GrantError{Code: InvalidScope, Description: fmt.Sprintf("scope: no resource %q here, want one of %s", found[0], strings.Join(a.options.Audiences, ", "))}
}
