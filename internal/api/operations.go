package api

import (
	"net/http"
	"net/url"

	"hotswap/internal/arm"
	"hotswap/internal/online"
)

const (
	// pollSeconds is how soon clients are told to ask again; without it azure-ai-ml 1.34.0 and
	// azcore wait for 30 seconds.
	pollSeconds = "1"
	// operationTimeout is what Azure ML says (TRACE of its replies).
	operationTimeout = "PT1H30M"
	// defaultVersion is put in the URL of an operation where the request has no api-version.
	defaultVersion = "2024-04-01"
)

// url is the absolute URL of a path on the host that the request came to, because a client
// sends its token only there.
func (r *request) url(path string) string {
	version := r.URL.Query().Get("api-version")
	if version == "" {
		version = defaultVersion
	}
	return "https://" + r.Host + path + "?" + url.Values{"api-version": {version}}.Encode()
}

func (s *Server) operationURL(r *request, op online.Operation) string {
	return r.url(s.Workspace.OperationPath(s.Workspace.Location, url.PathEscape(op.ID)))
}

func (s *Server) resultURL(r *request, op online.Operation) string {
	return r.url(s.Workspace.OperationResultPath(s.Workspace.Location, url.PathEscape(op.ID)))
}

// poll is the header that tells when to ask again.
func (s *Server) poll() http.Header {
	h := http.Header{}
	if !s.AzureLike { // Azure doesn't tell
		h.Set("Retry-After", pollSeconds)
	}
	return h
}

// put answers a PUT: 201 for a new resource, else 200. Its body tells by its provisioningState
// whether the client has to poll.
func (s *Server) put(r *request, op online.Operation, created bool, body any) (reply, error) {
	h := s.poll()
	h.Set("Azure-AsyncOperation", s.operationURL(r, op))
	h.Set("x-ms-async-operation-timeout", operationTimeout)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return reply{status, body, h}, nil
}

// accepted answers a PATCH, a DELETE or a POST that goes on.
func (s *Server) accepted(r *request, op online.Operation) (reply, error) {
	h := s.poll()
	h.Set("Azure-AsyncOperation", s.operationURL(r, op))
	h.Set("Location", s.resultURL(r, op))
	h.Set("x-ms-async-operation-timeout", operationTimeout)
	return reply{http.StatusAccepted, nil, h}, nil
}

// deleted answers a DELETE, for which a resource that isn't there is none to delete.
func (s *Server) deleted(r *request, op online.Operation, err error) (reply, error) {
	if err != nil {
		return gone(err)
	}
	return s.accepted(r, op)
}

// operation reads an operation for who may read the endpoint that it is about.
func (s *Server) operation(r *request) (online.Operation, error) {
	op, err := s.Control.Operation(r.Context(), r.PathValue("operation"))
	if err != nil {
		return op, err
	}
	return op, s.require(r, read, op.Endpoint)
}

// getOperation tells how an operation is; 200 even if it failed.
func (s *Server) getOperation(r *request) (reply, error) {
	op, err := s.operation(r)
	if err != nil {
		return reply{}, err
	}
	h := http.Header{}
	if op.Status == online.InProgress {
		h = s.poll()
	}
	return reply{http.StatusOK, arm.NewOperation(s.Workspace.Scope, s.Workspace.Location, op), h}, nil
}

// getOperationResult answers what came of an operation: the resource, nothing where it was
// deleted, or the error.
func (s *Server) getOperationResult(r *request) (reply, error) {
	op, err := s.operation(r)
	switch {
	case err != nil:
		return reply{}, err
	case op.Status == online.InProgress:
		return s.accepted(r, op)
	case op.Status != online.OperationSucceeded:
		return reply{}, &failure{
			error:  online.Errorf(online.Conflict, "%s", op.ErrorMessage), // the resource is not as it was asked to be
			status: http.StatusConflict, code: op.ErrorCode,
		}
	case op.Deletes:
		return noContent()
	}
	return s.resourceOf(r, op)
}

func (s *Server) resourceOf(r *request, op online.Operation) (reply, error) {
	if op.Deployment == "" {
		e, err := s.Control.Endpoint(r.Context(), op.Endpoint)
		if err != nil {
			return gone(err)
		}
		return ok(s.endpointReply("", e))
	}
	d, err := s.Control.Deployment(r.Context(), op.Endpoint, op.Deployment)
	if err != nil {
		return gone(err)
	}
	return ok(arm.NewDeployment(s.Workspace.Scope, "", d))
}

// gone answers 204 for a resource that isn't there, as after a DELETE.
func gone(err error) (reply, error) {
	if online.CodeOf(err) == online.NotFound {
		return noContent()
	}
	return reply{}, err
}
