package azure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

const (
	requestToken = "t0ken-of-the-runner"
	trusted      = "repo:acme/taxi:environment:production"
)

// fakeIssuer is a runner that gives out OIDC tokens, and the login service that trusts them: each
// once, and for one subject.
type fakeIssuer struct {
	subject  string
	issued   []string
	accepted map[string]int // how often each assertion was taken for a token
	scopes   []string
	lifetime int            // of access tokens, in seconds
	runner   []http.Handler // answers before the right one
	service  []http.Handler // the same for the login service
}

// newFakeIssuer makes one, and the options of a client in a job that may ask it.
func newFakeIssuer(t *testing.T) (*fakeIssuer, *fakeAzure, azure.Options, map[string]string) {
	t.Helper()
	f, o := newFakeAzure(t)
	i := &fakeIssuer{subject: trusted, accepted: map[string]int{}, lifetime: 3599}
	f.hooks["idtoken"] = i.issue
	f.hooks["token"] = func(w http.ResponseWriter, r *http.Request) { i.exchange(w, r, f.bearer) }
	env := map[string]string{
		"AZURE_CREDENTIALS": "", "REQUESTS_CA_BUNDLE": o.Getenv("REQUESTS_CA_BUNDLE"), "GITHUB_ACTIONS": "true",
		"AZURE_CLIENT_ID": "me", "AZURE_TENANT_ID": "11111111-1111-1111-1111-111111111111", "AZURE_AUTHORITY_HOST": f.base,
		"ACTIONS_ID_TOKEN_REQUEST_URL": f.base + "/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
		"AZURE_SUBSCRIPTION_ID": "sub", "AZUREML_ARM_RESOURCEGROUP": "rg", "AZUREML_ARM_WORKSPACE_NAME": "ws",
	}
	o.Getenv = func(name string) string { return env[name] }
	return i, f, o, env
}

// status is an answer that is no token.
func status(code int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("retry-after-ms", "1")
		w.WriteHeader(code)
		w.Write([]byte(body))
	})
}

func next(answers *[]http.Handler, w http.ResponseWriter, r *http.Request) bool {
	if len(*answers) == 0 {
		return false
	}
	(*answers)[0].ServeHTTP(w, r)
	*answers = (*answers)[1:]
	return true
}

func (i *fakeIssuer) issue(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case next(&i.runner, w, r):
	case r.Header.Get("Authorization") != "Bearer "+requestToken, query.Get("api-version") != "2.0":
		w.WriteHeader(401)
	default:
		i.issued = append(i.issued, jwt(fmt.Sprintf(`{"iss":"https://issuer.example","sub":%q,"aud":%q,"exp":%d,"jti":"%d","repository":"acme/taxi","environment":"production"}`,
			i.subject, query.Get("audience"), time.Now().Add(5*time.Minute).Unix(), len(i.issued))))
		reply(w, 200, map[string]any{"value": i.issued[len(i.issued)-1], "count": 1})
	}
}

func (i *fakeIssuer) exchange(w http.ResponseWriter, r *http.Request, bearer string) {
	assertion := r.PostForm.Get("client_assertion")
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || assertion == "" {
		reply(w, 401, map[string]any{"error": "invalid_client", "error_description": "no assertion"})
		return
	}
	i.accepted[assertion]++
	switch {
	case next(&i.service, w, r):
	case i.accepted[assertion] > 1:
		reply(w, 401, map[string]any{"error": "invalid_client", "error_description": "replayed"})
	case i.subject != trusted:
		reply(w, 401, map[string]any{"error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found. Trace ID: 42 Correlation ID: 43"})
	default:
		i.scopes = append(i.scopes, strings.Fields(r.PostForm.Get("scope"))[0])
		reply(w, 200, map[string]any{"token_type": "Bearer", "expires_in": i.lifetime, "access_token": bearer})
	}
}

// once fails where an assertion was used for two tokens.
func (i *fakeIssuer) once(t *testing.T) {
	t.Helper()
	for _, n := range i.accepted {
		if n > 1 {
			t.Errorf("an assertion was presented %d times", n)
		}
	}
}

func TestEachScopeHasAFreshAssertion(t *testing.T) {
	i, f, o, _ := newFakeIssuer(t)
	store := f.resources[workspacePath+"/datastores/workspaceblobstore"]["properties"].(map[string]any)
	store["credentials"] = map[string]any{"credentialsType": "None"} // the blob store wants a token of its own
	c := connect(t, o)
	for range 2 {
		if _, err := c.Endpoints(t.Context()); err != nil {
			t.Fatal(err)
		}
		box, err := c.Container(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		box.NewBlobClient("x").GetProperties(t.Context(), nil) // it is refused: what counts is the token that it asks for
	}
	if want := []string{f.base + "/.default", "https://storage.azure.com/.default"}; !slices.Equal(i.scopes, want) || len(i.issued) != 2 {
		t.Errorf("tokens for %q by %d assertions, want %q by 2", i.scopes, len(i.issued), want)
	}
	i.once(t)
}

// azure/login#372: what logs in once is out after an hour, in the middle of a deployment.
func TestALongWaitOutlivesAccessTokenAndAssertion(t *testing.T) {
	i, f, o, _ := newFakeIssuer(t)
	i.lifetime = 0
	polls := 0
	f.hooks["GET /operations/1"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("retry-after-ms", "1")
		if polls++; polls < 5 {
			reply(w, 200, `{"status":"InProgress"}`)
			return
		}
		reply(w, 200, `{"status":"Succeeded"}`)
	}
	c := connect(t, o)
	if _, err := c.PutEndpoint(t.Context(), online.Endpoint{Name: "e", AuthMode: "Key"}); err != nil {
		t.Fatal(err)
	}
	if len(i.issued) < 5 || len(i.accepted) != len(i.issued) {
		t.Errorf("%d assertions were made and %d used in a wait of 5 polls, whose access tokens end at once", len(i.issued), len(i.accepted))
	}
	i.once(t)
}

func TestFederationTriesAgain(t *testing.T) {
	tests := map[string]struct {
		runner, service []http.Handler
		assertions      int
	}{
		"the runner's forge is down for a moment": {runner: []http.Handler{status(503, ""), status(500, ""), status(429, "")}, assertions: 1},
		"the login service is":                    {service: []http.Handler{status(503, "")}, assertions: 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, _, o, _ := newFakeIssuer(t)
			i.runner, i.service = tt.runner, tt.service
			if _, err := connect(t, o).Endpoints(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(i.issued) != tt.assertions {
				t.Errorf("%d assertions, want %d: a token request that is sent again has another", len(i.issued), tt.assertions)
			}
			i.once(t)
		})
	}
}

func TestFederationFails(t *testing.T) {
	foreign := jwt(`{"iss":"https://issuer.example","sub":"` + trusted + `","aud":"https://github.com/acme"}`)
	tests := map[string]struct {
		runner []http.Handler
		set    map[string]string
		code   online.Code
		words  []string
	}{
		"may not ask":       {[]http.Handler{status(403, "")}, nil, online.Unauthenticated, []string{"status 403", "`permissions: id-token: write`", "a pull request from a fork gets none"}},
		"down":              {slices.Repeat([]http.Handler{status(500, "")}, 9), nil, online.Unavailable, []string{"ask the runner for an OIDC token", "status 500", "run the job again"}},
		"nothing in it":     {[]http.Handler{status(200, `{"error":"`+foreign+`"}`)}, nil, online.Unavailable, []string{"the answer holds none"}},
		"wrong audience":    {[]http.Handler{status(200, `{"value":"`+foreign+`"}`)}, nil, online.Unavailable, []string{`"https://github.com/acme"`, `"api://AzureADTokenExchange"`}},
		"no runner":         {nil, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://localhost:1/idtoken"}, online.Unavailable, []string{"ask the runner for an OIDC token", "connection refused"}},
		"untrusted subject": {nil, nil, online.Unauthenticated, []string{"AADSTS700213: No matching federated identity record found.)", `issuer "https://issuer.example"`, `subject "repo:acme/taxi:pull_request"`, `audience "api://AzureADTokenExchange"`, "hotswap login"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // what can't be reached is tried again for seconds
			i, _, o, env := newFakeIssuer(t)
			i.runner = tt.runner
			maps.Copy(env, tt.set)
			if name == "untrusted subject" {
				i.subject = "repo:acme/taxi:pull_request"
			}
			_, err := connect(t, o).Endpoints(t.Context())
			wantCode(t, name, err, tt.code, tt.words...)
			for _, text := range append(slices.Clone(i.issued), foreign, requestToken) {
				if strings.Contains(err.Error(), text) {
					t.Errorf("the error %q has a token in it", err)
				}
			}
			if name == "untrusted subject" && len(i.issued) != 1 {
				t.Errorf("%d assertions for a refusal that is for good", len(i.issued))
			}
		})
	}
}

func TestFederatedTokenFileIsReadForEachToken(t *testing.T) {
	i, _, o, env := newFakeIssuer(t)
	i.lifetime = 0
	delete(env, "ACTIONS_ID_TOKEN_REQUEST_URL")
	name := filepath.Join(t.TempDir(), "token")
	env["AZURE_FEDERATED_TOKEN_FILE"] = name
	c := connect(t, o)
	_, err := c.Endpoints(t.Context())
	wantCode(t, "without the file", err, online.Unauthenticated, "AZURE_FEDERATED_TOKEN_FILE", "no such file")
	for _, text := range []string{"", "one\n", "two\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := c.Endpoints(t.Context())
		if text == "" {
			wantCode(t, "with an empty file", err, online.Unauthenticated, "is empty")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if i.accepted["one"] != 1 || i.accepted["two"] != 1 {
		t.Errorf("presented %v, want each content of the file once", i.accepted)
	}
}

func TestOrderOfCredentials(t *testing.T) {
	const principal = `{"clientId":"json","clientSecret":"hush","tenantId":"t"}`
	all := map[string]string{
		"AZURE_CREDENTIALS": principal, "AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "hush",
		"ACTIONS_ID_TOKEN_REQUEST_URL": "https://h/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "hush", "AZURE_FEDERATED_TOKEN_FILE": "/run/token",
		"GITHUB_ACTIONS": "true",
	}
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"} {
		t.Setenv(name, all[name]) // where azidentity itself looks
	}
	file := filepath.Join(t.TempDir(), "p.json")
	if err := os.WriteFile(file, []byte(strings.Replace(principal, "json", "file", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []struct{ without, who, from string }{
		{"", "service principal file", "--credentials " + file},
		{"--credentials", "service principal json", "AZURE_CREDENTIALS"},
		{"AZURE_CREDENTIALS", "service principal app", "the AZURE_* variables"},
		{"AZURE_CLIENT_SECRET", "service principal app", "the OIDC token of the workflow's job"},
		{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "service principal app", "AZURE_FEDERATED_TOKEN_FILE /run/token"},
		{"AZURE_CLIENT_ID", "the signed-in account", "the az session"},
	}
	o := azure.Options{CredentialsFile: file, Getenv: func(name string) string { return all[name] }}
	for _, tt := range want {
		if all[tt.without] = ""; tt.without == "--credentials" {
			o.CredentialsFile = ""
		}
		a, err := azure.SignIn(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Sources()[0]; got.Value != tt.who || got.From != tt.from {
			t.Errorf("with %s emptied too: %s (%s), want %s (%s)", tt.without, got.Value, got.From, tt.who, tt.from)
		}
	}
}

func TestAJobWithoutAnAssertionIsNotSomebodyElse(t *testing.T) {
	tests := map[string]struct {
		env   map[string]string
		words []string
	}{
		"GitHub": {map[string]string{"GITHUB_ACTIONS": "true"}, []string{"`permissions: id-token: write`", "a fork"}},
		"Gitea":  {map[string]string{"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true"}, []string{"`enable-openid-connect: true`", "AZURE_CREDENTIALS"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.env["AZURE_CLIENT_ID"], tt.env["AZURE_TENANT_ID"] = "app", "t"
			_, err := azure.SignIn(azure.Options{Getenv: func(name string) string { return tt.env[name] }})
			wantCode(t, "sign in", err, online.Unauthenticated, tt.words...)
		})
	}
}

func TestAssertionTellsItsClaims(t *testing.T) {
	i, _, o, _ := newFakeIssuer(t)
	a, err := azure.SignIn(o)
	if err != nil {
		t.Fatal(err)
	}
	said, ok, err := a.Assertion(t.Context())
	if err != nil || !ok || !a.Federated() || a.Azure() || a.ClientID() != "me" {
		t.Fatalf("Assertion = %+v, %v, %v", said, ok, err)
	}
	if said.Issuer != "https://issuer.example" || said.Subject != trusted || !slices.Equal(said.Audience, []string{azure.FederationAudience}) ||
		said.Expires.Before(time.Now()) || said.Job["repository"] != "acme/taxi" || said.Job["environment"] != "production" || len(said.Job) != 2 {
		t.Errorf("the assertion %s says %+v", i.issued[0], said)
	}
}

func TestRefusedFederation(t *testing.T) {
	tests := map[string]struct {
		answer    string
		untrusted bool
	}{
		"no federated credential": {`{"error":"invalid_client","error_description":"AADSTS70021: No match.\r\nTrace ID: 1","error_codes":[70021]}`, true},
		"none with the subject":   {`{"error":"invalid_client","error_description":"AADSTS700213: No match.","error_codes":[700213]}`, true},
		"no code":                 {`{"error":"invalid_client"}`, true},
		"no JSON":                 {`<html>`, true},
		"no such application":     {`{"error":"unauthorized_client","error_description":"AADSTS700016: No such application.","error_codes":[700016]}`, false},
		"an expired assertion":    {`{"error":"invalid_client","error_description":"AADSTS700024: Too old.","error_codes":[700024]}`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, _, o, _ := newFakeIssuer(t)
			i.service = []http.Handler{status(401, tt.answer)}
			a, err := azure.SignIn(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Principal(t.Context())
			wantCode(t, name, err, online.Unauthenticated, trusted)
			refused, is := errors.AsType[*azure.RefusedError](err)
			if !is || refused.Untrusted != tt.untrusted || refused.Assertion.Subject != trusted || strings.Contains(refused.Said, "Trace") {
				t.Errorf("%+v (%v), want untrusted %v", refused, err, tt.untrusted)
			}
		})
	}
}

func TestTrustIsACommand(t *testing.T) {
	said := azure.Assertion{Issuer: "https://issuer.example", Subject: "repo:acme/taxi:environment:it's \"production\"", Audience: []string{azure.FederationAudience}}
	env := map[string]string{"AZURE_CREDENTIALS": `{"clientId":"app","clientSecret":"hush","tenantId":"t"}`}
	o := azure.Options{Getenv: func(name string) string { return env[name] }}
	a, err := azure.SignIn(o)
	if err != nil {
		t.Fatal(err)
	}
	got := a.Trust(said)
	var parameters map[string]any
	if err := json.Unmarshal([]byte(got[len(got)-1]), &parameters); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"name": "hotswap-repo-acme-taxi-environment-it-s-production", "issuer": said.Issuer, "subject": said.Subject, "audiences": []any{azure.FederationAudience},
	}
	if !cmp.Equal(parameters, want) || !slices.Equal(got[:7], []string{"az", "ad", "app", "federated-credential", "create", "--id", "app"}) {
		t.Errorf("Trust = %q", got)
	}
}

func TestMend(t *testing.T) {
	const principal = `{"clientId":"app","clientSecret":"hush","tenantId":"t"}`
	refused := online.Errorf(online.Unauthenticated, "no")
	trust := online.Errorf(online.Unauthenticated, "no: %w", &azure.RefusedError{Untrusted: true, Assertion: azure.Assertion{Subject: "s"}})
	other := online.Errorf(online.Unauthenticated, "no: %w", &azure.RefusedError{})
	tests := map[string]struct {
		credentials string
		err         error
		want        string
	}{
		"a secret":          {principal, refused, "az ad app credential reset --id app --append"},
		"of our server":     {strings.Replace(principal, "{", `{"resourceManagerEndpointUrl":"https://localhost:1",`, 1), refused, ""},
		"the az session":    {"", refused, "az login"},
		"not reached":       {"", online.Errorf(online.Unavailable, "no"), ""},
		"not trusted":       {principal, trust, "az ad app federated-credential create --id app"},
		"refused otherwise": {principal, other, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"AZURE_CREDENTIALS": tt.credentials}
			a, err := azure.SignIn(azure.Options{Getenv: func(name string) string { return env[name] }})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(a.Mend(tt.err), " "); !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("Mend = %q, want %q", got, tt.want)
			}
		})
	}
}
