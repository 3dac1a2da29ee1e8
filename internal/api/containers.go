package api

import (
	"context"

	"hotswap/internal/arm"
	"hotswap/internal/assets"
	"hotswap/internal/online"
)

// Containers is what the handlers of assets as a whole need from the library.
type Containers interface {
	PutContainer(ctx context.Context, a online.Asset) (kept assets.Container, created bool, err error)
	GetContainer(ctx context.Context, kind online.AssetKind, name string) (assets.Container, error)
	ListContainers(ctx context.Context, kind online.AssetKind, q assets.Query) (assets.Page[assets.Container], error)
	DeleteContainer(ctx context.Context, kind online.AssetKind, name string) error
}

// containers handles the assets of one kind as a whole.
type containers struct {
	library Containers
	scope   arm.Scope
	kind    online.AssetKind
}

func (s *Server) containersOf(kind online.AssetKind) containers {
	return containers{s.Assets, s.Workspace.Scope, kind}
}

func (c containers) reply(one assets.Container) any {
	return arm.NewContainer(c.scope, arm.Container(one))
}

func (c containers) listContainers(r *request) (reply, error) {
	found, err := c.library.ListContainers(r.Context(), c.kind, query(r))
	if err != nil {
		return reply{}, err
	}
	return page(r, found.Items, c.reply)
}

func (c containers) getContainer(r *request) (reply, error) {
	one, err := c.library.GetContainer(r.Context(), c.kind, r.PathValue("name"))
	if err != nil {
		return reply{}, err
	}
	return ok(c.reply(one))
}

func (c containers) putContainer(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodeContainer(c.kind, r.PathValue("name"), body)
	if err != nil {
		return reply{}, err
	}
	wanted.CreatedBy = r.caller.Name
	kept, created, err := c.library.PutContainer(r.Context(), wanted)
	if err != nil {
		return reply{}, err
	}
	return made(created, c.reply(kept))
}

func (c containers) deleteContainer(r *request) (reply, error) {
	return removed(c.library.DeleteContainer(r.Context(), c.kind, r.PathValue("name")))
}
