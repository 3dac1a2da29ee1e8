package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotswap/internal/api"
	"hotswap/internal/arm"
	"hotswap/internal/assets"
	"hotswap/internal/control"
	"hotswap/internal/identity"
	"hotswap/internal/online"
	"hotswap/internal/store"
)

const (
	base   = "https://localhost:8443"
	tenant = "11111111-2222-3333-4444-555555555555"
	client = "99999999-2222-3333-4444-555555555555"
)

var when = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fakeControl keeps what it is given and answers with the operation and the error it was told.
type fakeControl struct {
	endpoints   map[string]online.Endpoint
	deployments map[string]online.Deployment // by endpoint/name
	operations  map[string]online.Operation
	operation   online.Operation // of the next change
	err         error            // of every call
	patch       control.Patch    // the last one
	value       string           // which=value of the last RegenerateKey
}

func newFakeControl() *fakeControl {
	f := &fakeControl{
		endpoints: map[string]online.Endpoint{}, deployments: map[string]online.Deployment{}, operations: map[string]online.Operation{},
		operation: online.Operation{ID: "op-1", Status: online.InProgress, StartedAt: when},
	}
	f.endpoints["taxi"] = stampEndpoint(online.Endpoint{
		Name: "taxi", Location: "local", AuthMode: online.KeyAuth, Identity: online.Identity{Type: "SystemAssigned"},
		PublicNetworkAccess: "Enabled", Traffic: online.AllTo("blue"), Tags: map[string]string{"team": "a"},
	}, online.Succeeded)
	f.deployments["taxi/blue"] = stampDeployment(online.Deployment{
		Endpoint: "taxi", Name: "blue", Location: "local", InstanceType: "Standard_DS3_v2", InstanceCount: 2,
		Model: online.Ref{Kind: online.Models, Name: "taxi", Version: "3"},
		Code:  online.CodeConfiguration{Code: online.Ref{Kind: online.Codes, Name: "c0de", Version: "1"}, Script: "score.py"},
	}.WithDefaults(), online.Succeeded)
	return f
}

func stampEndpoint(e online.Endpoint, state online.ProvisioningState) online.Endpoint {
	e.State, e.CreatedAt, e.ModifiedAt = state, when, when
	e.ScoringURI = base + "/endpoints/" + e.Name + "/score"
	return e
}

func stampDeployment(d online.Deployment, state online.ProvisioningState) online.Deployment {
	d.State, d.CreatedAt, d.ModifiedAt = state, when, when
	return d
}

func find[T any](f *fakeControl, all map[string]T, name string) (T, error) {
	found, ok := all[name]
	if f.err != nil {
		return found, f.err
	}
	if !ok {
		return found, online.Errorf(online.NotFound, "%q was not found", name)
	}
	return found, nil
}

func (f *fakeControl) Endpoint(_ context.Context, name string) (online.Endpoint, error) {
	return find(f, f.endpoints, name)
}

func (f *fakeControl) Endpoints(context.Context) (all []online.Endpoint, _ error) {
	for _, e := range f.endpoints {
		all = append(all, e)
	}
	return all, f.err
}

func (f *fakeControl) PutEndpoint(_ context.Context, e online.Endpoint) (online.Endpoint, online.Operation, bool, error) {
	_, known := f.endpoints[e.Name]
	e = stampEndpoint(e, map[bool]online.ProvisioningState{true: online.Updating, false: online.Creating}[known])
	return e, f.operation, !known, f.err
}

func (f *fakeControl) PatchEndpoint(_ context.Context, name string, p control.Patch) (online.Endpoint, online.Operation, bool, error) {
	f.patch = p
	e, err := find(f, f.endpoints, name)
	return e, f.operation, false, err
}

func (f *fakeControl) DeleteEndpoint(_ context.Context, name string) (online.Operation, error) {
	_, err := find(f, f.endpoints, name)
	return f.operation, err
}

func (f *fakeControl) Deployment(_ context.Context, endpoint, name string) (online.Deployment, error) {
	return find(f, f.deployments, endpoint+"/"+name)
}

func (f *fakeControl) Deployments(context.Context, string) (all []online.Deployment, _ error) {
	for _, d := range f.deployments {
		all = append(all, d)
	}
	return all, f.err
}

func (f *fakeControl) PutDeployment(_ context.Context, d online.Deployment) (online.Deployment, online.Operation, bool, error) {
	_, known := f.deployments[d.Endpoint+"/"+d.Name]
	d = stampDeployment(d.WithDefaults(), map[bool]online.ProvisioningState{true: online.Updating, false: online.Creating}[known])
	return d, f.operation, !known, f.err
}

func (f *fakeControl) PatchDeployment(_ context.Context, endpoint, name string, p control.Patch) (online.Deployment, online.Operation, bool, error) {
	f.patch = p
	d, err := find(f, f.deployments, endpoint+"/"+name)
	return d, f.operation, false, err
}

func (f *fakeControl) DeleteDeployment(_ context.Context, endpoint, name string) (online.Operation, error) {
	_, err := find(f, f.deployments, endpoint+"/"+name)
	return f.operation, err
}

func (f *fakeControl) Keys(_ context.Context, endpoint string) (string, string, error) {
	_, err := find(f, f.endpoints, endpoint)
	return "PK", "SK", err
}

func (f *fakeControl) RegenerateKey(_ context.Context, _, which, value string) (online.Operation, error) {
	f.value = which + "=" + value
	return f.operation, f.err
}

func (f *fakeControl) Logs(_ context.Context, endpoint, deployment, container string, tail int) (string, error) {
	_, err := find(f, f.deployments, endpoint+"/"+deployment)
	return strings.Repeat(container+"\n", min(tail, 2)), err
}

func (f *fakeControl) Operation(_ context.Context, id string) (online.Operation, error) {
	return find(f, f.operations, id)
}

// fakeBlobs names what it was asked for.
type fakeBlobs struct{ container string }

func (f *fakeBlobs) CreateContainer(name string) error {
	f.container = name
	return nil
}

func (f *fakeBlobs) SAS(container, permissions string, ttl time.Duration) string {
	return "sr=c&sp=" + permissions + "&for=" + container + "&ttl=" + ttl.String()
}

// noFiles is an artifact store that the library need not ask.
type noFiles struct{ assets.Files }

func (noFiles) Account() string { return "hotswap" }

// owner is the principal of the good token; its secret is "secret".
var owner = identity.Record{
	Principal: identity.Principal{ClientID: client, TenantID: tenant, ObjectID: "o", Name: "deployer", Roles: []identity.Assignment{{Role: identity.Owner}}},
	Secret:    identity.HashSecret("secret"), CreatedAt: when,
}

// server is a management plane with its fakes and a token that is good for it.
type server struct {
	*api.Server
	control *fakeControl
	blobs   *fakeBlobs
	token   string

	authority *identity.Authority
	registry  *identity.Registry
}

func newServer(t *testing.T, change ...func(*api.Options)) *server {
	t.Helper()
	dir := t.TempDir()
	state, err := store.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	registry, err := identity.OpenRegistry(t.Context(), state)
	if err == nil {
		err = registry.Add(t.Context(), owner)
	}
	if err != nil {
		t.Fatal(err)
	}
	authority, err := identity.NewAuthority(identity.Options{
		Dir: dir, BaseURL: base, TenantID: tenant, Audiences: []string{base}, Principals: registry, Assertions: state,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{control: newFakeControl(), blobs: &fakeBlobs{}, authority: authority, registry: registry}
	o := api.Options{
		Workspace: arm.Workspace{
			Scope: arm.Scope{Subscription: "sub", ResourceGroup: "hotswap", Workspace: "local"},
			GUID:  "ws-guid", Tenant: tenant, Location: "local", Account: "hotswap", CreatedAt: when,
		},
		BaseURL: base, StorageKey: "a2V5", Control: s.control, Assets: assets.New(state, noFiles{}), Authority: authority, Principals: registry, Blobs: s.blobs,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&o)
	}
	if _, _, err := o.Assets.PutDatastore(t.Context(), assets.Datastore{Name: "workspaceblobstore", Container: "azureml-blobstore-ws-guid", Default: true}); err != nil {
		t.Fatal(err)
	}
	s.Server = api.New(o)
	s.token = s.tokenOf(t, owner.Principal)
	return s
}

// tokenOf is a token for the management plane.
func (s *server) tokenOf(t *testing.T, p identity.Principal) string {
	t.Helper()
	token, err := s.authority.Issue(identity.Claims{Principal: p, Audience: base})
	if err != nil {
		t.Fatal(err)
	}
	return token.Value
}

// call makes a request with the good token.
func (s *server) call(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+s.token)
	return s.do(r)
}

func (s *server) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}
