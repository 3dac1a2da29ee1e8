package assets

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"hotswap/internal/online"
)

// Datastore names a container of the artifact store. The account and its host are the server's own.
type Datastore struct {
	Name        string
	Container   string
	Default     bool
	Description string
	Tags        map[string]string
	Properties  map[string]string

	// Set by the library; ignored in a request.
	CreatedAt, ModifiedAt time.Time
}

// PutDatastore makes a datastore, or changes it. Whether it is the default one stays as it was,
// and so does the container of the default one, which everything registered is in.
func (l *Library) PutDatastore(ctx context.Context, d Datastore) (kept Datastore, created bool, err error) {
	if !namePattern.MatchString(d.Name) || d.Container == "" {
		return kept, false, online.Errorf(online.Invalid, "datastore %q with container %q: want a name of letters, digits, '.', '_' and '-', and a container", d.Name, d.Container)
	}
	d.CreatedAt = time.Now().UTC()
	d.ModifiedAt = d.CreatedAt
	err = l.storage.ChangeDatastore(ctx, d.Name, func(document []byte) ([]byte, error) {
		if created = document == nil; !created {
			var old Datastore
			if err := json.Unmarshal(document, &old); err != nil {
				return nil, err
			}
			if old.Default && d.Container != old.Container {
				return nil, online.Errorf(online.Invalid, "datastore %q is the workspace's default one and keeps its container %s: make another datastore", old.Name, old.Container)
			}
			d.Name, d.CreatedAt, d.Default = old.Name, old.CreatedAt, old.Default
		}
		return json.Marshal(d)
	})
	return d, created, err
}

// GetDatastore returns a datastore; without it, online.NotFound.
func (l *Library) GetDatastore(ctx context.Context, name string) (Datastore, error) {
	all, err := l.ListDatastores(ctx)
	if err != nil {
		return Datastore{}, err
	}
	for _, d := range all {
		if strings.EqualFold(d.Name, name) {
			return d, nil
		}
	}
	return Datastore{}, online.Errorf(online.NotFound, "datastore %q was not found", name)
}

// ListDatastores lists the datastores in the order they were made.
func (l *Library) ListDatastores(ctx context.Context) ([]Datastore, error) {
	documents, err := l.storage.Datastores(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Datastore, len(documents))
	for i, document := range documents {
		if err := json.Unmarshal(document, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// DeleteDatastore deletes a datastore, not its files; without it, online.NotFound. The default one
// stays: no model can be uploaded without it.
func (l *Library) DeleteDatastore(ctx context.Context, name string) error {
	return l.storage.ChangeDatastore(ctx, name, func(document []byte) ([]byte, error) {
		if document == nil {
			return nil, online.Errorf(online.NotFound, "datastore %q was not found", name)
		}
		var old Datastore
		if err := json.Unmarshal(document, &old); err != nil {
			return nil, err
		}
		if old.Default {
			return nil, online.Errorf(online.Invalid, "datastore %q is the workspace's default one, which cannot be deleted", old.Name)
		}
		return nil, nil
	})
}
