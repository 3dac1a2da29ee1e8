package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
)

// forge is a runner's issuer of OIDC tokens, and where its jobs get them.
type forge struct {
	*httptest.Server
	ca      string // file with its certificate
	subject atomic.Value
	asked   atomic.Int32
}

func newForge(t *testing.T) *forge {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": f.URL, "jwks_uri": f.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /job", func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		now := time.Now()
		token, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": f.URL, "sub": f.subject.Load(), "aud": r.URL.Query().Get("audience"), "jti": uuid.NewString(), "repository_id": "22", "repository_owner_id": "11",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}).Serialize()
		if err != nil || r.Header.Get("Authorization") != "Bearer of-the-job" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		answer(w, map[string]string{"value": token})
	})
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Close)
	f.ca = filepath.Join(t.TempDir(), "forge.pem")
	if err := os.WriteFile(f.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// A job without any secret logs in with its runner's token, each part of it being the real one: the
// client, the server that asks the issuer for its keys, and the issuer over TLS.
func TestFederatedLogin(t *testing.T) {
	f := newForge(t)
	s := startServerWith(t, []string{"SSL_CERT_FILE=" + f.ca})
	run := func(env []string, args ...string) (string, error) {
		c := exec.Command(binary, args...)
		c.Dir = t.TempDir()
		c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir}, env...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	credentials, err := os.ReadFile(s.creds)
	if err != nil {
		t.Fatal(err)
	}
	owner := []string{"AZURE_CREDENTIALS=" + string(credentials), "SSL_CERT_FILE=" + s.ca}
	must := func(out string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	var made, of struct{ ClientID, TenantID, SubscriptionID, ResourceGroup, WorkspaceName string }
	if err := json.Unmarshal(credentials, &of); err != nil {
		t.Fatal(err)
	}
	text := must(run(owner, "principal", "create", "ci", "--role", "reader"))
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):strings.LastIndex(text, "}")+1]), &made); err != nil {
		t.Fatal(err)
	}
	must(run(owner, "principal", "federate", "ci", "--issuer", f.URL, "--repo", "octo/taxi", "--environment", "production", "--repository-id", "22", "--owner-id", "11"))

	job := []string{
		"AZURE_CLIENT_ID=" + made.ClientID, "AZURE_TENANT_ID=" + of.TenantID, "AZURE_AUTHORITY_HOST=" + s.url, "SSL_CERT_FILE=" + s.ca, "REQUESTS_CA_BUNDLE=" + f.ca,
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + f.URL + "/job?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job",
		"AZUREML_ARM_SUBSCRIPTION=" + of.SubscriptionID, "AZUREML_ARM_RESOURCEGROUP=" + of.ResourceGroup, "AZUREML_ARM_WORKSPACE_NAME=" + of.WorkspaceName,
	}
	for _, subject := range []string{"repo:octo/taxi:environment:production", "repo:octo@11/taxi@22:environment:production"} {
		f.subject.Store(subject)
		before := f.asked.Load()
		must(run(job, "endpoint", "list"))
		if f.asked.Load() == before {
			t.Error("the job did not ask its runner for a token: it logged in by something else")
		}
	}
	f.subject.Store("repo:octo/taxi:pull_request")
	if out, err := run(job, "endpoint", "list"); err == nil || !strings.Contains(out, "repo:octo/taxi:pull_request") {
		t.Errorf("another subject: %v: %s", err, out)
	}
	f.subject.Store("repo:octo/taxi:environment:production")
	must(run(owner, "principal", "revoke", "ci", "--yes"))
	if out, err := run(job, "endpoint", "list"); err == nil {
		t.Errorf("a revoked principal: %s", out)
	}
}
