package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// credentials is the file with which clients log in, with the names of "az ad sp
// create-for-rbac --json-auth" and the two that name the workspace.
type credentials struct {
	ClientID                   string `json:"clientId"`
	ClientSecret               string `json:"clientSecret"`
	TenantID                   string `json:"tenantId"`
	SubscriptionID             string `json:"subscriptionId"`
	ResourceGroup              string `json:"resourceGroup"`
	WorkspaceName              string `json:"workspaceName"`
	ActiveDirectoryEndpointURL string `json:"activeDirectoryEndpointUrl"`
	ResourceManagerEndpointURL string `json:"resourceManagerEndpointUrl"`
	ManagementEndpointURL      string `json:"managementEndpointUrl"`
	ActiveDirectoryGraphID     string `json:"activeDirectoryGraphResourceId"`
	SQLManagementEndpointURL   string `json:"sqlManagementEndpointUrl"`
	GalleryEndpointURL         string `json:"galleryEndpointUrl"`
}

// writeCredentials puts the present URLs into the file of credentials. The secret is in that
// file only; where it is gone, a new service principal takes its place.
func (a *App) writeCredentials(ctx context.Context, p *parts) error {
	c, err := a.readCredentials(ctx, p)
	if err != nil {
		return err
	}
	if c.ClientSecret == "" {
		if c, err = a.newPrincipal(ctx, p); err != nil {
			return err
		}
	}
	old, url := c, a.URL()
	c.TenantID, c.SubscriptionID = p.workspace.Tenant, p.workspace.Subscription
	c.ResourceGroup, c.WorkspaceName = resourceGroup, workspaceName
	c.ActiveDirectoryEndpointURL, c.ResourceManagerEndpointURL, c.ManagementEndpointURL = url, url, url
	c.ActiveDirectoryGraphID, c.SQLManagementEndpointURL, c.GalleryEndpointURL = url, url, url
	if c == old {
		return nil
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = writeFile(a.credentials, append(text, '\n'))
	}
	if err != nil {
		return online.Errorf(online.Internal, "write the credentials: %w", err)
	}
	return nil
}

// readCredentials returns none where the file is gone, or its principal is not one of this state.
func (a *App) readCredentials(ctx context.Context, p *parts) (credentials, error) {
	text, err := os.ReadFile(a.credentials)
	if errors.Is(err, fs.ErrNotExist) {
		return credentials{}, nil
	}
	if err != nil {
		return credentials{}, online.Errorf(online.Internal, "read the credentials: %w", err)
	}
	var c credentials
	if err := json.Unmarshal(text, &c); err != nil {
		return credentials{}, online.Errorf(online.Invalid, "read the credentials: %s is damaged: %w; remove it to get a new service principal", a.credentials, err)
	}
	_, hash, err := p.state.Principal(ctx, c.ClientID)
	switch {
	case err != nil && online.CodeOf(err) != online.NotFound:
		return credentials{}, err
	case err != nil || !identity.CheckSecret(hash, c.ClientSecret):
		return credentials{}, nil
	}
	return c, nil
}

func (a *App) newPrincipal(ctx context.Context, p *parts) (credentials, error) {
	principal := identity.Principal{
		ClientID: uuid.NewString(), TenantID: p.workspace.Tenant, ObjectID: uuid.NewString(), Name: "hotswap", Roles: []string{"Owner"},
	}
	secret := identity.NewSecret()
	if err := p.state.PutPrincipal(ctx, principal, identity.HashSecret(secret)); err != nil {
		return credentials{}, online.Errorf(online.CodeOf(err), "make a service principal: %w", err)
	}
	a.options.Log.InfoContext(ctx, "service principal made", "client_id", principal.ClientID, "file", a.credentials)
	return credentials{ClientID: principal.ClientID, ClientSecret: secret}, nil
}

// writeFile puts a file for its owner only in the place of what is there, whole or not at all.
func writeFile(name string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".credentials-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
