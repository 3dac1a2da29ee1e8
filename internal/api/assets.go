package api

import (
	"context"
	"errors"
	"net/http"

	"hotswap/internal/arm"
	"hotswap/internal/assets"
	"hotswap/internal/online"
)

// Models is what the handlers of models need from the library.
type Models interface {
	PutModel(ctx context.Context, m online.Model) (kept online.Model, created bool, err error)
	GetModel(ctx context.Context, name, version string) (online.Model, error)
	ListModels(ctx context.Context, name string, q assets.Query) (assets.Page[online.Model], error)
	DeleteModel(ctx context.Context, name, version string) error
}

// Codes is what the handlers of code folders need from the library.
type Codes interface {
	PutCode(ctx context.Context, c online.CodeFolder) (kept online.CodeFolder, created bool, err error)
	GetCode(ctx context.Context, name, version string) (online.CodeFolder, error)
	ListCodes(ctx context.Context, name string, q assets.Query) (assets.Page[online.CodeFolder], error)
	FindCode(ctx context.Context, hash, hashVersion string) ([]online.CodeFolder, error)
	DeleteCode(ctx context.Context, name, version string) error
}

// Environments is what the handlers of environments need from the library.
type Environments interface {
	PutEnvironment(ctx context.Context, e online.Environment) (kept online.Environment, created bool, err error)
	GetEnvironment(ctx context.Context, name, version string) (online.Environment, error)
	ListEnvironments(ctx context.Context, name string, q assets.Query) (assets.Page[online.Environment], error)
	DeleteEnvironment(ctx context.Context, name, version string) error
}

// Assets is the library of assets.
type Assets interface {
	Models
	Codes
	Environments
	Containers
	Datastores
}

// versions handles the versions of one kind of assets.
type versions[T any] struct {
	containers
	asset  func(*T) *online.Asset
	decode func(online.Ref, []byte) (T, error)
	encode func(arm.Scope, T) arm.Asset
	put    func(context.Context, T) (T, bool, error)
	get    func(ctx context.Context, name, version string) (T, error)
	list   func(*request) ([]T, error)
	remove func(ctx context.Context, name, version string) error
}

func (s *Server) modelVersions() versions[online.Model] {
	return versions[online.Model]{
		s.containersOf(online.Models), func(m *online.Model) *online.Asset { return &m.Asset }, arm.DecodeModel, arm.NewModel,
		s.Assets.PutModel, s.Assets.GetModel, named(s.Assets.ListModels), s.Assets.DeleteModel,
	}
}

func (s *Server) codeVersions() versions[online.CodeFolder] {
	return versions[online.CodeFolder]{
		s.containersOf(online.Codes), func(c *online.CodeFolder) *online.Asset { return &c.Asset }, arm.DecodeCode, arm.NewCode,
		s.Assets.PutCode, s.Assets.GetCode, s.findCodes, s.Assets.DeleteCode,
	}
}

func (s *Server) environmentVersions() versions[online.Environment] {
	return versions[online.Environment]{
		s.containersOf(online.Environments), func(e *online.Environment) *online.Asset { return &e.Asset }, arm.DecodeEnvironment, arm.NewEnvironment,
		s.Assets.PutEnvironment, s.Assets.GetEnvironment, named(s.Assets.ListEnvironments), s.Assets.DeleteEnvironment,
	}
}

func (v versions[T]) listVersions(r *request) (reply, error) {
	found, err := v.list(r)
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	shown := filter(found, func(one T) bool {
		a := v.asset(&one)
		return (q.Get("version") == "" || q.Get("version") == a.Ref.Version) && matches(q.Get("tags"), a.Tags) && matches(q.Get("properties"), a.Properties)
	})
	return page(r, shown, func(one T) any { return v.encode(v.scope, one) })
}

// named lists the versions of the asset in the path. The library gives all of them; page cuts.
func named[T any](list func(context.Context, string, assets.Query) (assets.Page[T], error)) func(*request) ([]T, error) {
	return func(r *request) ([]T, error) {
		found, err := list(r.Context(), r.PathValue("name"), query(r))
		return found.Items, err
	}
}

func query(r *request) assets.Query {
	q := r.URL.Query()
	return assets.Query{OrderBy: q.Get("$orderBy"), View: assets.View(q.Get("listViewType"))}
}

// findCodes looks for a hash in the code folders of all names: the name in the path is new each
// time that a client asks whether it has to upload a folder.
func (s *Server) findCodes(r *request) ([]online.CodeFolder, error) {
	q := r.URL.Query()
	if hash := q.Get("hash"); hash != "" {
		return s.Assets.FindCode(r.Context(), hash, q.Get("hashVersion"))
	}
	return named(s.Assets.ListCodes)(r)
}

func (v versions[T]) getVersion(r *request) (reply, error) {
	one, err := v.get(r.Context(), r.PathValue("name"), r.PathValue("version"))
	if err != nil {
		return reply{}, err
	}
	return ok(v.encode(v.scope, one))
}

func (v versions[T]) putVersion(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := v.decode(online.Ref{Kind: v.kind, Name: r.PathValue("name"), Version: r.PathValue("version")}, body)
	if err != nil {
		return reply{}, err
	}
	v.asset(&wanted).CreatedBy = r.caller.Name
	kept, created, err := v.put(r.Context(), wanted)
	if errors.Is(err, assets.ErrImmutable) { // azure-ai-ml looks for this code with its text
		return reply{}, &failure{error: err, status: http.StatusBadRequest, code: "UserError"}
	}
	if err != nil {
		return reply{}, err
	}
	return made(created, v.encode(v.scope, kept))
}

// made answers a PUT that is done at once.
func made(created bool, body any) (reply, error) {
	if created {
		return reply{status: http.StatusCreated, body: body}, nil
	}
	return ok(body)
}

func (v versions[T]) deleteVersion(r *request) (reply, error) {
	return removed(v.remove(r.Context(), r.PathValue("name"), r.PathValue("version")))
}

// removed answers a DELETE that is done at once.
func removed(err error) (reply, error) {
	if err != nil {
		return gone(err)
	}
	return reply{status: http.StatusOK}, nil
}
