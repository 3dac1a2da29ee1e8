package api_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"hotswap/internal/api"
	"hotswap/internal/arm"
	"hotswap/internal/identity"
)

const ours = scope + "/providers/Hotswap/principals"

// made creates a principal.
func (s *server) made(t *testing.T, name, body string) arm.PrincipalProperties {
	t.Helper()
	w := s.call("PUT", ours+"/"+name, body)
	var p arm.Principal
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 201 || p.Properties.Credential == nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return p.Properties
}

// login asks for a token, and returns it or what the answer says.
func (s *server) login(form url.Values) (token, refusal string) {
	form.Set("grant_type", "client_credentials")
	form.Set("scope", base+"/.default")
	w := s.do(httptest.NewRequest("POST", base+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode())))
	var answer struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return answer.Token, w.Body.String()
}

// The whole life of a principal.
func TestPrincipalLives(t *testing.T) {
	s := newServer(t)
	p := s.made(t, "ci", `{"properties":{"roles":[{"role":"Deployer","endpoint":"Taxi"}]}}`)
	c := p.Credential
	workspace := arm.Workspace{Scope: arm.Scope{Subscription: "sub", ResourceGroup: "hotswap", Workspace: "local"}, Tenant: tenant}
	if want := arm.NewCredential(workspace, base, p.ClientID, c.ClientSecret); *c != want || c.ClientSecret == "" {
		t.Errorf("the credential is %+v, want %+v", *c, want)
	}
	list := s.call("GET", ours, "")
	if list.Code != 200 || strings.Contains(list.Body.String(), c.ClientSecret) {
		t.Errorf("the list tells the secret, or fails: %d %s", list.Code, list.Body)
	}
	golden(t, "principals", list.Body.Bytes())

	token, refusal := s.login(url.Values{"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}})
	if token == "" {
		t.Fatal(refusal)
	}
	ci := *s
	ci.token = token
	for path, want := range map[string]int{scope + "/onlineEndpoints/taxi": 200, scope + "/onlineEndpoints/fare": 403, ours: 403} {
		if w := ci.call("GET", path, ""); w.Code != want {
			t.Errorf("GET %s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	if w := s.call("DELETE", ours+"/ci", ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := ci.call("GET", scope+"/onlineEndpoints/taxi", ""); w.Code != 401 {
		t.Errorf("its token still opens the workspace: %d", w.Code)
	}
	if token, refusal := s.login(url.Values{"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}}); token != "" || !strings.Contains(refusal, `"invalid_client"`) {
		t.Errorf("its secret still logs in: %s", refusal)
	}
}

func TestFederatePrincipal(t *testing.T) {
	s := newServer(t)
	s.made(t, "ci", `{"properties":{"roles":[{"role":"deployer","endpoint":"taxi"}]}}`)
	federated := s.call("POST", ours+"/CI/federate", `{"issuer":"https://i.example","audience":"a","subjects":["s"],"claims":{"repository_id":"1"}}`)
	if federated.Code != 200 {
		t.Fatalf("%d %s", federated.Code, federated.Body)
	}
	golden(t, "principal-federated", federated.Body.Bytes())
}

func TestPrincipalsRefuse(t *testing.T) {
	s := newServer(t)
	s.made(t, "ci", `{"properties":{"roles":[{"role":"reader"}]}}`)
	for name, tt := range map[string]struct {
		call, body string
		status     int
		text       string
	}{
		"no body":         {"PUT /x", ``, 400, "empty"},
		"no role":         {"PUT /x", `{"properties":{}}`, 400, "no role"},
		"unknown role":    {"PUT /x", `{"properties":{"roles":[{"role":"admin"}]}}`, 400, "reader, scorer, deployer or owner"},
		"owner of one":    {"PUT /x", `{"properties":{"roles":[{"role":"owner","endpoint":"taxi"}]}}`, 400, "of the workspace"},
		"odd endpoint":    {"PUT /x", `{"properties":{"roles":[{"role":"reader","endpoint":"a b c"}]}}`, 400, "hyphens"},
		"odd name":        {"PUT /a%20b", `{"properties":{"roles":[{"role":"reader"}]}}`, 400, "principal name"},
		"name is taken":   {"PUT /CI", `{"properties":{"roles":[{"role":"owner"}]}}`, 409, "already"},
		"last owner":      {"DELETE /deployer", ``, 409, "last owner"},
		"plain HTTP":      {"POST /ci/federate", `{"issuer":"http://i","audience":"a","subjects":["s"]}`, 400, "https"},
		"no subject":      {"POST /ci/federate", `{"issuer":"https://i","audience":"a"}`, 400, "subject"},
		"of nobody":       {"POST /x/federate", `{"issuer":"https://i","audience":"a","subjects":["s"]}`, 404, "no principal"},
		"not a list":      {"POST /ci/federate", `{"issuer":"https://i","audience":"a","subjects":"s"}`, 400, "a list"},
		"no such method":  {"POST /ci", `{}`, 405, ""},
		"no such setting": {"PATCH /ci", `{}`, 405, ""},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		w := s.call(method, ours+path, tt.body)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
			t.Errorf("%s: %d %s, want %d and %q", name, w.Code, w.Body, tt.status, tt.text)
		}
	}
	if w := s.call("DELETE", ours+"/nobody", ""); w.Code != 204 {
		t.Errorf("revoking nobody: %d %s", w.Code, w.Body)
	}
	if all := s.registry.List(); len(all) != 2 {
		t.Errorf("there are %d principals, want 2", len(all))
	}
}

// What is wrong with an assertion is told with Entra's numbers; what only an operator should know is in the log.
func TestRefusedAssertion(t *testing.T) {
	var log bytes.Buffer
	s := newServer(t, func(o *api.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	p := s.made(t, "ci", `{"properties":{"roles":[{"role":"deployer"}]}}`)
	if _, err := s.registry.Federate(t.Context(), "ci", identity.Federated{Issuer: "https://127.0.0.1:1", Audience: "a", Subjects: []string{"right"}}); err != nil {
		t.Fatal(err)
	}
	// {"alg":"RS256"}.{"iss":"https://127.0.0.1:1","sub":"wrong\nline","aud":"a"}.
	const assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovLzEyNy4wLjAuMToxIiwic3ViIjoid3JvbmdcbmxpbmUiLCJhdWQiOiJhIn0.AAAA"
	w := httptest.NewRequest("POST", base+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(url.Values{
		"grant_type": {"client_credentials"}, "scope": {base + "/.default"}, "client_id": {p.ClientID},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}.Encode()))
	got := s.do(w)
	if got.Code != 401 || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	golden(t, "login-assertion-refused", got.Body.Bytes())
	if text := log.String(); strings.Contains(got.Body.String(), "right") || !strings.Contains(text, "no federated credential has the subject") ||
		!strings.Contains(text, p.ClientID) || strings.Count(text, "\n") != 2 || strings.Contains(text, assertion) {
		t.Errorf("the log says: %s", text)
	}
}
