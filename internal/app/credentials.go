package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// writeCredentials puts the present URLs into the file of credentials. The secret is in that
// file only; where it is gone, a new service principal takes its place.
func (a *App) writeCredentials(ctx context.Context, p *parts) error {
	c, err := a.readCredentials(p)
	if err != nil {
		return err
	}
	if c.ClientSecret == "" {
		if c, err = a.newPrincipal(ctx, p); err != nil {
			return err
		}
	}
	old := c
	if c = arm.NewCredential(p.workspace, a.URL(), c.ClientID, c.ClientSecret); c == old {
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
func (a *App) readCredentials(p *parts) (arm.Credential, error) {
	text, err := os.ReadFile(a.credentials)
	if errors.Is(err, fs.ErrNotExist) {
		return arm.Credential{}, nil
	}
	if err != nil {
		return arm.Credential{}, online.Errorf(online.Internal, "read the credentials: %w", err)
	}
	var c arm.Credential
	if err := json.Unmarshal(text, &c); err != nil {
		return arm.Credential{}, online.Errorf(online.Invalid, "read the credentials: %s is damaged: %w; remove it to get a new service principal", a.credentials, err)
	}
	if record, found := p.registry.Find(c.ClientID); !found || !identity.CheckSecret(record.Secret, c.ClientSecret) {
		return arm.Credential{}, nil
	}
	return c, nil
}

// newPrincipal makes an owner. The one whose file is gone stays, and so does what it may do: somebody
// else may log in as it.
func (a *App) newPrincipal(ctx context.Context, p *parts) (arm.Credential, error) {
	secret := identity.NewSecret()
	record := identity.Record{
		Principal: identity.Principal{
			ClientID: uuid.NewString(), TenantID: p.workspace.Tenant, ObjectID: uuid.NewString(), Name: "hotswap",
			Roles: []identity.Assignment{{Role: identity.Owner}},
		},
		Secret: identity.HashSecret(secret), CreatedAt: time.Now().UTC(),
	}
	if _, err := p.registry.Named(record.Name); online.CodeOf(err) != online.NotFound {
		record.Name += "-" + record.ClientID[:8]
	}
	if err := p.registry.Add(ctx, record); err != nil {
		return arm.Credential{}, online.Errorf(online.CodeOf(err), "make a service principal: %w", err)
	}
	a.options.Log.InfoContext(ctx, "service principal made", "name", record.Name, "client_id", record.ClientID, "file", a.credentials)
	return arm.Credential{ClientID: record.ClientID, ClientSecret: secret}, nil
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
