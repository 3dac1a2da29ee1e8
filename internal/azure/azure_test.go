package azure_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

func wantCode(t *testing.T, doing string, err error, want online.Code, words ...string) {
	t.Helper()
	if err == nil || online.CodeOf(err) != want {
		t.Errorf("%s: error %v, want code %s", doing, err, want)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: the error %q has no %q", doing, err, word)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("%s: the error %q tells the secret", doing, err)
	}
}

func TestSources(t *testing.T) {
	const principal = `{"clientId":"me","clientSecret":"hush","tenantId":"t","subscriptionId":"s3","resourceGroup":"g3","workspaceName":"w3"}`
	dir := t.TempDir()
	inner := filepath.Join(dir, "a", "b")
	for path, text := range map[string]string{
		"p.json":                `{"clientId":"other","clientSecret":"hush","tenantId":"t","activeDirectoryEndpointUrl":"https://h:1","resourceManagerEndpointUrl":"https://h:1/"}`,
		".azureml/config.json":  `{"subscription_id":"s2","resource_group":"g2","workspace_name":"w2"}`,
		"a/b/config.json":       `{"something":"else"}`,
		"gov.json":              `{"clientId":"gov","clientSecret":"hush","tenantId":"t","resourceManagerEndpointUrl":"https://management.usgovcloudapi.net/"}`,
		"a/b/.azureml/keep.txt": "",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, ".azureml", "config.json")
	tests := map[string]struct {
		options azure.Options
		env     map[string]string
		want    []azure.Source
	}{
		"the credential names all": {
			azure.Options{Dir: "/"},
			map[string]string{"AZURE_CREDENTIALS": principal},
			[]azure.Source{
				{What: "credential", Value: "service principal me", From: "AZURE_CREDENTIALS"},
				{What: "cloud", Value: "https://management.azure.com", From: "AZURE_CREDENTIALS"},
				{What: "subscription", Value: "s3", From: "AZURE_CREDENTIALS"},
				{What: "resource group", Value: "g3", From: "AZURE_CREDENTIALS"},
				{What: "workspace", Value: "w3", From: "AZURE_CREDENTIALS"},
			},
		},
		"flags, variables, config.json": {
			azure.Options{Dir: inner, CredentialsFile: filepath.Join(dir, "p.json"), Workspace: azure.Workspace{Name: "w0"}},
			map[string]string{"AZURE_CREDENTIALS": principal, "AZUREML_ARM_RESOURCEGROUP": "g1", "AZUREML_ARM_WORKSPACE_NAME": "w1"},
			[]azure.Source{
				{What: "credential", Value: "service principal other", From: "--credentials " + filepath.Join(dir, "p.json")},
				{What: "cloud", Value: "https://h:1", From: "--credentials " + filepath.Join(dir, "p.json")},
				{What: "subscription", Value: "s2", From: config},
				{What: "resource group", Value: "g1", From: "AZUREML_ARM_RESOURCEGROUP"},
				{What: "workspace", Value: "w0", From: "--workspace-name"},
			},
		},
		"another of Azure's clouds": {
			azure.Options{Dir: dir, CredentialsFile: filepath.Join(dir, "gov.json")},
			nil,
			[]azure.Source{
				{What: "credential", Value: "service principal gov", From: "--credentials " + filepath.Join(dir, "gov.json")},
				{What: "cloud", Value: "https://management.usgovcloudapi.net", From: "--credentials " + filepath.Join(dir, "gov.json")},
				{What: "subscription", Value: "s2", From: config},
				{What: "resource group", Value: "g2", From: config},
				{What: "workspace", Value: "w2", From: config},
			},
		},
		"the az session": {
			azure.Options{Dir: dir},
			map[string]string{"AZURE_CLIENT_ID": "half"},
			[]azure.Source{
				{What: "credential", Value: "the signed-in account", From: "the az session"},
				{What: "cloud", Value: "https://management.azure.com", From: "the az session"},
				{What: "subscription", Value: "s2", From: config},
				{What: "resource group", Value: "g2", From: config},
				{What: "workspace", Value: "w2", From: config},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.options.Getenv = func(name string) string { return tt.env[name] }
			if got := connect(t, tt.options).Sources(); !cmp.Equal(got, tt.want) {
				t.Error(cmp.Diff(tt.want, got))
			}
		})
	}
}

func TestVariablesOfAzidentity(t *testing.T) {
	f, o := newFakeAzure(t)
	env := map[string]string{
		"AZURE_TENANT_ID": "11111111-1111-1111-1111-111111111111", "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": secret, "AZURE_AUTHORITY_HOST": f.base,
		"REQUESTS_CA_BUNDLE": o.Getenv("REQUESTS_CA_BUNDLE"),
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	c := connect(t, azure.Options{Getenv: os.Getenv, Dir: o.Dir, Workspace: azure.Workspace{Subscription: "sub", ResourceGroup: "rg", Name: "ws"}})
	if _, err := c.Endpoints(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDialErrors(t *testing.T) {
	tests := map[string]struct {
		env   map[string]string
		file  string
		words []string
	}{
		"no workspace":      {map[string]string{"AZUREML_ARM_SUBSCRIPTION": "s"}, "", []string{"resource group (--resource-group or AZUREML_ARM_RESOURCEGROUP), workspace (--workspace-name"}},
		"no such file":      {nil, "/nowhere/c.json", []string{"/nowhere/c.json"}},
		"not JSON":          {map[string]string{"AZURE_CREDENTIALS": secret}, "", []string{"AZURE_CREDENTIALS", "not the JSON"}},
		"wrong type":        {map[string]string{"AZURE_CREDENTIALS": `{"clientId":["` + secret + `"]}`}, "", []string{"AZURE_CREDENTIALS"}},
		"no secret":         {map[string]string{"AZURE_CREDENTIALS": `{"clientId":"a","tenantId":"t"}`}, "", []string{`"clientSecret" is missing`}},
		"plain http":        {map[string]string{"AZURE_CREDENTIALS": `{"clientId":"a","clientSecret":"` + secret + `","tenantId":"t","resourceManagerEndpointUrl":"http://h"}`}, "", []string{`"http://h" is no https address`}},
		"no such authority": {map[string]string{"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}, "", []string{"REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := azure.Dial(t.Context(), azure.Options{Dir: "/", CredentialsFile: tt.file, Getenv: func(name string) string { return tt.env[name] }})
			wantCode(t, "dial", err, online.Invalid, tt.words...)
		})
	}
}

func TestLoginErrors(t *testing.T) {
	_, o := newFakeAzure(t)
	good := o.Getenv
	with := func(name, value string) azure.Options {
		o.Getenv = func(n string) string {
			if n == name {
				return value
			}
			return good(n)
		}
		return o
	}
	wrong := strings.Replace(good("AZURE_CREDENTIALS"), secret, "wrong", 1)
	_, err := connect(t, with("AZURE_CREDENTIALS", wrong)).Endpoint(t.Context(), "taxi")
	wantCode(t, "a wrong secret", err, online.Unauthenticated, "refused the credential")
	for _, hint := range []string{"AADSTS", "secret", "wrong"} {
		if strings.Contains(err.Error(), hint) {
			t.Errorf("the error %q hints at what is wrong", err)
		}
	}
	_, err = connect(t, with("REQUESTS_CA_BUNDLE", "")).Endpoint(t.Context(), "taxi")
	wantCode(t, "an unknown authority", err, online.Unavailable, "certificate")
}

func TestErrors(t *testing.T) {
	const nested = `{"error":{"code":"BadRequest","message":"The request is invalid.","details":[{"code":"InferencingClientCallFailed",` +
		`"message":"{\"errors\":{\"\":[\"Specified deployment [blue] failed.\\nDelete it.\"]},\"title\":\"One or more validation errors occurred.\"}"}]}}`
	const quota = `{"error":{"code":"InferencingClientCreateDeploymentFailed","message":"InferencingClient HttpRequest error, error detail: ` +
		`{\"errors\":{\"VmSize\":[\"Not enough quota\"]},\"status\":400}"}}`
	tests := map[string]struct {
		status int
		body   string
		want   online.Code
		words  []string
	}{
		"nested":       {400, nested, online.Invalid, []string{`read endpoint "taxi": Specified deployment [blue] failed. Delete it.`}},
		"quota":        {400, quota, online.Invalid, []string{": Not enough quota"}},
		"not found":    {404, `{"error":{"code":"UserError","message":"Not found: x"}}`, online.NotFound, []string{"Not found: x"}},
		"forbidden":    {403, `{"error":{"code":"AuthorizationFailed","message":"no right"}}`, online.Forbidden, []string{"no right", "AzureML Data Scientist"}},
		"unauthorized": {401, `{}`, online.Unauthenticated, nil},
		"conflict":     {409, `{"error":{"message":"busy"}}`, online.Conflict, []string{"busy"}},
		"stale":        {412, `{"error":{"message":"fence 3 is older than 4"}}`, online.Stale, []string{"fence 3"}},
		"too large":    {413, ``, online.TooLarge, nil},
		"not JSON":     {418, `<html>`, online.Internal, []string{"status 418"}},
	}
	f, o := newFakeAzure(t)
	c := connect(t, o)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f.mu.Lock()
			f.hooks["GET /onlineendpoints/taxi"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, tt.status, tt.body) }
			f.mu.Unlock()
			_, err := c.Endpoint(t.Context(), "taxi")
			wantCode(t, "read", err, tt.want, tt.words...)
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error %q is not one line", err)
			}
		})
	}
}

// after answers with that status and delay header the first n times, then as the fake does.
func (f *fakeAzure) after(n, status int, call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks[call] = func(w http.ResponseWriter, r *http.Request) {
		if n--; n >= 0 {
			w.Header().Set("retry-after-ms", "1")
			reply(w, status, `{"error":{"message":"not now"}}`)
			return
		}
		delete(f.hooks, call)
		f.manage(w, r, strings.ToLower(r.URL.Path))
	}
}

func TestReadsAreRetriedAndWritesAreNot(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	e := online.Endpoint{Name: "taxi", Location: "local"}
	if _, err := c.PutEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	f.after(2, 503, "GET /onlineendpoints/taxi")
	if _, err := c.Endpoint(t.Context(), "taxi"); err != nil {
		t.Errorf("a read that fails twice: %v", err)
	}
	before := f.count("PUT /onlineendpoints/taxi")
	f.after(1, 503, "PUT /onlineendpoints/taxi")
	_, err := c.PutEndpoint(t.Context(), e)
	wantCode(t, "a write that fails once", err, online.Unavailable, "not now")
	if n := f.count("PUT /onlineendpoints/taxi") - before; n != 1 {
		t.Errorf("the endpoint was written %d times, want once", n)
	}

	f.mu.Lock()
	f.hooks["PUT /onlineendpoints/taxi"] = func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) } // the reply is lost
	f.mu.Unlock()
	before = f.count("PUT /onlineendpoints/taxi")
	_, err = c.PutEndpoint(t.Context(), e)
	wantCode(t, "a write without a reply", err, online.Unavailable)
	if n := f.count("PUT /onlineendpoints/taxi") - before; n != 1 {
		t.Errorf("the endpoint was written %d times, want once", n)
	}
}
