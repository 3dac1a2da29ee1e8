package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"hotswap/internal/identity"
)

// issuer is an OpenID issuer over HTTPS, as GitHub's is.
type issuer struct {
	*httptest.Server
	fetches atomic.Int32 // of its keys

	mu   sync.Mutex
	keys []jose.JSONWebKey // public
	down bool
	says string // the issuer in its configuration; "" is its own URL
	talk string // and what it says besides
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body func() any) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.down {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(body())
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, func() any {
			said := i.URL
			if i.says != "" {
				said = i.says
			}
			return map[string]any{"issuer": said, "jwks_uri": i.URL + "/keys", "talk": i.talk}
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		answer(w, func() any {
			strange := map[string]string{"kty": "AKP", "alg": "ML-DSA-65", "kid": "later"} // a kind of key that is not known here
			keys := []any{strange}
			for _, k := range i.keys {
				keys = append(keys, k)
			}
			return map[string]any{"keys": keys}
		})
	})
	mux.Handle("GET /moved/.well-known/openid-configuration", http.RedirectHandler("/.well-known/openid-configuration", http.StatusFound))
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

// key is a signing key of an issuer.
type key struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

func newKey(t *testing.T, id string, alg jose.SignatureAlgorithm) key {
	t.Helper()
	var private crypto.Signer
	var err error
	if alg == jose.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key{id, alg, private}
}

func (k key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"}
}

func (k key) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	return signed(t, k.alg, jose.JSONWebKey{Key: k.private, KeyID: k.id}, claims)
}

func (i *issuer) publish(keys ...key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
	for _, k := range keys {
		i.keys = append(i.keys, k.public())
	}
}

// claims are those of GitHub's token of a job in an environment
// (docs.github.com/actions/reference/security/oidc).
func (i *issuer) claims() map[string]any {
	now := time.Now()
	return map[string]any{
		"iss": i.URL, "sub": byName, "aud": exchange, "jti": identity.NewSecret(), "repository": "octo/taxi",
		"repository_id": "22", "repository_owner": "octo", "repository_owner_id": "11", "environment": "production",
		"iat": now.Unix(), "nbf": now.Add(-10 * time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
}
