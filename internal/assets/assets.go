// Package assets is the library of what deployments are made of: models, code folders and
// environments, each with versions that don't change once made, and the datastores that hold
// their files.
package assets

import (
	"context"
	"io"
	"regexp"
	"strings"

	"hotswap/internal/blob"
	"hotswap/internal/online"
)

// Storage keeps the documents of assets. It knows nothing of what is in them. A change runs in
// one transaction: document is nil where there is none, and a nil result deletes it.
type Storage interface {
	Asset(ctx context.Context, ref online.Ref) (document []byte, err error)
	Assets(ctx context.Context, kind online.AssetKind, name string) (documents [][]byte, err error) // "" means all names
	ChangeAsset(ctx context.Context, ref online.Ref, change func(document []byte) ([]byte, error)) error
	ContainerStorage
	DatastoreStorage
}

// ContainerStorage is the part of Storage for containers.
type ContainerStorage interface {
	Containers(ctx context.Context, kind online.AssetKind) (documents [][]byte, err error)
	ChangeContainer(ctx context.Context, kind online.AssetKind, name string, change func(document []byte) ([]byte, error)) error
	DeleteContainer(ctx context.Context, kind online.AssetKind, name string) (found bool, err error) // with its versions
}

// DatastoreStorage is the part of Storage for datastores.
type DatastoreStorage interface {
	Datastores(ctx context.Context) (documents [][]byte, err error)
	ChangeDatastore(ctx context.Context, name string, change func(document []byte) ([]byte, error)) error
}

// Files is the artifact store.
type Files interface {
	Account() string
	List(container, prefix string) ([]blob.Item, error)
	Open(container, name string) (io.ReadCloser, blob.Properties, error)
}

// Library holds the assets of the workspace.
type Library struct {
	storage Storage
	files   Files
}

// New returns the library whose documents are in storage and whose files are in files.
func New(storage Storage, files Files) *Library { return &Library{storage, files} }

// ErrImmutable refuses to move a version to other files. Clients look for exactly this text
// together with the code UserError (azure-ai-ml 1.34.0, _utils/_asset_utils.py).
var ErrImmutable = online.Errorf(online.Invalid, "Asset paths cannot be updated.")

// Latest is the label of an asset's newest version that is not archived.
const Latest = "@latest"

// Names and versions of assets (learn.microsoft.com, Model Versions - Create Or Update:
// ^[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}$; a dot is allowed here too, as users' versions have them).
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$`)

func checkRef(ref online.Ref) error {
	for word, name := range map[string]string{"name": ref.Name, "version": ref.Version} {
		if !namePattern.MatchString(name) {
			return online.Errorf(online.Invalid, "%s %q of an asset in %s: want letters, digits, '.', '_' and '-', a letter or a digit first", word, name, ref.Kind)
		}
	}
	return nil
}

// Resolve returns the version that a reference names, with its label replaced by a version.
func (l *Library) Resolve(ctx context.Context, ref online.Ref) (online.Ref, error) {
	a, err := l.find(ctx, ref)
	return a.Ref, err
}

// find reads what all kinds of assets have in common.
func (l *Library) find(ctx context.Context, ref online.Ref) (online.Asset, error) {
	switch ref.Kind {
	case online.Models:
		m, err := models.get(ctx, l, ref)
		return m.Asset, err
	case online.Codes:
		c, err := codes.get(ctx, l, ref)
		return c.Asset, err
	case online.Environments:
		e, err := environments.get(ctx, l, ref)
		return e.Asset, err
	}
	return online.Asset{}, online.Errorf(online.Invalid, "asset %s is of no known kind", ref)
}

// Conda returns the text of an environment's conda file, "" where it has none.
func (l *Library) Conda(ctx context.Context, ref online.Ref) (string, error) {
	e, err := environments.get(ctx, l, ref)
	return e.CondaFile, err
}

func notFound(ref online.Ref) error {
	what := strings.TrimSuffix(string(ref.Kind), "s")
	if ref.Registry != "" {
		return online.Errorf(online.NotFound, "%s %s was not found: this server has no registries; register it in the workspace", what, ref)
	}
	return online.Errorf(online.NotFound, "%s %s was not found", what, ref)
}
