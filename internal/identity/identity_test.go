package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	ClientID: client, TenantID: tenant, ObjectID: "99999999-8888-7777-6666-555555555555", Name: "deployer", Roles: []string{"Contributor"},
}

type fakePrincipals struct {
	secret string
	err    error
}

func (f fakePrincipals) Principal(_ context.Context, clientID string) (identity.Principal, identity.SecretHash, error) {
	if f.err != nil {
		return identity.Principal{}, identity.SecretHash{}, f.err
	}
	if clientID != client {
		return identity.Principal{}, identity.SecretHash{}, online.Errorf(online.NotFound, "no principal %q", clientID)
	}
	return principal, identity.HashSecret(f.secret), nil
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

func TestGrantWhileTheStoreFails(t *testing.T) {
	a := authority(t, t.TempDir(), fakePrincipals{err: errors.New("disk I/O error")})
	_, err := a.Grant(t.Context(), tenant, url.Values{"grant_type": {"client_credentials"}, "client_id": {client}})
	if _, refused := errors.AsType[*identity.GrantError](err); err == nil || refused || online.CodeOf(err) != online.Internal {
		t.Errorf("Grant: %v, want an internal error: the client may be right", err)
	}
}

// signed makes a token with the key in dir, or with another.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, c jwt.Claims) string {
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
			_, err := a.Verify(signed(t, jose.ES256, identity.SigningKey(a), c), base)
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

func TestKeyring(t *testing.T) {
	dir := t.TempDir()
	k, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	const owner = "endpoint taxi/primary"
	sealed := k.Seal([]byte("a key"), owner)
	again, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, owner); err != nil || string(got) != "a key" {
		t.Errorf("Open after a restart = %q, %v", got, err)
	}
	if other := k.Seal([]byte("a key"), owner); string(other) == string(sealed) || strings.Contains(string(sealed), "a key") {
		t.Error("sealing shows what was sealed")
	}
	strange, err := identity.LoadKeyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), sealed...)
	damaged[len(damaged)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another owner": func() ([]byte, error) { return k.Open(sealed, "endpoint taxi/secondary") },
		"another key":   func() ([]byte, error) { return strange.Open(sealed, owner) },
		"damaged":       func() ([]byte, error) { return k.Open(damaged, owner) },
		"cut":           func() ([]byte, error) { return k.Open(sealed[:5], owner) },
		"nothing":       func() ([]byte, error) { return k.Open(nil, owner) },
	} {
		if got, err := open(); err == nil || got != nil {
			t.Errorf("%s opened: %q", name, got)
		}
	}
}

// Two servers that start at once must end up with one key, or the tokens of one fail at the other.
func TestKeyFilesAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	sums := make([][sha256.Size]byte, 20)
	sealed := make([][]byte, len(sums))
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			a, err := identity.NewAuthority(identity.Options{Dir: dir})
			k, err2 := identity.LoadKeyring(dir)
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
				return
			}
			set, _ := a.JWKS()
			sums[i] = sha256.Sum256(set)
			sealed[i] = k.Seal(nil, "x")
		})
	}
	wg.Wait()
	k, err := identity.LoadKeyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sums {
		if _, err := k.Open(sealed[i], "x"); err != nil || sums[i] != sums[0] {
			t.Fatalf("start %d had keys of its own", i)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("files %v (%v), want the two keys", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode())
		}
	}
}

func TestDamagedKeyFiles(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"token key, rubbish": {"token.key", "rubbish", "remove it to get a new one"},
		"token key, empty":   {"token.key", "", "remove it to get a new one"},
		"keyring, rubbish":   {"keyring.key", "!", "restore it from a backup"},
		"keyring, short":     {"keyring.key", "AAAA", "restore it from a backup"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, tt.file)
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := identity.NewAuthority(identity.Options{Dir: dir})
			if tt.file == "keyring.key" {
				_, err = identity.LoadKeyring(dir)
			}
			if err == nil || !strings.Contains(err.Error(), file+" is damaged") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to name the file and say %q", err, tt.want)
			}
		})
	}
}
