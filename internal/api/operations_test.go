package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"hotswap/internal/online"
)

func TestLongRunningHeaders(t *testing.T) {
	const status = "https://localhost:8443" + location + "/mfeOperationsStatus/op-1?api-version=2023-04-01"
	const result = "https://localhost:8443" + location + "/mfeOperationResults/op-1?api-version=2023-04-01"
	tests := map[string]struct {
		method, path, body string
		location           string
	}{
		"put endpoint":      {"PUT", "/onlineEndpoints/taxi", endpointBody, ""},
		"put deployment":    {"PUT", "/onlineEndpoints/taxi/deployments/blue", deploymentBody, ""},
		"patch endpoint":    {"PATCH", "/onlineEndpoints/taxi", `{"tags":{}}`, result},
		"delete endpoint":   {"DELETE", "/onlineEndpoints/taxi", "", result},
		"delete deployment": {"DELETE", "/onlineEndpoints/taxi/deployments/blue", "", result},
		"regenerate":        {"POST", "/onlineEndpoints/taxi/regenerateKeys", `{"keyType":"Primary"}`, result},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newServer(t).call(tt.method, scope+tt.path+"?api-version=2023-04-01", tt.body).Header()
			if got := h.Get("Azure-AsyncOperation"); got != status {
				t.Errorf("Azure-AsyncOperation %q, want %q", got, status)
			}
			if got := h.Get("Location"); got != tt.location {
				t.Errorf("Location %q, want %q", got, tt.location)
			}
			if h.Get("Retry-After") != "1" || h.Get("x-ms-async-operation-timeout") != "PT1H30M" {
				t.Errorf("headers %v", h)
			}
			if h := newServer(t, azureLike).call(tt.method, scope+tt.path, tt.body).Header(); h.Get("Retry-After") != "" {
				t.Errorf("like Azure: Retry-After %q, want none", h.Get("Retry-After"))
			}
		})
	}
}

// The URLs are on the host that the request came to: a client sends its token to no other.
func TestOperationIsOnTheRequestsHost(t *testing.T) {
	s := newServer(t)
	r := httptest.NewRequest("PUT", "https://127.0.0.1:9/x", strings.NewReader(endpointBody))
	r.URL.Path = scope + "/onlineEndpoints/taxi"
	r.Header.Set("Authorization", "Bearer "+s.token)
	w := s.do(r)
	if got := w.Header().Get("Azure-AsyncOperation"); !strings.HasPrefix(got, "https://127.0.0.1:9/subscriptions/") {
		t.Errorf("Azure-AsyncOperation %q", got)
	}
	if !strings.Contains(w.Body.String(), `"AzureAsyncOperationUri":"https://127.0.0.1:9/`) {
		t.Errorf("no AzureAsyncOperationUri in %s", w.Body)
	}
}

func TestOperations(t *testing.T) {
	tests := map[string]struct {
		op             online.Operation
		status, result int    // of the two URLs
		text           string // of the first's body
		retry          string // of the first
	}{
		"going on":  {online.Operation{Endpoint: "taxi", Status: online.InProgress}, 200, 202, `"status":"InProgress"`, "1"},
		"done":      {online.Operation{Endpoint: "taxi", Deployment: "blue", Status: online.OperationSucceeded, EndedAt: when}, 200, 200, `"endTime":"2026-01-02T03:04:05.000000Z"`, ""},
		"endpoint":  {online.Operation{Endpoint: "taxi", Status: online.OperationSucceeded, EndedAt: when}, 200, 200, `"status":"Succeeded"`, ""},
		"deleted":   {online.Operation{Endpoint: "taxi", Status: online.OperationSucceeded, Deletes: true}, 200, 204, `"status":"Succeeded"`, ""},
		"gone":      {online.Operation{Endpoint: "none", Status: online.OperationSucceeded}, 200, 204, `"status":"Succeeded"`, ""},
		"failed":    {online.Operation{Endpoint: "taxi", Status: online.OperationFailed, ErrorCode: "ResourceNotReady", ErrorMessage: "it crashed"}, 200, 409, `"error":{"code":"ResourceNotReady","message":"it crashed"`, ""},
		"cancelled": {online.Operation{Endpoint: "taxi", Status: online.OperationCanceled, ErrorCode: "OperationCanceled", ErrorMessage: "deleted"}, 200, 409, `"status":"Canceled"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			tt.op.ID, tt.op.StartedAt = "op-9", when
			s.control.operations["op-9"] = tt.op
			w := s.call("GET", location+"/mfeOperationsStatus/op-9", "")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) || w.Header().Get("Retry-After") != tt.retry {
				t.Errorf("status: %d %v %s", w.Code, w.Header(), w.Body)
			}
			w = s.call("GET", location+"/mfeOperationResults/op-9", "")
			if w.Code != tt.result {
				t.Errorf("result: %d %s, want %d", w.Code, w.Body, tt.result)
			}
			if tt.op.ErrorCode != "" && w.Header().Get("x-ms-error-code") != tt.op.ErrorCode {
				t.Errorf("result: code %q", w.Header().Get("x-ms-error-code"))
			}
		})
	}
	if w := newServer(t).call("GET", location+"/mfeOperationsStatus/none", ""); w.Code != 404 {
		t.Errorf("no such operation: %d", w.Code)
	}
}
