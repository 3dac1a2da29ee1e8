package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

const (
	base   = "https://localhost:8443"
	tenant = "11111111-2222-3333-4444-555555555555"
	client = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)

var principal = identity.Principal{
	ClientID: client, TenantID: tenant, ObjectID: "99999999-8888-7777-6666-555555555555", Name: "deployer", Roles: []identity.Assignment{{Role: identity.Deployer}},
}

// fakePrincipals has one principal; all of it is that of principal but what is set here.
type fakePrincipals struct {
	secret    string
	federated []identity.Federated
	gone      bool
}

func (f fakePrincipals) Find(clientID string) (identity.Record, bool) {
	if clientID != client || f.gone {
		return identity.Record{}, false
	}
	return identity.Record{Principal: principal, Secret: identity.HashSecret(f.secret), Federated: f.federated}, true
}

func authority(t *testing.T, dir string, p identity.Principals) *identity.Authority {
	t.Helper()
	a, err := identity.NewAuthority(identity.Options{
		Dir: dir, BaseURL: base, TenantID: tenant, Principals: p,
		Audiences: []string{base, "https://ml.azure.com", "https://storage.azure.com/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSecrets(t *testing.T) {
	a, b := identity.NewSecret(), identity.NewSecret()
	if raw, err := base64.RawURLEncoding.DecodeString(a); err != nil || len(raw) != 32 || a == b {
		t.Errorf("secrets %q and %q: want 32 random bytes each", a, b)
	}
	h := identity.HashSecret(a)
	if !identity.CheckSecret(h, a) || identity.CheckSecret(h, b) || identity.CheckSecret(h, "") || identity.CheckSecret(identity.SecretHash{}, "") {
		t.Error("CheckSecret took a wrong secret or refused the right one")
	}
}

func TestGrant(t *testing.T) {
	secret := identity.NewSecret()
	right := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret},
		"scope": {base + "/.default openid offline_access profile"},
	}
	tests := map[string]struct {
		tenant, key, value string
		audience           string
		code               identity.GrantCode
	}{
		"as azidentity sends it":      {audience: base},
		"upper case":                  {tenant: strings.ToUpper(tenant), key: "client_id", value: strings.ToUpper(client), audience: base},
		"machine learning":            {key: "scope", value: "https://ml.azure.com/.default", audience: "https://ml.azure.com"},
		"two slashes":                 {key: "scope", value: "https://ml.azure.com//.default", audience: "https://ml.azure.com"},
		"slash in the list":           {key: "scope", value: "https://storage.azure.com/.default", audience: "https://storage.azure.com/"},
		"wrong secret":                {key: "client_secret", value: identity.NewSecret(), code: identity.InvalidClient},
		"no secret":                   {key: "client_secret", code: identity.InvalidClient},
		"unknown client":              {key: "client_id", value: tenant, code: identity.InvalidClient},
		"no client":                   {key: "client_id", code: identity.InvalidClient},
		"another tenant":              {tenant: client, code: identity.InvalidClient},
		"no grant type":               {key: "grant_type", code: identity.UnsupportedGrantType},
		"password":                    {key: "grant_type", value: "password", code: identity.UnsupportedGrantType},
		"no scope":                    {key: "scope", code: identity.InvalidScope},
		"no resource":                 {key: "scope", value: "openid", code: identity.InvalidScope},
		"unknown resource":            {key: "scope", value: "https://example.org/.default", code: identity.InvalidScope},
		"another port":                {key: "scope", value: "https://localhost:84/.default", code: identity.InvalidScope},
		"two resources":               {key: "scope", value: base + "/.default https://ml.azure.com/.default", code: identity.InvalidScope},
		"one permission":              {key: "scope", value: base + "/user_impersonation", code: identity.InvalidScope},
		"wrong secret, bad scope too": {key: "scope", value: "x", code: identity.InvalidScope},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := authority(t, t.TempDir(), fakePrincipals{secret: secret})
			form := maps.Clone(right)
			if tt.key != "" {
				form.Set(tt.key, tt.value)
			}
			if tt.tenant == "" {
				tt.tenant = tenant
			}
			token, err := a.Grant(t.Context(), tt.tenant, form)
			if refused, ok := errors.AsType[*identity.GrantError](err); ok != (tt.code != "") || ok && refused.Code != tt.code {
				t.Fatalf("Grant: %v, want code %q", err, tt.code)
			}
			if tt.code != "" {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			claims, err := a.Verify(token.Value, tt.audience)
			if want := (identity.Claims{Principal: principal, Audience: tt.audience}); err != nil || !cmp.Equal(claims, want) {
				t.Errorf("claims differ: %v\n%s", err, cmp.Diff(want, claims))
			}
			if life := time.Until(token.ExpiresAt); life > time.Hour || life < 59*time.Minute {
				t.Errorf("token lives %v, want about an hour", life)
			}
		})
	}
}

// What a caller reads must not tell which part of the credential was wrong.
func TestWrongCredentialsLookAlike(t *testing.T) {
	secret := identity.NewSecret()
	a := authority(t, t.TempDir(), fakePrincipals{secret: secret})
	grant := func(tenant, client, secret string) string {
		_, err := a.Grant(t.Context(), tenant, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {base + "/.default"},
		})
		return err.Error()
	}
	want := grant(tenant, client, "wrong")
	for name, got := range map[string]string{
		"client": grant(tenant, tenant, secret), "tenant": grant(client, client, secret), "all": grant("", "", ""),
	} {
		if got != want {
			t.Errorf("wrong %s says %q, a wrong secret %q", name, got, want)
		}
	}
}

// signed makes a token with the key in dir, or with another.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, c any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func publicKey(t *testing.T, a *identity.Authority) jose.JSONWebKey {
	t.Helper()
	text, err := a.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
		t.Fatalf("key set %s (%v), want one public key", text, err)
	}
	return set.Keys[0]
}

func TestVerifyRefuses(t *testing.T) {
	a := authority(t, t.TempDir(), fakePrincipals{})
	good, err := a.Issue(identity.Claims{Principal: principal, Audience: base})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := jwt.Claims{
		Issuer: a.Issuer(), Audience: jwt.Audience{base}, Expiry: jwt.NewNumericDate(now.Add(time.Hour)), NotBefore: jwt.NewNumericDate(now),
	}
	another, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good.Value, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	public, err := publicKey(t, a).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ token, audience string }{
		"nothing":            {"", base},
		"rubbish":            {"a.b.c", base},
		"an endpoint's key":  {identity.NewSecret(), base},
		"none":               {none, base},
		"signature cut":      {parts[0] + "." + parts[1] + ".", base},
		"claims changed":     {parts[0] + "." + parts[1][:len(parts[1])-1] + "A." + parts[2], base},
		"another's key":      {signed(t, jose.ES256, another, claims), base},
		"public key as HMAC": {signed(t, jose.HS256, public, claims), base},
		"another audience":   {good.Value, "https://ml.azure.com"},
		"no audience asked":  {good.Value, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := a.Verify(tt.token, tt.audience)
			if online.CodeOf(err) != online.Unauthenticated || !strings.Contains(err.Error(), "not valid here") {
				t.Errorf("Verify: %v, want Unauthenticated without a hint", err)
			}
		})
	}
	if _, err := a.Verify(good.Value, base+"/"); err != nil {
		t.Errorf("a slash at the end of the audience: %v", err)
	}
}

// Tokens that only the holder of the key can make, wrong in their claims.
func TestVerifyChecksClaims(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir, fakePrincipals{})
	now := time.Now()
	good := func() jwt.Claims {
		return jwt.Claims{
			Issuer: a.Issuer(), Audience: jwt.Audience{base}, Expiry: jwt.NewNumericDate(now.Add(time.Hour)), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)),
		}
	}
	tests := map[string]struct {
		change func(*jwt.Claims)
		valid  bool
	}{
		"good":           {func(*jwt.Claims) {}, true},
		"another issuer": {func(c *jwt.Claims) { c.Issuer = base }, false},
		"no issuer":      {func(c *jwt.Claims) { c.Issuer = "" }, false},
		"no audience":    {func(c *jwt.Claims) { c.Audience = nil }, false},
		"two audiences":  {func(c *jwt.Claims) { c.Audience = jwt.Audience{base, "x"} }, false},
		"expired":        {func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-2 * time.Second)) }, false},
		"no expiry":      {func(c *jwt.Claims) { c.Expiry = nil }, false},
		"not yet valid":  {func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Minute)) }, false},
		"no not-before":  {func(c *jwt.Claims) { c.NotBefore = nil }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := good()
			tt.change(&c)
			_, err := a.Verify(signed(t, jose.ES256, identity.SigningKey(a), struct {
				jwt.Claims
				AppID string `json:"appid"`
				OID   string `json:"oid"`
			}{c, client, principal.ObjectID}), base)
			if (err == nil) != tt.valid {
				t.Errorf("Verify: %v, want valid = %t", err, tt.valid)
			}
		})
	}
}

func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := authority(t, t.TempDir(), fakePrincipals{})
		token, err := a.Issue(identity.Claims{Principal: principal, Audience: base + "/endpoints/taxi/score"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3598 * time.Second)
		if _, err := a.Verify(token.Value, base+"/endpoints/taxi/score"); err != nil {
			t.Errorf("refused before its end: %v", err)
		}
		time.Sleep(2 * time.Second)
		_, err = a.Verify(token.Value, base+"/endpoints/taxi/score")
		if online.CodeOf(err) != online.Unauthenticated || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after its end: %v, want that it expired", err)
		}
	})
}

// A token says whose it is; what its holder may do is asked each time.
func TestRevokedPrincipal(t *testing.T) {
	dir := t.TempDir()
	token, err := authority(t, dir, fakePrincipals{}).Issue(identity.Claims{Principal: principal, Audience: base})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authority(t, dir, fakePrincipals{}).Verify(token.Value, base); err != nil {
		t.Error(err)
	}
	_, err = authority(t, dir, fakePrincipals{gone: true}).Verify(token.Value, base)
	if online.CodeOf(err) != online.Unauthenticated || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("the token of a revoked principal: %v", err)
	}
}

// A client that knows nothing but the key set can check a token: what OpenID's discovery is for.
func TestTokenVerifiesWithJWKS(t *testing.T) {
	a := authority(t, t.TempDir(), fakePrincipals{})
	token, err := a.Issue(identity.Claims{Principal: principal, Audience: base})
	if err != nil {
		t.Fatal(err)
	}
	key := publicKey(t, a)
	parsed, err := jwt.ParseSigned(token.Value, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := parsed.Claims(key, &got); err != nil {
		t.Fatal(err)
	}
	if h := parsed.Headers[0]; h.KeyID != key.KeyID || h.KeyID == "" {
		t.Errorf("kid %q in the token, %q in the key set", h.KeyID, key.KeyID)
	}
	for name, want := range map[string]any{
		"iss": base + "/" + tenant + "/v2.0", "aud": base, "appid": client, "oid": principal.ObjectID, "sub": principal.ObjectID, "tid": tenant, "name": "deployer",
	} {
		if got[name] != want {
			t.Errorf("claim %s is %v, want %v", name, got[name], want)
		}
	}
}
