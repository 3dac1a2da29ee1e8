package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/arm"
	"hotswap/internal/assets"
	"hotswap/internal/online"
)

// What the one workspace is called.
const (
	resourceGroup = "hotswap"
	workspaceName = "local"
	region        = "local"
	account       = "hotswap" // of the artifact store
	datastore     = "workspaceblobstore"
)

// saved is what the state file keeps of the workspace.
type saved struct {
	Subscription, Tenant, Workspace string // GUIDs
	StorageKey                      []byte // sealed
	CreatedAt                       time.Time
}

const (
	workspaceSetting = "workspace"
	storageKeyOwner  = "key of the storage account"
)

// openWorkspace reads the workspace, and makes it at the first start.
func (a *App) openWorkspace(ctx context.Context, p *parts) error {
	document, err := p.state.Setting(ctx, workspaceSetting)
	if err != nil && online.CodeOf(err) == online.NotFound {
		document, err = a.makeWorkspace(ctx, p)
	}
	if err != nil {
		return online.Errorf(online.CodeOf(err), "open the workspace: %w", err)
	}
	var w saved
	if err := json.Unmarshal(document, &w); err != nil {
		return online.Errorf(online.Internal, "open the workspace: %w", err)
	}
	p.workspace = arm.Workspace{
		Scope: arm.Scope{Subscription: w.Subscription, ResourceGroup: resourceGroup, Workspace: workspaceName},
		GUID:  w.Workspace, Tenant: w.Tenant, Location: region, Account: account, CreatedAt: w.CreatedAt,
	}
	p.key, err = p.keyring.Open(w.StorageKey, storageKeyOwner)
	return err
}

func (a *App) makeWorkspace(ctx context.Context, p *parts) ([]byte, error) {
	key := make([]byte, 64) // as long as Azure's
	_, _ = rand.Read(key)   // never fails
	document, err := json.Marshal(saved{
		Subscription: uuid.NewString(), Tenant: uuid.NewString(), Workspace: uuid.NewString(),
		StorageKey: p.keyring.Seal(key, storageKeyOwner), CreatedAt: time.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	return document, p.state.PutSetting(ctx, workspaceSetting, document)
}

// makeDatastore makes the datastore that every workspace has, with its container.
func (a *App) makeDatastore(ctx context.Context, p *parts) error {
	container := "azureml-blobstore-" + p.workspace.GUID
	if err := p.blobs.CreateContainer(container); err != nil {
		return err
	}
	_, err := p.library.GetDatastore(ctx, datastore)
	if err != nil && online.CodeOf(err) == online.NotFound {
		_, _, err = p.library.PutDatastore(ctx, assets.Datastore{Name: datastore, Container: container, Default: true})
	}
	return err
}
