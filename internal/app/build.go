package app

import (
	"context"
	"encoding/base64"
	"path/filepath"

	"hotswap/internal/api"
	"hotswap/internal/arm"
	"hotswap/internal/assets"
	"hotswap/internal/blob"
	"hotswap/internal/certs"
	"hotswap/internal/control"
	"hotswap/internal/environ"
	"hotswap/internal/gateway"
	"hotswap/internal/identity"
	"hotswap/internal/meter"
	"hotswap/internal/store"
	"hotswap/internal/workers/process"
)

// The resources that Azure's clients ask tokens for besides the management plane.
const (
	scoringAudience = "https://ml.azure.com"
	storageAudience = "https://storage.azure.com"
)

// parts are what is built on the way to the servers.
type parts struct {
	state     *store.Store
	keyring   *identity.Keyring
	workspace arm.Workspace
	key       []byte // of the artifact store's account
	registry  *identity.Registry
	authority *identity.Authority
	blobs     *blob.Store
	library   *assets.Library
	meter     *meter.Meter
	gateway   *gateway.Gateway
}

// build makes the parts, each with what it needs of those before it.
func (a *App) build(ctx context.Context) error {
	p := new(parts)
	for _, step := range []func(context.Context, *parts) error{
		func(context.Context, *parts) error { return a.folder() },
		func(context.Context, *parts) error { return a.lock() },
		func(ctx context.Context, _ *parts) error { return a.listen(ctx) },
		a.openState, a.openWorkspace, a.openIdentity, a.openBlobs, a.buildControl, a.buildServers,
	} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) path(name string) string { return filepath.Join(a.options.StateDir, name) }

func (a *App) openState(ctx context.Context, p *parts) (err error) {
	if p.keyring, err = identity.LoadKeyring(a.options.StateDir); err != nil {
		return err
	}
	if p.state, err = store.Open(ctx, a.path("state.db")); err != nil {
		return err
	}
	a.onStop("state file", func(context.Context) error { return p.state.Close() })
	return nil
}

func (a *App) openIdentity(ctx context.Context, p *parts) (err error) {
	if p.registry, err = identity.OpenRegistry(ctx, p.state); err != nil {
		return err
	}
	p.authority, err = identity.NewAuthority(identity.Options{
		Dir: a.options.StateDir, BaseURL: a.URL(), TenantID: p.workspace.Tenant,
		Audiences: []string{a.URL(), scoringAudience, storageAudience}, Principals: p.registry, Assertions: p.state,
	})
	if err != nil {
		return err
	}
	if a.certs, err = certs.Load(a.path("certs"), hosts(a.options.Hostname)); err != nil {
		return err
	}
	return a.writeCredentials(ctx, p)
}

// hosts are the names that the certificate needs besides those it always has.
func hosts(name string) []string {
	if name == "localhost" {
		return nil
	}
	return []string{name}
}

func (a *App) openBlobs(ctx context.Context, p *parts) (err error) {
	p.blobs, err = blob.New(blob.Options{
		Dir: a.path("blobs"), Account: account, Key: p.key, Log: a.options.Log,
		Bearer: func(token string) blob.Access { return blobAccess(p.authority, token) },
	})
	if err != nil {
		return err
	}
	p.library = assets.New(p.state, p.blobs)
	return a.makeDatastore(ctx, p)
}

func (a *App) buildControl(ctx context.Context, p *parts) error {
	launcher, err := process.New(process.Options{
		Dir: a.options.StateDir, Guard: a.options.Guard, Fetch: p.library, Log: a.options.Log,
		Environments: environ.New(environ.Options{
			Dir: a.options.StateDir, Strict: a.options.Strict, Run: process.Once(a.options.Guard), Log: a.options.Log,
		}),
	})
	if err != nil {
		return err
	}
	p.meter = meter.New()
	p.gateway = gateway.New(gateway.Options{
		VerifyToken: func(endpoint, token string) bool {
			return mayScore(p.authority, token, a.scoringURI(endpoint), endpoint) || mayScore(p.authority, token, scoringAudience, endpoint)
		},
		Stuck: launcher.Restart, Meter: p.meter, Log: a.options.Log,
	})
	a.control = control.New(ctx, control.Options{
		Store: p.state, Gateway: p.gateway, Launcher: launcher, Assets: p.library, Keyring: p.keyring,
		ScoringURI: a.scoringURI, AzureLike: a.options.AzureLike, Log: a.options.Log,
	})
	a.onStop("connections", a.awaitConnections)
	a.onStop("control plane", a.control.Close)
	return nil
}

// scoringURI is where an endpoint is scored.
func (a *App) scoringURI(endpoint string) string {
	return a.ScoringURL() + "/endpoints/" + endpoint + "/score"
}

// mayScore reports whether a token for audience is of somebody who may score an endpoint.
func mayScore(authority *identity.Authority, token, audience, endpoint string) bool {
	claims, err := authority.Verify(token, audience)
	return err == nil && claims.May(identity.Scorer, endpoint)
}

// blobAccess is what a token opens of the artifact store. It has one lock on all of it, so that who
// deploys one endpoint, whose files and journal are there, opens what is of the others too.
func blobAccess(authority *identity.Authority, token string) blob.Access {
	claims, err := authority.Verify(token, storageAudience)
	return blob.Access{
		Known: err == nil,
		Read:  err == nil && (claims.May(identity.Reader, "") || claims.MaySomewhere(identity.Deployer)),
		Write: err == nil && claims.MaySomewhere(identity.Deployer),
	}
}

func (a *App) buildServers(_ context.Context, p *parts) error {
	management := api.New(api.Options{
		Workspace: p.workspace, BaseURL: a.URL(), AzureLike: a.options.AzureLike,
		StorageKey: base64.StdEncoding.EncodeToString(p.key),
		MetricsLag: a.options.MetricsLag, Control: a.control, Meter: p.meter, Assets: p.library, Authority: p.authority, Principals: p.registry, Blobs: p.blobs, Log: a.options.Log,
	})
	a.serveAll(management, p)
	return nil
}
