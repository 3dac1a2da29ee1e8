package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/api"
	"hotswap/internal/online"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	scope    = "/subscriptions/sub/resourceGroups/hotswap/providers/Microsoft.MachineLearningServices/workspaces/local"
	location = "/subscriptions/sub/providers/Microsoft.MachineLearningServices/locations/local"
	blue     = scope + "/onlineEndpoints/taxi/deployments/blue"
)

// volatile is what differs from run to run.
var volatile = regexp.MustCompile(`20\d\d-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}-[0-9a-f-]{27}|"(access_token|x|y|kid|expires_in|ext_expires_in)": ("[^"]*"|\d+)`)

func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	got := volatile.ReplaceAllStringFunc(indented.String(), func(s string) string {
		if key, _, pair := strings.Cut(s, ": "); pair {
			return key + `: "?"`
		}
		return "?"
	}) + "\n"
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", file, diff)
	}
}

const (
	endpointBody   = `{"location":"local","tags":{},"identity":{"type":"SystemAssigned"},"properties":{"authMode":"Key","traffic":{},"mirrorTraffic":{},"properties":{}}}`
	deploymentBody = `{"location":"local","sku":{"name":"Default","capacity":1},"properties":{"endpointComputeType":"Managed","instanceType":"Standard_DS3_v2",
		"model":"azureml:taxi:3","codeConfiguration":{"codeId":"azureml:c0de:1","scoringScript":"score.py"},"scaleSettings":{"scaleType":"Default"}}}`
	modelBody = `{"properties":{"modelUri":"azureml://datastores/workspaceblobstore/paths/LocalUpload/aa/model","modelType":"custom_model"}}`
	codeBody  = `{"properties":{"codeUri":"https://hotswap.blob.localhost:8443/upload-1/src","isAnonymous":true,"properties":{"hash_sha256":"aa","hash_version":202208}}}`
	envBody   = `{"properties":{"image":"mcr/x","condaFile":"name: x\n"}}`
)

// Each resource's reply, as a whole. With before, that call is made first.
func TestReplies(t *testing.T) {
	tests := map[string]struct {
		before       []string // method, path, body
		method, path string
		body         string
		status       int
	}{
		"cloud":               {method: "GET", path: "/metadata/endpoints?api-version=2022-09-01", status: 200},
		"clouds":              {method: "GET", path: "/metadata/endpoints?api-version=2023-12-01", status: 200},
		"openid":              {method: "GET", path: "/" + tenant + "/v2.0/.well-known/openid-configuration", status: 200},
		"signing-keys":        {method: "GET", path: "/" + tenant + "/discovery/v2.0/keys", status: 200},
		"tenants":             {method: "GET", path: "/tenants?api-version=2022-12-01", status: 200},
		"subscriptions":       {method: "GET", path: "/subscriptions?api-version=2022-12-01", status: 200},
		"subscription":        {method: "GET", path: "/subscriptions/sub", status: 200},
		"workspace":           {method: "GET", path: scope + "?api-version=2024-10-01-preview", status: 200},
		"workspaces":          {method: "GET", path: strings.TrimSuffix(scope, "/local"), status: 200},
		"endpoint":            {method: "GET", path: scope + "/onlineEndpoints/taxi", status: 200},
		"endpoints":           {method: "GET", path: scope + "/onlineEndpoints", status: 200},
		"endpoint-created":    {method: "PUT", path: scope + "/onlineEndpoints/Fare", body: endpointBody, status: 201},
		"endpoint-updated":    {method: "PUT", path: scope + "/onlineEndpoints/taxi", body: endpointBody, status: 200},
		"endpoint-missing":    {method: "GET", path: scope + "/onlineEndpoints/none", status: 404},
		"endpoint-invalid":    {method: "PUT", path: scope + "/onlineEndpoints/taxi", body: `{"properties":{"traffic":{"blue":"x"}}}`, status: 400},
		"keys":                {method: "POST", path: scope + "/onlineEndpoints/taxi/listKeys", status: 200},
		"deployment":          {method: "GET", path: blue, status: 200},
		"deployments":         {method: "GET", path: scope + "/onlineEndpoints/taxi/deployments", status: 200},
		"deployment-created":  {method: "PUT", path: scope + "/onlineEndpoints/taxi/deployments/green", body: deploymentBody, status: 201},
		"logs":                {method: "POST", path: blue + "/getLogs", body: `{"tail":50}`, status: 200},
		"skus":                {method: "GET", path: blue + "/skus", status: 200},
		"model-created":       {method: "PUT", path: scope + "/models/taxi/versions/3", body: modelBody, status: 201},
		"model":               {before: []string{"PUT", scope + "/models/taxi/versions/3", modelBody}, method: "GET", path: scope + "/models/taxi/versions/3", status: 200},
		"models":              {before: []string{"PUT", scope + "/models/taxi/versions/3", modelBody}, method: "GET", path: scope + "/models/taxi/versions?$orderBy=createdtime%20desc&$top=1", status: 200},
		"models-none":         {method: "GET", path: scope + "/models/taxi/versions", status: 200},
		"model-container":     {before: []string{"PUT", scope + "/models/taxi/versions/3", modelBody}, method: "GET", path: scope + "/models/taxi", status: 200},
		"model-containers":    {before: []string{"PUT", scope + "/models/taxi/versions/3", modelBody}, method: "GET", path: scope + "/models", status: 200},
		"model-container-put": {method: "PUT", path: scope + "/models/taxi", body: `{"properties":{"description":"fares"}}`, status: 201},
		"model-moved":         {before: []string{"PUT", scope + "/models/taxi/versions/3", modelBody}, method: "PUT", path: scope + "/models/taxi/versions/3", body: strings.Replace(modelBody, "aa", "bb", 1), status: 400},
		"code":                {method: "PUT", path: scope + "/codes/c0de/versions/1", body: codeBody, status: 201},
		"code-by-hash":        {before: []string{"PUT", scope + "/codes/c0de/versions/1", codeBody}, method: "GET", path: scope + "/codes/other/versions?hash=aa&hashVersion=202208", status: 200},
		"code-by-other-hash":  {before: []string{"PUT", scope + "/codes/c0de/versions/1", codeBody}, method: "GET", path: scope + "/codes/c0de/versions?hash=bb&hashVersion=202208", status: 200},
		"environment":         {method: "PUT", path: scope + "/environments/env/versions/1", body: envBody, status: 201},
		"environment-again":   {before: []string{"PUT", scope + "/environments/env/versions/1", envBody}, method: "PUT", path: scope + "/environments/env/versions/1", body: envBody, status: 200},
		"environment-other":   {before: []string{"PUT", scope + "/environments/env/versions/1", envBody}, method: "PUT", path: scope + "/environments/env/versions/1", body: strings.Replace(envBody, "mcr", "acr", 1), status: 409},
		"pending-upload":      {method: "POST", path: scope + "/codes/c0de/versions/1/startPendingUpload", body: `{"pendingUploadType":"TemporaryBlobReference"}`, status: 200},
		"datastore":           {method: "GET", path: scope + "/datastores/workspaceblobstore", status: 200},
		"datastores":          {method: "GET", path: scope + "/datastores?isDefault=true", status: 200},
		"datastore-delete":    {method: "DELETE", path: scope + "/datastores/workspaceblobstore", status: 400},
		"datastore-put":       {method: "PUT", path: scope + "/datastores/mine", body: `{"properties":{"datastoreType":"AzureBlob","containerName":"mine"}}`, status: 201},
		"secrets-key":         {method: "POST", path: scope + "/datastores/workspaceblobstore/listSecrets", status: 200},
		"secrets-sas":         {method: "POST", path: scope + "/datastores/workspaceblobstore/listSecrets", body: `{"expirableSecret":true,"expireAfterHours":2}`, status: 200},
		"no-such-route":       {method: "GET", path: scope + "/pipelines", status: 404},
		"wrong-method":        {method: "PATCH", path: scope + "/models/taxi/versions/3", status: 405},
		"other-subscription":  {method: "GET", path: "/subscriptions/x/resourceGroups/hotswap/providers/Microsoft.MachineLearningServices/workspaces/local", status: 404},
		"other-group":         {method: "GET", path: strings.Replace(scope, "hotswap", "x", 1) + "/onlineEndpoints", status: 404},
		"other-workspace":     {method: "GET", path: strings.TrimSuffix(scope, "local") + "x/onlineEndpoints", status: 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			if tt.before != nil {
				if w := s.call(tt.before[0], tt.before[1], tt.before[2]); w.Code > 299 {
					t.Fatalf("before: %d %s", w.Code, w.Body)
				}
			}
			w := s.call(tt.method, tt.path, tt.body)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			golden(t, name, w.Body.Bytes())
		})
	}
}

func TestPathsCompareCaseInsensitively(t *testing.T) {
	s := newServer(t)
	s.call("PUT", scope+"/models/Taxi/versions/V3", modelBody)
	for _, path := range []string{
		"/SUBSCRIPTIONS/SUB/resourcegroups/HOTSWAP/Providers/microsoft.machinelearningservices/Workspaces/LOCAL/onlineendpoints/TAXI/Deployments/BLUE",
		strings.ToLower(scope) + "/MODELS/Taxi/Versions/V3",
		"//" + strings.TrimPrefix(blue, "/"),
		strings.Replace(blue, "blue", "bl%75e", 1),
	} {
		if w := s.call("GET", path, ""); w.Code != 200 {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		err    error
		status int
		code   string
		text   string
	}{
		"invalid":     {online.Errorf(online.Invalid, "no such slot"), 400, "BadRequest", "no such slot"},
		"conflict":    {online.Errorf(online.Conflict, "it is Updating"), 409, "Conflict", "it is Updating"},
		"locked":      {online.Errorf(online.Locked, "held"), 409, "Conflict", "held"},
		"stale fence": {online.Errorf(online.Stale, "fence 3 is older than 4"), 412, "PreconditionFailed", "fence 3 is older than 4"},
		"forbidden":   {online.Errorf(online.Forbidden, "a role is missing"), 403, "AuthorizationFailed", "a role is missing"},
		"unavailable": {online.Errorf(online.Unavailable, "the disc is full"), 503, "ServiceUnavailable", "the disc is full"},
		"our fault":   {errors.New("disk I/O error at /var/lib/x"), 500, "InternalServerError", "internal error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.control.err = tt.err
			w := s.call("PUT", scope+"/onlineEndpoints/taxi", endpointBody)
			body := w.Body.String()
			if w.Code != tt.status || w.Header().Get("x-ms-error-code") != tt.code || !strings.Contains(body, tt.text) || strings.Contains(body, "/var/lib") {
				t.Errorf("got %d %v %s", w.Code, w.Header(), body)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	s := newServer(t)
	w := s.call("PUT", scope+"/onlineEndpoints/taxi", strings.Repeat(" ", 4<<20)+endpointBody)
	if w.Code != 413 || w.Header().Get("x-ms-error-code") != "RequestEntityTooLarge" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAuthorisation(t *testing.T) {
	s := newServer(t)
	for name, header := range map[string]string{"none": "", "basic": "Basic " + s.token, "empty": "Bearer ", "other": "Bearer x.y.z", "cut": "Bearer " + s.token[:len(s.token)-4]} {
		for _, path := range []string{scope, "/subscriptions", "/tenants", blue} {
			r := httptest.NewRequest("GET", base+path, nil)
			r.Header.Set("Authorization", header)
			w := s.do(r)
			want := `Bearer authorization_uri="` + base + "/" + tenant + `"`
			if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), want) || w.Header().Get("x-ms-error-code") != "AuthenticationFailed" {
				t.Errorf("%s: GET %s: %d %v", name, path, w.Code, w.Header())
			}
		}
	}
	r := httptest.NewRequest("GET", base+blue, nil)
	r.Header.Set("Authorization", "bearer "+s.token)
	if w := s.do(r); w.Code != 200 {
		t.Errorf("scheme in lower case: %d", w.Code)
	}
}

func TestLogin(t *testing.T) {
	s := newServer(t)
	form := func(id, secret, scope string) string {
		return "grant_type=client_credentials&client_info=1&client_id=" + id + "&client_secret=" + secret + "&scope=" + scope
	}
	good := form(client, "secret", base+"/.default%20openid%20offline_access%20profile")
	tests := map[string]struct {
		tenant, form string
		status       int
		want         string
	}{
		"good":         {tenant, good, 200, `"token_type":"Bearer"`},
		"wrong secret": {tenant, form(client, "x", base+"/.default"), 401, `"error":"invalid_client"`},
		"wrong client": {tenant, form("x", "secret", base+"/.default"), 401, `"error":"invalid_client"`},
		"wrong tenant": {"common", good, 401, `"error":"invalid_client"`},
		"wrong scope":  {tenant, form(client, "secret", "https://x/.default"), 400, `"error":"invalid_scope"`},
		"no grant":     {tenant, "", 400, `"error":"unsupported_grant_type"`},
		"no form":      {tenant, "%zz", 400, "the body is not a form"},
	}
	var refusals []string
	for name, tt := range tests {
		r := httptest.NewRequest("POST", base+"/"+tt.tenant+"/oauth2/v2.0/token", strings.NewReader(tt.form))
		w := s.do(r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Code == 401 {
			refusals = append(refusals, volatile.ReplaceAllString(w.Body.String(), "?"))
		}
		if w.Code == 200 && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, w.Header().Get("Cache-Control"))
		}
	}
	if len(refusals) != 3 || refusals[0] != refusals[1] || refusals[1] != refusals[2] {
		t.Errorf("the refusals tell what is wrong: %v", refusals)
	}
}

func TestTokenOpensTheAPI(t *testing.T) {
	s := newServer(t)
	body := "grant_type=client_credentials&client_id=" + client + "&client_secret=secret&scope=" + base + "/.default"
	w := s.do(httptest.NewRequest("POST", base+"/"+tenant+"/oauth2/v2.0/token", strings.NewReader(body)))
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	s.token = answer.Token
	if w := s.call("GET", scope, ""); w.Code != 200 {
		t.Errorf("GET workspace: %d %s", w.Code, w.Body)
	}
}

func TestRegenerateKeys(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", scope+"/onlineEndpoints/taxi/regenerateKeys", `{"keyType":"secondary","keyValue":"SK"}`)
	if w.Code != 202 || s.control.value != "Secondary=SK" {
		t.Errorf("got %d, %q", w.Code, s.control.value)
	}
	if w := s.call("POST", scope+"/onlineEndpoints/taxi/regenerateKeys", `{"keyType":"Third"}`); w.Code != 400 {
		t.Errorf("a third key: %d", w.Code)
	}
}

func TestEndpointToken(t *testing.T) {
	s := newServer(t)
	if w := s.call("POST", scope+"/onlineEndpoints/taxi/token", ""); w.Code != 400 {
		t.Errorf("an endpoint with keys: %d", w.Code)
	}
	e := s.control.endpoints["taxi"]
	e.AuthMode = online.AMLTokenAuth
	s.control.endpoints["taxi"] = e
	w := s.call("POST", scope+"/onlineEndpoints/taxi/token", "")
	var token struct {
		AccessToken, TokenType             string
		ExpiryTimeUtc, RefreshAfterTimeUtc int64
	}
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || w.Code != 200 {
		t.Fatal(err, w.Code)
	}
	if token.TokenType != "Bearer" || token.RefreshAfterTimeUtc >= token.ExpiryTimeUtc {
		t.Errorf("got %+v", token)
	}
	s.token = token.AccessToken
	if w := s.call("GET", scope, ""); w.Code != 401 {
		t.Errorf("the management plane takes a token for scoring: %d", w.Code)
	}
}

func TestPatch(t *testing.T) {
	s := newServer(t)
	w := s.call("PATCH", blue, `{"sku":{"name":"Default","capacity":3},"tags":{"a":"b"}}`)
	if w.Code != 202 || w.Body.Len() != 0 || s.control.patch.Capacity == nil || *s.control.patch.Capacity != 3 || s.control.patch.Tags["a"] != "b" {
		t.Errorf("got %d %s, patch %+v", w.Code, w.Body, s.control.patch)
	}
	s.control.operation.Status = online.OperationSucceeded
	w = s.call("PATCH", scope+"/onlineEndpoints/taxi", `{"identity":{"type":"None"}}`)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"name":"taxi"`) || s.control.patch.Identity.Type != "None" || s.control.patch.Tags != nil {
		t.Errorf("got %d %s, patch %+v", w.Code, w.Body, s.control.patch)
	}
}

func TestDelete(t *testing.T) {
	tests := map[string]struct {
		path   string
		status int
	}{
		"endpoint":         {scope + "/onlineEndpoints/taxi", 202},
		"no endpoint":      {scope + "/onlineEndpoints/none", 204},
		"deployment":       {blue, 202},
		"no deployment":    {scope + "/onlineEndpoints/taxi/deployments/none", 204},
		"model":            {scope + "/models/taxi/versions/3", 200},
		"no model":         {scope + "/models/taxi/versions/4", 204},
		"model container":  {scope + "/models/taxi", 200},
		"no container":     {scope + "/models/none", 204},
		"datastore":        {scope + "/datastores/mine", 200},
		"no datastore":     {scope + "/datastores/none", 204},
		"code, absent":     {scope + "/codes/x/versions/1", 204},
		"environment gone": {scope + "/environments/x/versions/1", 204},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.call("PUT", scope+"/models/taxi/versions/3", modelBody)
			s.call("PUT", scope+"/datastores/mine", `{"properties":{"containerName":"mine"}}`)
			if w := s.call("DELETE", tt.path, ""); w.Code != tt.status || w.Body.Len() != 0 {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
		})
	}
}

func azureLike(o *api.Options) { o.AzureLike = true }

var _ http.Handler = (*api.Server)(nil)
