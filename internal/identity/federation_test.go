package identity_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

const (
	exchange = "api://AzureADTokenExchange"
	byName   = "repo:octo/taxi:environment:production"
	byID     = "repo:octo@11/taxi@22:environment:production"
)

// spent notes what is used, in memory.
type spent struct {
	mu   sync.Mutex
	used map[string]time.Time
	err  error
}

func (s *spent) Spend(_ context.Context, key string, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[string]time.Time{}
	}
	_, used := s.used[key]
	s.used[key] = until
	return !used, s.err
}

// trusting is an authority with one principal that trusts an issuer.
func trusting(t *testing.T, i *issuer, s *spent, change ...func(*identity.Federated)) *identity.Authority {
	t.Helper()
	f := identity.Federated{Issuer: i.URL, Audience: exchange, Subjects: []string{byName}}
	for _, c := range change {
		c(&f)
	}
	a, err := identity.NewAuthority(identity.Options{
		Dir: t.TempDir(), BaseURL: base, TenantID: tenant, Audiences: []string{base, "https://ml.azure.com"},
		Principals: fakePrincipals{federated: []identity.Federated{f}}, Assertions: s, Issuers: i.Client().Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func login(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "scope": {base + "/.default openid profile"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
}

// refusal is what a login was refused with; "" where it was not.
func refusal(t *testing.T, a *identity.Authority, form url.Values) identity.GrantError {
	t.Helper()
	token, err := a.Grant(t.Context(), tenant, form)
	if refused, ok := errors.AsType[*identity.GrantError](err); ok {
		return *refused
	}
	if err != nil {
		t.Fatal(err)
	}
	claims, err := a.Verify(token.Value, base)
	if err != nil || claims.ClientID != client {
		t.Fatalf("the token is of %q: %v", claims.ClientID, err)
	}
	return identity.GrantError{}
}

func immutable(f *identity.Federated) {
	f.Subjects = []string{byName, byID}
	f.Claims = map[string]string{"repository_id": "22", "repository_owner_id": "11"}
}

func TestFederation(t *testing.T) {
	tests := map[string]struct {
		trust  func(*identity.Federated)
		say    map[string]any // in place of what GitHub would
		form   url.Values     // in place of what azidentity sends
		code   identity.GrantCode
		number int
		text   string // in the answer
	}{
		"good":                    {},
		"within the leeway":       {say: map[string]any{"exp": time.Now().Add(-20 * time.Second).Unix()}},
		"audience in a list":      {say: map[string]any{"aud": []string{exchange}}},
		"by id":                   {trust: immutable, say: map[string]any{"sub": byID}},
		"by name, with ids":       {trust: immutable},
		"no ids to compare":       {trust: immutable, say: map[string]any{"repository_id": nil}, code: identity.InvalidClient, number: 700213, text: "without claim repository_id"},
		"subject spelt otherwise": {say: map[string]any{"sub": "repo:evil/taxi:environment:production", "\u017fub": byName}, code: identity.InvalidClient, number: 700213, text: "evil"},
		"ids as numbers":          {trust: immutable, say: map[string]any{"repository_id": 22, "repository_owner_id": 11}},
		"expired":                 {say: map[string]any{"exp": time.Now().Add(-2 * time.Minute).Unix()}, code: identity.InvalidClient, number: 700024, text: "valid time range"},
		"no expiry":               {say: map[string]any{"exp": nil}, code: identity.InvalidClient, number: 700024, text: "expires none"},
		"no time of issue":        {say: map[string]any{"iat": nil}, code: identity.InvalidClient, number: 700024, text: "issued none"},
		"not yet":                 {say: map[string]any{"nbf": time.Now().Add(2 * time.Minute).Unix()}, code: identity.InvalidClient, number: 700024},
		"issued later":            {say: map[string]any{"iat": time.Now().Add(2 * time.Minute).Unix()}, code: identity.InvalidClient, number: 700024},
		"wrong audience":          {say: map[string]any{"aud": "https://github.com/octo"}, code: identity.InvalidClient, number: 700212, text: `audience "https://github.com/octo"`},
		"two audiences":           {say: map[string]any{"aud": []string{exchange, "sts.amazonaws.com"}}, code: identity.InvalidClient, number: 700212},
		"no audience":             {say: map[string]any{"aud": nil}, code: identity.InvalidClient, number: 700212},
		"wrong subject":           {say: map[string]any{"sub": "repo:octo/taxi:pull_request"}, code: identity.InvalidClient, number: 700213, text: `subject "repo:octo/taxi:pull_request"`},
		"another repository":      {say: map[string]any{"sub": "repo:evil/taxi:environment:production"}, code: identity.InvalidClient, number: 700213},
		"subject in another case": {say: map[string]any{"sub": "repo:Octo/taxi:environment:production"}, code: identity.InvalidClient, number: 7002138, text: "case-sensitive"},
		"subject longer":          {say: map[string]any{"sub": byName + ":x"}, code: identity.InvalidClient, number: 700213},
		"by id where not trusted": {say: map[string]any{"sub": byID}, code: identity.InvalidClient, number: 700213},
		"name taken over":         {trust: immutable, say: map[string]any{"repository_id": "23"}, code: identity.InvalidClient, number: 700213, text: `repository_id "23"`},
		"owner's name taken over": {trust: immutable, say: map[string]any{"repository_owner_id": 12}, code: identity.InvalidClient, number: 700213, text: `repository_owner_id "12"`},
		"another issuer":          {say: map[string]any{"iss": "https://evil.example"}, code: identity.InvalidClient, number: 700211, text: `issuer "https://evil.example"`},
		"issuer with a slash":     {trust: func(f *identity.Federated) { f.Issuer += "/" }, code: identity.InvalidClient, number: 700211},
		"another kind":            {form: url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, code: identity.InvalidRequest},
		"no kind":                 {form: url.Values{"client_assertion_type": nil}, code: identity.InvalidRequest},
		"no assertion":            {form: url.Values{"client_assertion": nil}, code: identity.InvalidClient, number: 50027},
		"too long":                {say: map[string]any{"x": strings.Repeat("x", 17<<10)}, code: identity.InvalidClient, number: 50027},
		"a secret as well":        {form: url.Values{"client_secret": {"x"}}, code: identity.InvalidRequest},
		"another client":          {form: url.Values{"client_id": {tenant}}, code: identity.InvalidClient, number: 700211},
		"no client":               {form: url.Values{"client_id": nil}, code: identity.InvalidClient, number: 700211},
		"unknown resource":        {form: url.Values{"scope": {"https://example.org/.default"}}, code: identity.InvalidScope},
	}
	i := newIssuer(t)
	signer := newKey(t, "one", jose.RS256)
	i.publish(signer, newKey(t, "other", jose.ES256))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.trust == nil {
				tt.trust = func(*identity.Federated) {}
			}
			a := trusting(t, i, &spent{}, tt.trust)
			claims := i.claims()
			maps.Copy(claims, tt.say)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			form := login(signer.sign(t, claims))
			maps.Copy(form, tt.form)
			got := refusal(t, a, form)
			if got.Code != tt.code || got.Number != tt.number || !strings.Contains(got.Description, tt.text) {
				t.Errorf("got %+v, want %q %d %q", got, tt.code, tt.number, tt.text)
			}
			if tt.number/100 == 7002 && !strings.Contains(got.Description, "No matching federated identity record found") {
				t.Errorf("it says %q", got.Description)
			}
		})
	}
}

// Whoever can't sign with a key of the issuer gets nothing, whatever it says of itself.
func TestFederationSignature(t *testing.T) {
	i := newIssuer(t)
	rs, es := newKey(t, "rs", jose.RS256), newKey(t, "es", jose.ES256)
	i.publish(rs, es)
	other := newKey(t, "rs", jose.RS256) // another key under the same id
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	spki, err := x509.MarshalPKIXPublicKey(rs.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	good := rs.sign(t, i.claims())
	parts := strings.Split(good, ".")
	changed := i.claims()
	changed["environment"] = "staging"
	tests := map[string]struct {
		assertion string
		code      identity.GrantCode
		number    int
	}{
		"RS256":                       {good, "", 0},
		"ES256":                       {es.sign(t, i.claims()), "", 0},
		"wrong key":                   {other.sign(t, i.claims()), identity.InvalidClient, 700027},
		"key of another kind":         {signed(t, jose.ES256, jose.JSONWebKey{Key: es.private, KeyID: "rs"}, i.claims()), identity.InvalidClient, 700027},
		"algorithm not of the key":    {signed(t, jose.PS256, jose.JSONWebKey{Key: rs.private, KeyID: "rs"}, i.claims()), identity.InvalidClient, 700027},
		"no key id, and several keys": {signed(t, jose.RS256, rs.private, i.claims()), identity.InvalidClient, 700027},
		"none":                        {encode(map[string]string{"alg": "none"}) + "." + parts[1] + ".", identity.InvalidClient, 50027},
		"public key as HMAC":          {signed(t, jose.HS256, jose.JSONWebKey{Key: public, KeyID: "rs"}, i.claims()), identity.InvalidClient, 50027},
		"signature cut":               {parts[0] + "." + parts[1] + ".", identity.InvalidClient, 700027},
		"claims changed":              {parts[0] + "." + encode(changed) + "." + parts[2], identity.InvalidClient, 700027},
		"a key that it brings along":  {withOwnKey(t, other, i.claims()), identity.InvalidClient, 700027},
		"rubbish":                     {"a.b.c", identity.InvalidClient, 50027},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := refusal(t, trusting(t, i, &spent{}), login(tt.assertion)); got.Code != tt.code || got.Number != tt.number {
				t.Errorf("got %+v, want %q %d", got, tt.code, tt.number)
			}
		})
	}
}

// withOwnKey has the key that it is signed with in its header.
func withOwnKey(t *testing.T, k key, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// az uses one assertion for several resources, and nobody has a use for two tokens of one.
func TestReplayedAssertion(t *testing.T) {
	i := newIssuer(t)
	k := newKey(t, "one", jose.ES256)
	i.publish(k)
	s := &spent{}
	a := trusting(t, i, s)
	claims := i.claims()
	form := login(k.sign(t, claims))
	scoring := maps.Clone(form)
	scoring.Set("scope", "https://ml.azure.com/.default")
	if got := refusal(t, a, form); got.Code != "" {
		t.Fatalf("the first use: %+v", got)
	}
	if _, err := a.Grant(t.Context(), tenant, scoring); err != nil {
		t.Errorf("another resource: %v", err)
	}
	for name, again := range map[string]url.Values{"same": form, "another resource": scoring, "signed again": login(k.sign(t, claims))} {
		if got := refusal(t, a, again); got.Code != identity.InvalidClient || !strings.Contains(got.Description, "already exchanged") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	delete(claims, "jti")
	form = login(k.sign(t, claims))
	if got := refusal(t, a, form); got.Code != "" {
		t.Errorf("without a jti: %+v", got)
	}
	// The last letter of this signature has bits that no byte is made of.
	rewritten := form.Get("client_assertion")
	last := rewritten[len(rewritten)-1]
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	other := rewritten[:len(rewritten)-1] + string(letters[strings.IndexByte(letters, last)^1])
	for name, again := range map[string]string{"same": rewritten, "written otherwise": other} {
		if got := refusal(t, a, login(again)); got.Code != identity.InvalidClient || !strings.Contains(got.Description, "already exchanged") {
			t.Errorf("without a jti, %s: %+v", name, got)
		}
	}
	claims["exp"] = time.Now().Add(4 * time.Minute).Unix()
	if got := refusal(t, a, login(k.sign(t, claims))); got.Code != "" {
		t.Errorf("another one without a jti: %+v", got)
	}
	for _, until := range s.used {
		if left := time.Until(until); left < 4*time.Minute+30*time.Second || left > 7*time.Minute {
			t.Errorf("remembered for %v, want until it has expired by every clock", left)
		}
	}
}

// An assertion that gets no token can be used yet, and one whose use can't be noted gets none.
func TestSpendingAnAssertion(t *testing.T) {
	i := newIssuer(t)
	k := newKey(t, "one", jose.ES256)
	i.publish(k)
	s := &spent{}
	a := trusting(t, i, s)
	wrong := login(newKey(t, "one", jose.ES256).sign(t, i.claims()))
	if got := refusal(t, a, wrong); got.Code != identity.InvalidClient || len(s.used) != 0 {
		t.Errorf("an assertion that was refused is spent: %+v", got)
	}
	s.err = errors.New("disk I/O error")
	_, err := a.Grant(t.Context(), tenant, login(k.sign(t, i.claims())))
	if _, refused := errors.AsType[*identity.GrantError](err); err == nil || refused || online.CodeOf(err) != online.Internal {
		t.Errorf("while the store fails: %v, want an internal error", err)
	}
}
