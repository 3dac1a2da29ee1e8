package azure_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotswap/internal/azure"
	"hotswap/internal/online"
)

var comparing = cmp.AllowUnexported(online.Traffic{})

func TestEndpoint(t *testing.T) {
	_, o := newFakeAzure(t)
	c := connect(t, o)
	_, err := c.Endpoint(t.Context(), "taxi")
	wantCode(t, "read before it is there", err, online.NotFound)
	want := online.Endpoint{
		Name: "taxi", Description: "fares", Tags: map[string]string{"hotswap.fence": "3"}, Properties: map[string]string{"p": "q"},
		AuthMode: online.KeyAuth, Identity: online.Identity{Type: "UserAssigned", UserAssigned: []string{"/id"}}, PublicNetworkAccess: "Disabled",
		Traffic: online.AllTo("blue"), Mirror: online.Mirror{Deployment: "green", Percent: 10},
	}
	got, err := c.PutEndpoint(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.ScoringURI, "/score") || got.CreatedAt.IsZero() {
		t.Errorf("read back %+v", got)
	}
	want.Location, want.State, want.ScoringURI = "local", online.Succeeded, got.ScoringURI
	want.CreatedAt, want.ModifiedAt, want.CreatedBy = got.CreatedAt, got.ModifiedAt, "me"
	if diff := cmp.Diff(want, got, comparing); diff != "" {
		t.Error(diff)
	}
	if _, err := c.PutEndpoint(t.Context(), online.Endpoint{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	all, err := c.Endpoints(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "other" || all[1].Name != "taxi" {
		t.Errorf("Endpoints = %v, %v; want other and taxi", all, err)
	}
	for range 2 { // the second time it is not there
		if err := c.DeleteEndpoint(t.Context(), "taxi"); err != nil {
			t.Error(err)
		}
	}
	_, err = c.Endpoint(t.Context(), "taxi")
	wantCode(t, "read after it was deleted", err, online.NotFound)
}

// A read may lag behind a write that has succeeded; the client waits for it.
func TestStaleReads(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	e := online.Endpoint{Name: "taxi", Location: "local"}
	if _, err := c.PutEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	old, reads := maps.Clone(f.resources[workspacePath+"/onlineendpoints/taxi"]), 0
	f.hooks["GET /onlineendpoints/taxi"] = func(w http.ResponseWriter, r *http.Request) {
		if reads++; reads < 4 {
			reply(w, 200, old)
			return
		}
		f.manage(w, r, strings.ToLower(r.URL.Path))
	}
	f.mu.Unlock()
	e.Traffic = online.AllTo("green")
	got, err := c.PutEndpoint(t.Context(), e)
	if err != nil || got.Traffic.Live() != "green" {
		t.Errorf("PutEndpoint = %v, %v; want all to green", got.Traffic, err)
	}
}

func deployment() online.Deployment {
	return online.Deployment{
		Endpoint: "taxi", Name: "green", Location: "local", Description: "second", Tags: map[string]string{"hotswap.rollout": "r1"},
		Model:       online.Ref{Kind: online.Models, Name: "taxi-fare", Version: "2"},
		Code:        online.CodeConfiguration{Code: online.Ref{Kind: online.Codes, Name: "c", Version: "1"}, Script: "score.py"},
		Environment: online.Ref{Kind: online.Environments, Name: "sklearn", Version: "@latest", Registry: "azureml"},
		Variables:   map[string]string{"WORKER_COUNT": "2"}, InstanceType: "Standard_DS3_v2", InstanceCount: 2,
		Request:       online.RequestSettings{MaxConcurrentRequestsPerInstance: 32, Timeout: 90 * time.Second, MaxQueueWait: 500 * time.Millisecond},
		DataCollector: []byte(`{"collections":{"in":{"dataCollectionMode":"Enabled","samplingRate":0.5}},"rollingRate":"Hour"}`),
	}.WithDefaults()
}

func TestDeployment(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	want := deployment()
	got, err := c.PutDeployment(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	want.State, want.CreatedAt, want.ModifiedAt, want.CreatedBy = online.Succeeded, got.CreatedAt, got.ModifiedAt, "me"
	if diff := cmp.Diff(want, got.Deployment); diff != "" {
		t.Error(diff)
	}
	second := deployment()
	second.Name, second.InstanceCount = "blue", 3
	if _, err := c.PutDeployment(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	all, err := c.Deployments(t.Context(), "taxi")
	if err != nil || len(all) != 2 || all[1].Fingerprint != got.Fingerprint || all[0].Fingerprint == got.Fingerprint {
		t.Errorf("Deployments = %+v, %v; want blue and green with their own fingerprints", all, err)
	}
	f.mu.Lock()
	f.hooks["POST /onlineendpoints/taxi/deployments/green/getlogs"] = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reply(w, 200, map[string]any{"content": "asked for " + string(body)})
	}
	f.mu.Unlock()
	if log, err := c.Logs(t.Context(), "taxi", "green", "InferenceServer", 20); err != nil || log != `asked for {"containerType":"InferenceServer","tail":20}` {
		t.Errorf("Logs = %q, %v", log, err)
	}
	if err := c.DeleteDeployment(t.Context(), "taxi", "green"); err != nil {
		t.Error(err)
	}
	_, err = c.Deployment(t.Context(), "taxi", "green")
	wantCode(t, "read after it was deleted", err, online.NotFound)
}

func TestOperationFails(t *testing.T) {
	tests := map[string]struct {
		outcome string
		want    online.Code
		words   []string
	}{
		"with a log": {
			`{"status":"Failed","error":{"code":"ResourceNotReady","message":"User container has crashed:\nValueError: no model"}}`,
			online.Refused,
			[]string{`write deployment "green" of endpoint "taxi": User container has crashed:` + "\nValueError: no model (ResourceNotReady)"},
		},
		"in the service":     {`{"status":"Failed","error":{"code":"InternalServerError","message":"oops"}}`, online.Unavailable, []string{"oops"}},
		"by another write":   {`{"status":"Canceled","error":{"code":"OperationCanceled","message":"overtaken"}}`, online.Conflict, []string{"overtaken"}},
		"without any reason": {`{"status":"Failed"}`, online.Refused, []string{"no reason"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, o := newFakeAzure(t)
			f.outcome = tt.outcome
			_, err := connect(t, o).PutDeployment(t.Context(), deployment())
			wantCode(t, "write", err, tt.want, tt.words...)
		})
	}
}

func TestFingerprint(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	first, err := c.PutDeployment(t.Context(), deployment())
	if err != nil {
		t.Fatal(err)
	}
	path := workspacePath + "/onlineendpoints/taxi/deployments/green"
	properties := func() map[string]any { return f.resources[path]["properties"].(map[string]any) }
	same := map[string]func(){
		"nothing":             func() {},
		"state":               func() { properties()["provisioningState"] = "Updating" },
		"address of a status": func() { properties()["properties"] = map[string]any{"AzureAsyncOperationUri": "https://x"} },
		"something empty":     func() { properties()["description2"] = nil; properties()["x"] = map[string]any{} },
		"time of change":      func() { f.resources[path]["systemData"].(map[string]any)["lastModifiedAt"] = "2027-01-01T00:00:00Z" },
	}
	other := map[string]func(){
		"tags":                 func() { f.resources[path]["tags"].(map[string]any)["a"] = "b" },
		"instances":            func() { f.resources[path]["sku"].(map[string]any)["capacity"] = 3 },
		"a variable":           func() { properties()["environmentVariables"].(map[string]any)["WORKER_COUNT"] = "3" },
		"the model":            func() { properties()["model"] = "azureml:taxi-fare:3" },
		"what we don't know":   func() { properties()["startupProbe"] = map[string]any{"period": "PT1S"} },
		"created anew":         func() { f.resources[path]["systemData"].(map[string]any)["createdAt"] = "2027-01-01T00:00:00Z" },
		"a probe's threshold":  func() { properties()["livenessProbe"].(map[string]any)["failureThreshold"] = 31 },
		"a deeper new setting": func() { properties()["dataCollector"].(map[string]any)["rollingRate"] = "Day" },
	}
	read := func(change func()) string {
		f.mu.Lock()
		change()
		f.mu.Unlock()
		d, err := c.Deployment(t.Context(), "taxi", "green")
		if err != nil {
			t.Fatal(err)
		}
		return d.Fingerprint
	}
	for name, change := range same {
		if got := read(change); got != first.Fingerprint {
			t.Errorf("%s: fingerprint %s, want that of before, %s", name, got, first.Fingerprint)
		}
	}
	seen := map[string]bool{first.Fingerprint: true}
	for name, change := range other {
		got := read(change)
		if seen[got] {
			t.Errorf("%s: the fingerprint %s was seen before", name, got)
		}
		seen[got] = true
	}
	f.mu.Lock()
	delete(f.resources[path], "systemData")
	f.mu.Unlock()
	_, err = c.Deployment(t.Context(), "taxi", "green")
	wantCode(t, "a deployment without a time", err, online.Internal, "createdAt")
}

func TestScore(t *testing.T) {
	f, o := newFakeAzure(t)
	c := connect(t, o)
	e, err := c.PutEndpoint(t.Context(), online.Endpoint{Name: "taxi", Location: "local"})
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	sent := 0
	f.hooks["POST /onlineendpoints/taxi/listkeys"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `{"primaryKey":"PK"}`) }
	f.hooks["POST /onlineendpoints/taxi/token"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, `{"accessToken":"AT"}`) }
	f.hooks["score"] = func(w http.ResponseWriter, r *http.Request) {
		sent++
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("azureml-model-deployment", "green")
		w.WriteHeader(424)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Header.Get("Authorization"), r.Header.Get("azureml-model-deployment"), r.Header.Get("Content-Type"), r.Header.Get("X-Extra"), body)
	}
	f.mu.Unlock()
	for mode, bearer := range map[online.AuthMode]string{online.KeyAuth: "PK", online.AMLTokenAuth: "AT", online.AADTokenAuth: "token"} {
		e.AuthMode = mode
		a, err := c.Score(t.Context(), azure.Request{Endpoint: e, Deployment: "green", Header: http.Header{"X-Extra": {"x"}}, Body: []byte("[1]")})
		if want := "Bearer " + bearer + " green application/json x [1]"; err != nil || a.Status != 424 || a.Deployment != "green" || string(a.Body) != want || a.Duration <= 0 {
			t.Errorf("%s: Score = %d %s %q, %v; want 424 green %q", mode, a.Status, a.Deployment, a.Body, err, want)
		}
	}
	if a, err := c.Score(t.Context(), azure.Request{Endpoint: e, Deployment: "green", Key: "given"}); err != nil || !strings.HasPrefix(string(a.Body), "Bearer given green") {
		t.Errorf("with a key that was given: %q, %v", a.Body, err)
	}
	f.mu.Lock()
	f.hooks["score"] = func(http.ResponseWriter, *http.Request) { sent++; panic(http.ErrAbortHandler) }
	sent = 0
	f.mu.Unlock()
	_, err = c.Score(t.Context(), azure.Request{Endpoint: e})
	wantCode(t, "a score without an answer", err, online.Unavailable)
	if sent != 1 {
		t.Errorf("the request was sent %d times, want once", sent)
	}
}
