// Package api serves the management plane: it turns requests into calls of the control plane and
// the library of assets, and what they return into Azure's replies. One file a resource; all
// routes are in routes.go. A handler returns its reply or an error; answer.go writes both.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"hotswap/internal/arm"
	"hotswap/internal/control"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// Endpoints is what the handlers of endpoints need from the control plane.
type Endpoints interface {
	Endpoint(ctx context.Context, name string) (online.Endpoint, error)
	Endpoints(ctx context.Context) ([]online.Endpoint, error)
	PutEndpoint(ctx context.Context, e online.Endpoint) (_ online.Endpoint, _ online.Operation, created bool, err error)
	PatchEndpoint(ctx context.Context, name string, p control.Patch) (_ online.Endpoint, _ online.Operation, created bool, err error)
	DeleteEndpoint(ctx context.Context, name string) (online.Operation, error)
}

// Deployments is what the handlers of deployments need from the control plane.
type Deployments interface {
	Deployment(ctx context.Context, endpoint, name string) (online.Deployment, error)
	Deployments(ctx context.Context, endpoint string) ([]online.Deployment, error)
	PutDeployment(ctx context.Context, d online.Deployment) (_ online.Deployment, _ online.Operation, created bool, err error)
	PatchDeployment(ctx context.Context, endpoint, name string, p control.Patch) (_ online.Deployment, _ online.Operation, created bool, err error)
	DeleteDeployment(ctx context.Context, endpoint, name string) (online.Operation, error)
}

// Actions is what the handlers of everything else need from the control plane.
type Actions interface {
	Keys(ctx context.Context, endpoint string) (primary, secondary string, err error)
	RegenerateKey(ctx context.Context, endpoint, which, value string) (online.Operation, error)
	Logs(ctx context.Context, endpoint, deployment, container string, tail int) (string, error)
	Operation(ctx context.Context, id string) (online.Operation, error)
}

// Control is the control plane.
type Control interface {
	Endpoints
	Deployments
	Actions
}

// Authority gives tokens and checks them.
type Authority interface {
	Grant(ctx context.Context, tenant string, form url.Values) (identity.Token, error)
	Verify(token, audience string) (identity.Claims, error)
	Issue(c identity.Claims) (identity.Token, error)
	JWKS() ([]byte, error)
}

// Blobs is the artifact store, of which clients get a signature that opens one container.
type Blobs interface {
	CreateContainer(name string) error
	SAS(container, permissions string, ttl time.Duration) string
}

// Options is what a Server is made of.
type Options struct {
	Workspace  arm.Workspace
	BaseURL    string        // of the server, like https://localhost:8443
	AzureLike  bool          // don't tell clients how soon to poll
	StorageKey string        // of the workspace's account, in base64
	MetricsLag time.Duration // the newest metrics read zero for so long; 0: they are final at once
	Control    Control
	Meter      Meter
	Assets     Assets
	Authority  Authority
	Principals Principals
	Blobs      Blobs
	Log        *slog.Logger
}

// Server is the http.Handler of the management plane.
type Server struct {
	Options
	mux *http.ServeMux
}

// New returns a Server with every route in place.
func New(o Options) *Server {
	s := &Server{Options: o, mux: http.NewServeMux()}
	for _, r := range s.routes() {
		s.mux.HandleFunc(canonicalPattern(r.pattern), s.serve(r))
	}
	return s
}

// ServeHTTP answers one request. Fixed words of its path compare case-insensitively.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = canonical(r)
	if _, pattern := s.mux.Handler(r); pattern == "" {
		s.serve(route{access: anyone, handle: s.noRoute})(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}
