package api

import (
	"hotswap/internal/arm"
	"hotswap/internal/control"
	"hotswap/internal/online"
)

func (s *Server) listDeployments(r *request) (reply, error) {
	all, err := s.Control.Deployments(r.Context(), r.name("endpoint"))
	if err != nil {
		return reply{}, err
	}
	order := func(d online.Deployment) stamps { return stamps{d.CreatedAt, d.ModifiedAt} }
	if err := sortBy(all, r.URL.Query().Get("$orderBy"), order); err != nil {
		return reply{}, err
	}
	return page(r, all, func(d online.Deployment) any { return arm.NewDeployment(s.Workspace.Scope, "", d) })
}

func (s *Server) getDeployment(r *request) (reply, error) {
	d, err := s.Control.Deployment(r.Context(), r.name("endpoint"), r.name("deployment"))
	if err != nil {
		return reply{}, err
	}
	return ok(arm.NewDeployment(s.Workspace.Scope, "", d))
}

func (s *Server) putDeployment(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodeDeployment(s.Workspace.Scope, r.name("endpoint"), r.name("deployment"), body)
	if err != nil {
		return reply{}, err
	}
	wanted.CreatedBy = r.caller.Name
	d, op, created, err := s.Control.PutDeployment(r.Context(), wanted)
	if err != nil {
		return reply{}, err
	}
	return s.put(r, op, created, arm.NewDeployment(s.Workspace.Scope, s.operationURL(r, op), d))
}

func (s *Server) patchDeployment(r *request) (reply, error) {
	p, err := r.patch()
	if err != nil {
		return reply{}, err
	}
	d, op, _, err := s.Control.PatchDeployment(r.Context(), r.name("endpoint"), r.name("deployment"), control.Patch{Tags: p.Tags, Capacity: p.Capacity})
	if err != nil {
		return reply{}, err
	}
	if op.Status == online.OperationSucceeded {
		return ok(arm.NewDeployment(s.Workspace.Scope, s.operationURL(r, op), d))
	}
	return s.accepted(r, op)
}

func (s *Server) deleteDeployment(r *request) (reply, error) {
	op, err := s.Control.DeleteDeployment(r.Context(), r.name("endpoint"), r.name("deployment"))
	return s.deleted(r, op, err)
}

func (s *Server) getLogs(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	container, tail, err := arm.DecodeGetLogs(body)
	if err != nil {
		return reply{}, err
	}
	content, err := s.Control.Logs(r.Context(), r.name("endpoint"), r.name("deployment"), container, tail)
	if err != nil {
		return reply{}, err
	}
	return ok(arm.Logs{Content: content})
}

func (s *Server) listSKUs(r *request) (reply, error) {
	if _, err := s.Control.Deployment(r.Context(), r.name("endpoint"), r.name("deployment")); err != nil {
		return reply{}, err
	}
	return page(r, []arm.SKUOption{arm.NewSKUOption()}, func(o arm.SKUOption) any { return o })
}
