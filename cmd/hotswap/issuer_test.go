package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const runnerToken = "t0ken-of-the-runner"

// issuer is the forge that gives a workflow's jobs their OIDC tokens, and tells whoever asks by
// which key they are signed.
type issuer struct {
	url, ca string
	key     *ecdsa.PrivateKey

	mu      sync.Mutex
	subject string
	ids     int // of tokens that it has given out
	fail    int // so many requests first get a 503
}

// newIssuer starts one that speaks of jobs with that subject.
func newIssuer(t *testing.T, subject string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, subject: subject}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/jwks", "authorization_endpoint": i.url + "/none", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /idtoken", i.issue)
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	i.url, i.ca = server.URL, filepath.Join(t.TempDir(), "issuer.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(i.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

// issue answers a job as GitHub does.
func (i *issuer) issue(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail > 0 {
		i.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+runnerToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	i.ids++
	now := time.Now()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: i.url, Subject: i.subject, Audience: jwt.Audience{r.URL.Query().Get("audience")}, ID: fmt.Sprint(i.ids),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute)),
	}).Claims(map[string]any{"repository": "acme/taxi", "repository_id": "4711", "repository_owner_id": "42", "environment": "production"}).Serialize()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"value": text, "count": len(text)})
}

// given is how many tokens it has given out.
func (i *issuer) given() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.ids
}

// refuse makes it answer so many requests with 503.
func (i *issuer) refuse(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fail = n
}

// become makes it speak of jobs with another subject.
func (i *issuer) become(subject string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.subject = subject
}

// job is the environment of a workflow's job that may ask the issuer, and logs in to s as client by
// nothing else.
func (i *issuer) job(t *testing.T, s *server, client string) []string {
	t.Helper()
	vars := s.scriptVariables(t)
	var c struct{ SubscriptionID, ResourceGroup, WorkspaceName string }
	if err := json.Unmarshal([]byte(vars["AZURE_CREDENTIALS"]), &c); err != nil {
		t.Fatal(err)
	}
	return []string{
		"AZURE_CREDENTIALS=", "AZURE_CLIENT_ID=" + client, "AZURE_TENANT_ID=" + vars["TENANT"], "AZURE_AUTHORITY_HOST=" + s.url,
		"AZURE_SUBSCRIPTION_ID=" + c.SubscriptionID, "AZUREML_ARM_RESOURCEGROUP=" + c.ResourceGroup, "AZUREML_ARM_WORKSPACE_NAME=" + c.WorkspaceName,
		"REQUESTS_CA_BUNDLE=" + i.ca, "GITHUB_ACTIONS=true",
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + i.url + "/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + runnerToken,
	}
}
