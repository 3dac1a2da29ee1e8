package assets

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"hotswap/internal/online"
)

// kind says what is special about the versions of one kind of assets.
type kind[T any] struct {
	kind  online.AssetKind
	asset func(*T) *online.Asset
	check func(*Library, T) error
	keep  func(old, changed T) error // refuses a change of what may not change
}

var (
	models = kind[online.Model]{
		kind:  online.Models,
		asset: func(m *online.Model) *online.Asset { return &m.Asset },
		check: func(l *Library, m online.Model) error { return l.checkURI(m.URI) },
		keep:  func(old, changed online.Model) error { return keepURI(old.URI, changed.URI) },
	}
	codes = kind[online.CodeFolder]{
		kind:  online.Codes,
		asset: func(c *online.CodeFolder) *online.Asset { return &c.Asset },
		check: func(l *Library, c online.CodeFolder) error { return l.checkURI(c.URI) },
		keep:  func(old, changed online.CodeFolder) error { return keepURI(old.URI, changed.URI) },
	}
	environments = kind[online.Environment]{
		kind:  online.Environments,
		asset: func(e *online.Environment) *online.Asset { return &e.Asset },
		check: func(*Library, online.Environment) error { return nil },
		keep:  keepEnvironment,
	}
)

func (l *Library) checkURI(uri string) error {
	_, err := locate(uri, l.files.Account())
	return err
}

func keepURI(old, changed string) error {
	if old != changed {
		return ErrImmutable
	}
	return nil
}

func keepEnvironment(old, changed online.Environment) error {
	same := old.Image == changed.Image && old.CondaFile == changed.CondaFile && old.BuildContext == changed.BuildContext &&
		old.Dockerfile == changed.Dockerfile && old.OSType == changed.OSType && sameJSON(old.InferenceConfig, changed.InferenceConfig)
	if !same {
		return online.Errorf(online.Conflict, "environment %s exists with other content; take the next version", old.Ref)
	}
	return nil
}

// sameJSON compares two texts of JSON but for their blanks.
func sameJSON(a, b []byte) bool {
	var left, right bytes.Buffer
	if json.Compact(&left, a) != nil || json.Compact(&right, b) != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(left.Bytes(), right.Bytes())
}

func (k kind[T]) put(ctx context.Context, l *Library, v T) (kept T, created bool, err error) {
	a := k.asset(&v)
	a.Ref.Kind = k.kind
	if err := checkRef(a.Ref); err != nil {
		return kept, false, err
	}
	if err := k.check(l, v); err != nil {
		return kept, false, err
	}
	a.CreatedAt = time.Now().UTC()
	a.ModifiedAt = a.CreatedAt
	err = l.storage.ChangeAsset(ctx, a.Ref, func(document []byte) ([]byte, error) {
		if created = document == nil; !created {
			if err := k.inherit(document, &v); err != nil {
				return nil, err
			}
		}
		return json.Marshal(v)
	})
	return v, created, err
}

// inherit checks v against the version in its place, and takes over what v may not set.
func (k kind[T]) inherit(document []byte, v *T) error {
	var old T
	if err := json.Unmarshal(document, &old); err != nil {
		return err
	}
	if err := k.keep(old, *v); err != nil {
		return err
	}
	from, to := k.asset(&old), k.asset(v)
	to.Ref, to.CreatedAt, to.CreatedBy = from.Ref, from.CreatedAt, from.CreatedBy
	return nil
}

func (k kind[T]) get(ctx context.Context, l *Library, ref online.Ref) (v T, err error) {
	ref.Kind = k.kind
	switch {
	case ref.Registry != "":
		return v, notFound(ref)
	case ref.Version == Latest:
		return k.latest(ctx, l, ref)
	}
	document, err := l.storage.Asset(ctx, ref)
	if online.CodeOf(err) == online.NotFound {
		return v, notFound(ref)
	}
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(document, &v)
}

func (k kind[T]) latest(ctx context.Context, l *Library, ref online.Ref) (v T, err error) {
	all, err := k.all(ctx, l, ref.Name)
	if err != nil {
		return v, err
	}
	all = slices.DeleteFunc(all, func(v T) bool { return k.asset(&v).Archived })
	if len(all) == 0 {
		return v, notFound(ref)
	}
	return slices.MaxFunc(all, func(x, y T) int { return online.CompareVersions(*k.asset(&x), *k.asset(&y)) }), nil
}

// all reads every version of an asset, or of all assets of the kind, in the order they were made.
func (k kind[T]) all(ctx context.Context, l *Library, name string) ([]T, error) {
	documents, err := l.storage.Assets(ctx, k.kind, name)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(documents))
	for i, document := range documents {
		if err := json.Unmarshal(document, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (k kind[T]) list(ctx context.Context, l *Library, name string, q Query) (Page[T], error) {
	all, err := k.all(ctx, l, name)
	if err != nil {
		return Page[T]{}, err
	}
	if len(all) == 0 && name != "" {
		return Page[T]{}, nil
	}
	return paged(q, all, k.asset)
}

func (k kind[T]) delete(ctx context.Context, l *Library, name, version string) error {
	ref := online.Ref{Kind: k.kind, Name: name, Version: version}
	return l.storage.ChangeAsset(ctx, ref, func(document []byte) ([]byte, error) {
		if document == nil {
			return nil, notFound(ref)
		}
		return nil, nil
	})
}
