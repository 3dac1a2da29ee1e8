package api

import (
	"hotswap/internal/arm"
	"hotswap/internal/control"
	"hotswap/internal/online"
)

func (s *Server) endpointReply(operation string, e online.Endpoint) arm.Endpoint {
	return arm.NewEndpoint(s.Workspace.Scope, s.Workspace.Tenant, operation, e)
}

func (s *Server) listEndpoints(r *request) (reply, error) {
	all, err := s.Control.Endpoints(r.Context())
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	all = filter(all, func(e online.Endpoint) bool {
		return (q.Get("name") == "" || q.Get("name") == e.Name) && matches(q.Get("tags"), e.Tags) && matches(q.Get("properties"), e.Properties)
	})
	if err := sortBy(all, q.Get("orderBy"), func(e online.Endpoint) stamps { return stamps{e.CreatedAt, e.ModifiedAt} }); err != nil {
		return reply{}, err
	}
	return page(r, all, func(e online.Endpoint) any { return s.endpointReply("", e) })
}

func (s *Server) getEndpoint(r *request) (reply, error) {
	e, err := s.Control.Endpoint(r.Context(), r.name("endpoint"))
	if err != nil {
		return reply{}, err
	}
	return ok(s.endpointReply("", e))
}

func (s *Server) putEndpoint(r *request) (reply, error) {
	body, err := r.body()
	if err != nil {
		return reply{}, err
	}
	wanted, err := arm.DecodeEndpoint(r.name("endpoint"), body)
	if err != nil {
		return reply{}, err
	}
	wanted.CreatedBy = r.caller.Name
	e, op, created, err := s.Control.PutEndpoint(r.Context(), wanted)
	if err != nil {
		return reply{}, err
	}
	return s.put(r, op, created, s.endpointReply(s.operationURL(r, op), e))
}

func (s *Server) patchEndpoint(r *request) (reply, error) {
	p, err := r.patch()
	if err != nil {
		return reply{}, err
	}
	e, op, _, err := s.Control.PatchEndpoint(r.Context(), r.name("endpoint"), control.Patch{Tags: p.Tags, Identity: p.Identity})
	if err != nil {
		return reply{}, err
	}
	if op.Status == online.OperationSucceeded {
		return ok(s.endpointReply(s.operationURL(r, op), e))
	}
	return s.accepted(r, op)
}

func (r *request) patch() (arm.Patch, error) {
	body, err := r.body()
	if err != nil {
		return arm.Patch{}, err
	}
	return arm.DecodePatch(body)
}

func (s *Server) deleteEndpoint(r *request) (reply, error) {
	op, err := s.Control.DeleteEndpoint(r.Context(), r.name("endpoint"))
	return s.deleted(r, op, err)
}
