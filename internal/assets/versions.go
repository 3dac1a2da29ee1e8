package assets

import (
	"context"
	"slices"

	"hotswap/internal/online"
)

// PutModel makes a version of a model, or changes what may change of one. With other files than
// the version has, it is ErrImmutable.
func (l *Library) PutModel(ctx context.Context, m online.Model) (kept online.Model, created bool, err error) {
	return models.put(ctx, l, m)
}

// GetModel returns a version of a model; the version may be Latest.
func (l *Library) GetModel(ctx context.Context, name, version string) (online.Model, error) {
	return models.get(ctx, l, online.Ref{Name: name, Version: version})
}

// ListModels lists the versions of a model.
func (l *Library) ListModels(ctx context.Context, name string, q Query) (Page[online.Model], error) {
	return models.list(ctx, l, name, q)
}

// DeleteModel deletes a version of a model; its files stay in the artifact store.
func (l *Library) DeleteModel(ctx context.Context, name, version string) error {
	return models.delete(ctx, l, name, version)
}

// PutCode is like PutModel for a code folder.
func (l *Library) PutCode(ctx context.Context, c online.CodeFolder) (kept online.CodeFolder, created bool, err error) {
	return codes.put(ctx, l, c)
}

// GetCode returns a version of a code folder; the version may be Latest.
func (l *Library) GetCode(ctx context.Context, name, version string) (online.CodeFolder, error) {
	return codes.get(ctx, l, online.Ref{Name: name, Version: version})
}

// ListCodes lists the versions of a code folder.
func (l *Library) ListCodes(ctx context.Context, name string, q Query) (Page[online.CodeFolder], error) {
	return codes.list(ctx, l, name, q)
}

// FindCode lists the code folders of all names that have a content hash. A client that finds one
// does not upload the folder again (azure-ai-ml 1.34.0, operations/_code_operations.py).
func (l *Library) FindCode(ctx context.Context, hash, hashVersion string) ([]online.CodeFolder, error) {
	all, err := codes.all(ctx, l, "")
	return slices.DeleteFunc(all, func(c online.CodeFolder) bool {
		return hash == "" || c.Archived || c.Properties["hash_sha256"] != hash ||
			(hashVersion != "" && c.Properties["hash_version"] != hashVersion)
	}), err
}

// DeleteCode deletes a version of a code folder; its files stay in the artifact store.
func (l *Library) DeleteCode(ctx context.Context, name, version string) error {
	return codes.delete(ctx, l, name, version)
}

// PutEnvironment makes a version of an environment, or changes what may change of one. With other
// content than the version has, it is online.Conflict: then clients take the next version.
func (l *Library) PutEnvironment(ctx context.Context, e online.Environment) (kept online.Environment, created bool, err error) {
	return environments.put(ctx, l, e)
}

// GetEnvironment returns a version of an environment; the version may be Latest.
func (l *Library) GetEnvironment(ctx context.Context, name, version string) (online.Environment, error) {
	return environments.get(ctx, l, online.Ref{Name: name, Version: version})
}

// ListEnvironments lists the versions of an environment.
func (l *Library) ListEnvironments(ctx context.Context, name string, q Query) (Page[online.Environment], error) {
	return environments.list(ctx, l, name, q)
}

// DeleteEnvironment deletes a version of an environment.
func (l *Library) DeleteEnvironment(ctx context.Context, name, version string) error {
	return environments.delete(ctx, l, name, version)
}
