package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hotswap/internal/online"
)

const (
	// lifetime is that of Entra's tokens for client credentials: expires_in is 3599.
	lifetime = 3599 * time.Second
	// grace is how far in the past a token becomes valid, as Entra does, for a clock that is set back.
	grace = 5 * time.Minute
)

// Principals finds who may log in.
type Principals interface {
	Find(clientID string) (Record, bool) // by the id in lower case
}

// Options is what an Authority is made of.
type Options struct {
	Dir        string   // holds the signing key
	BaseURL    string   // of the server, like https://localhost:8443; the issuer is below it
	TenantID   string   // the one tenant
	Audiences  []string // the resources that Grant gives tokens for
	Principals Principals
	Assertions Assertions
	Issuers    http.RoundTripper // fetches the keys of other issuers; nil: over TLS, by the system's authorities
}

// Authority issues tokens and checks them.
type Authority struct {
	options Options
	issuers *issuers
	key     *ecdsa.PrivateKey
	keyID   string
	signer  jose.Signer
}

// Claims says whose a token is and for what.
type Claims struct {
	Principal
	Audience string // the resource it was issued for
}

// Token is a bearer token, ready to be sent.
type Token struct {
	Value     string
	ExpiresAt time.Time
}

// wireClaims are the private claims as Entra names them (learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
type wireClaims struct {
	AppID    string `json:"appid"`
	ObjectID string `json:"oid"`
	TenantID string `json:"tid"`
	Name     string `json:"name,omitempty"`
}

// NewAuthority reads the signing key, or makes one where there is none.
func NewAuthority(o Options) (*Authority, error) {
	a := &Authority{options: o, issuers: newIssuers(o.Issuers)}
	name := filepath.Join(o.Dir, "token.key")
	text, err := load(name, newSigningKey)
	if err != nil {
		return nil, online.Errorf(online.Internal, "read the key that signs tokens: %w", err)
	}
	if a.key, err = parseSigningKey(text); err != nil {
		return nil, online.Errorf(online.Internal,
			"read the key that signs tokens: %s is damaged: %w; remove it to get a new one, which ends every token", name, err)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: a.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, online.Errorf(online.Internal, "name the key that signs tokens: %w", err)
	}
	a.keyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: a.key, KeyID: a.keyID}}
	if a.signer, err = jose.NewSigner(key, new(jose.SignerOptions).WithType("JWT")); err != nil {
		return nil, online.Errorf(online.Internal, "use the key that signs tokens: %w", err)
	}
	return a, nil
}

func newSigningKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseSigningKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it holds no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, errors.New("it holds no key of the curve P-256")
	}
	return ec, nil
}

// Issuer is the iss claim of every token, and the issuer of the OpenID configuration.
func (a *Authority) Issuer() string {
	return a.options.BaseURL + "/" + a.options.TenantID + "/v2.0"
}

// JWKS is the JSON document with the public key, which jwks_uri of the OpenID configuration names.
func (a *Authority) JWKS() ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: a.key.Public(), KeyID: a.keyID, Algorithm: string(jose.ES256), Use: "sig"},
	}})
}

// Issue signs a token. The caller has checked that the principal may have it: Grant does so for
// those who log in; the token of an endpoint has the endpoint's scoring URI as its audience.
func (a *Authority) Issue(c Claims) (Token, error) {
	now := time.Now()
	expires := now.Add(lifetime).Truncate(time.Second)
	value, err := jwt.Signed(a.signer).Claims(jwt.Claims{
		Issuer:    a.Issuer(),
		Subject:   c.ObjectID, // as Entra does where no user is involved
		Audience:  jwt.Audience{c.Audience},
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now.Add(-grace)),
		Expiry:    jwt.NewNumericDate(expires),
	}).Claims(wireClaims{c.ClientID, c.ObjectID, c.TenantID, c.Name}).Serialize()
	if err != nil {
		return Token{}, online.Errorf(online.Internal, "sign a token: %w", err)
	}
	return Token{value, expires}, nil
}

// Verify checks a token that was issued for audience, and says whose it is. Its error tells an
// expired token, so that the caller gets another, but not what is wrong with one that isn't ours.
// Who it is of must still be there, and has the roles of now, not of when it was issued.
func (a *Authority) Verify(token, audience string) (Claims, error) {
	// Only this algorithm: neither "none" nor an HMAC with the public key as its secret.
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return Claims{}, errBadToken
	}
	var public jwt.Claims
	var private wireClaims
	if err := parsed.Claims(a.key.Public(), &public, &private); err != nil {
		return Claims{}, errBadToken
	}
	err = public.ValidateWithLeeway(jwt.Expected{Issuer: a.Issuer(), Time: time.Now()}, 0)
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return Claims{}, online.Errorf(online.Unauthenticated, "check the token: it expired at %s; log in again",
			public.Expiry.Time().UTC().Format(time.RFC3339))
	case err != nil || public.Expiry == nil || public.NotBefore == nil || !hasAudience(public.Audience, audience):
		return Claims{}, errBadToken
	}
	record, found := a.options.Principals.Find(private.AppID)
	if !found {
		return Claims{}, online.Errorf(online.Unauthenticated, "check the token: its principal was revoked")
	}
	return Claims{record.Principal, public.Audience[0]}, nil
}

var errBadToken = online.Errorf(online.Unauthenticated, "check the token: it is not valid here; log in again")

// hasAudience reports whether a token is for want, with or without a slash at the end of either.
func hasAudience(given jwt.Audience, want string) bool {
	return len(given) == 1 && want != "" && strings.TrimSuffix(given[0], "/") == strings.TrimSuffix(want, "/")
}
