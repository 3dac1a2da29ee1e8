package store

import (
	"context"
	"errors"

	"hotswap/internal/online"
)

// Asset reads the document of one version of an asset; without it, online.NotFound.
func (s *Store) Asset(ctx context.Context, ref online.Ref) (document []byte, err error) {
	err = s.View(ctx, func(tx *Tx) (err error) {
		document, err = tx.asset(ctx, ref)
		return err
	})
	return document, err
}

func (tx *Tx) asset(ctx context.Context, ref online.Ref) ([]byte, error) {
	return one(ctx, tx, scanDocument, "asset "+ref.String(),
		"SELECT document FROM assets WHERE kind = ? AND name = ? AND version = ?", ref.Kind, ref.Name, ref.Version)
}

// Assets reads the documents of all versions of an asset in the order they were made;
// the name "" means of all assets of the kind.
func (s *Store) Assets(ctx context.Context, kind online.AssetKind, name string) ([][]byte, error) {
	return s.documents(ctx, "SELECT document FROM assets WHERE kind = ?1 AND (?2 = '' OR name = ?2) ORDER BY rowid", kind, name)
}

// ChangeAsset puts what change makes of the document of one version in its place: it is nil
// where there is none, and a nil result deletes it. After an error nothing has changed.
func (s *Store) ChangeAsset(ctx context.Context, ref online.Ref, change func(document []byte) ([]byte, error)) error {
	return s.Update(ctx, func(tx *Tx) error {
		return changeDocument(change, func() ([]byte, error) { return tx.asset(ctx, ref) },
			func(document []byte) error {
				if document == nil {
					return tx.put(ctx, "DELETE FROM assets WHERE kind = ? AND name = ? AND version = ?", ref.Kind, ref.Name, ref.Version)
				}
				return tx.put(ctx, `INSERT INTO assets (kind, name, version, document) VALUES (?, ?, ?, ?)
					ON CONFLICT (kind, name, version) DO UPDATE SET document = excluded.document`, ref.Kind, ref.Name, ref.Version, document)
			})
	})
}

// Containers reads the documents of all containers of a kind that were put as such.
func (s *Store) Containers(ctx context.Context, kind online.AssetKind) ([][]byte, error) {
	return s.documents(ctx, "SELECT document FROM containers WHERE kind = ? ORDER BY rowid", kind)
}

// ChangeContainer is like ChangeAsset for a container.
func (s *Store) ChangeContainer(ctx context.Context, kind online.AssetKind, name string, change func([]byte) ([]byte, error)) error {
	return s.Update(ctx, func(tx *Tx) error {
		read := func() ([]byte, error) {
			return one(ctx, tx, scanDocument, "container "+name, "SELECT document FROM containers WHERE kind = ? AND name = ?", kind, name)
		}
		return changeDocument(change, read, func(document []byte) error {
			if document == nil {
				return tx.put(ctx, "DELETE FROM containers WHERE kind = ? AND name = ?", kind, name)
			}
			return tx.put(ctx, `INSERT INTO containers (kind, name, document) VALUES (?, ?, ?)
				ON CONFLICT (kind, name) DO UPDATE SET document = excluded.document`, kind, name, document)
		})
	})
}

// DeleteContainer deletes a container with all its versions and says whether there was anything.
func (s *Store) DeleteContainer(ctx context.Context, kind online.AssetKind, name string) (found bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		versions, err := tx.exec(ctx, "DELETE FROM assets WHERE kind = ? AND name = ?", kind, name)
		if err != nil {
			return err
		}
		containers, err := tx.exec(ctx, "DELETE FROM containers WHERE kind = ? AND name = ?", kind, name)
		found = versions+containers > 0
		return err
	})
	return found, err
}

// Datastores reads the documents of all datastores in the order they were made.
func (s *Store) Datastores(ctx context.Context) ([][]byte, error) {
	return s.documents(ctx, "SELECT document FROM datastores ORDER BY rowid")
}

// ChangeDatastore is like ChangeAsset for a datastore.
func (s *Store) ChangeDatastore(ctx context.Context, name string, change func([]byte) ([]byte, error)) error {
	return s.Update(ctx, func(tx *Tx) error {
		read := func() ([]byte, error) {
			return one(ctx, tx, scanDocument, "datastore "+name, "SELECT document FROM datastores WHERE name = ?", name)
		}
		return changeDocument(change, read, func(document []byte) error {
			if document == nil {
				return tx.put(ctx, "DELETE FROM datastores WHERE name = ?", name)
			}
			return tx.put(ctx, `INSERT INTO datastores (name, document) VALUES (?, ?)
				ON CONFLICT (name) DO UPDATE SET document = excluded.document`, name, document)
		})
	})
}

func (s *Store) documents(ctx context.Context, query string, args ...any) (all [][]byte, err error) {
	err = s.View(ctx, func(tx *Tx) (err error) {
		all, err = list(ctx, tx, scanDocument, query, args...)
		return err
	})
	return all, err
}

func scanDocument(r row) (document []byte, err error) { return document, r.Scan(&document) }

func changeDocument(change func([]byte) ([]byte, error), read func() ([]byte, error), write func([]byte) error) error {
	old, err := read()
	if err != nil && !isNotFound(err) {
		return err
	}
	changed, err := change(old)
	if err != nil {
		return err
	}
	return write(changed)
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*online.Error](err)
	return ok && e.Code == online.NotFound
}
