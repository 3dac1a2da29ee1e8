package api

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"hotswap/internal/arm"
	"hotswap/internal/identity"
	"hotswap/internal/online"
)

// maxBody is 4 MB (learn.microsoft.com, "Azure Resource Manager request limits").
const maxBody = 4 << 20

// request is a call of the management plane, with who makes it.
type request struct {
	*http.Request
	w      http.ResponseWriter // for its limits; handlers don't write
	id     string
	route  string // its pattern as in the table of routes
	caller identity.Claims
}

// reply is what a handler answers; a nil body is none.
type reply struct {
	status int
	body   any
	header http.Header
}

type handler func(*request) (reply, error)

// ok answers 200.
func ok(body any) (reply, error) { return reply{status: http.StatusOK, body: body}, nil }

// noContent answers 204.
func noContent() (reply, error) { return reply{status: http.StatusNoContent}, nil }

// body reads the request's body.
func (r *request) body() ([]byte, error) {
	if r.ContentLength > maxBody { // known before it is sent
		return nil, online.Errorf(online.TooLarge, "read the request: it is larger than %d bytes", maxBody)
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, online.Errorf(online.TooLarge, "read the request: it is larger than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, online.Errorf(online.Invalid, "read the request: %w", err)
	}
	return body, nil
}

// name is a name from the path in the lower case in which the server keeps it.
func (r *request) name(key string) string { return strings.ToLower(r.PathValue(key)) }

// serve authorises a call, handles it and writes what comes of it.
func (s *Server) serve(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		r := &request{Request: hr, w: w, id: uuid.NewString(), route: route.pattern}
		w.Header().Set("x-ms-request-id", r.id)
		w.Header().Set("x-ms-correlation-request-id", r.id)
		answer, err := s.handle(route, r)
		if err == nil {
			err = write(w, answer)
		}
		if err != nil {
			s.fail(r, err)
		}
	}
}

func (s *Server) handle(route route, r *request) (reply, error) {
	if err := s.authorise(route.access, r); err != nil {
		return reply{}, err
	}
	return route.handle(r)
}

// write encodes the body before it writes the status: after that there is no way back.
func write(w http.ResponseWriter, a reply) error {
	var body []byte
	if a.body != nil {
		var err error
		if body, err = json.Marshal(a.body); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // nobody is left to be told
	return nil
}

// failure is an error that Azure answers with a code of its own.
type failure struct {
	error
	status int
	code   string
	header http.Header
	bare   bool // without the envelope of the resource provider
}

func (f *failure) Unwrap() error { return f.error }

// answers are the status and the code that each kind of error is answered with.
var answers = map[online.Code]struct {
	status int
	code   string
}{
	online.Invalid:         {http.StatusBadRequest, "BadRequest"},
	online.Unauthenticated: {http.StatusUnauthorized, "AuthenticationFailed"},
	online.Forbidden:       {http.StatusForbidden, "AuthorizationFailed"},
	online.NotFound:        {http.StatusNotFound, "ResourceNotFound"},
	online.Conflict:        {http.StatusConflict, "Conflict"},
	online.Locked:          {http.StatusConflict, "Conflict"},
	online.Refused:         {http.StatusConflict, "Conflict"},
	online.RolledBack:      {http.StatusConflict, "Conflict"},
	online.Stale:           {http.StatusPreconditionFailed, "PreconditionFailed"},
	online.TooLarge:        {http.StatusRequestEntityTooLarge, "RequestEntityTooLarge"},
	online.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailable"},
	online.Internal:        {http.StatusInternalServerError, "InternalServerError"},
}

// fail is the only place that turns an error into a reply, and the only one that logs it.
func (s *Server) fail(r *request, err error) {
	kind := online.CodeOf(err)
	to := answers[kind]
	bare := false
	if f, ok := errors.AsType[*failure](err); ok {
		to.status, to.code, bare = f.status, f.code, f.bare
		maps.Copy(r.w.Header(), f.header)
	}
	message := err.Error()
	if to.status == http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "request", r.id, "error", err)
		message = "internal error; the server's log tells more about request " + r.id // its text is for the operator
	} else {
		s.Log.DebugContext(r.Context(), "request refused", "method", r.Method, "path", r.URL.Path, "request", r.id, "status", to.status, "error", err)
	}
	r.w.Header().Set("x-ms-error-code", to.code)
	if err := write(r.w, reply{status: to.status, body: s.envelope(r, to.code, message, bare)}); err != nil {
		s.Log.ErrorContext(r.Context(), "error not answered", "error", err)
	}
}

// envelope is the body of an error: a bare one as Azure Monitor writes it, else as Azure ML does.
func (s *Server) envelope(r *request, code, message string, bare bool) any {
	if bare {
		return arm.Error{Code: code, Message: message}
	}
	var details []arm.Error
	if code == answers[online.Invalid].code {
		details = append(details, arm.Validation(message))
		message = "The request is invalid: " + message
	}
	return arm.NewError(code, message, s.Workspace.Location, r.id, time.Now(), details...)
}

// noRoute answers for a path that no route has, or not with that method.
func (s *Server) noRoute(r *request) (reply, error) {
	var allowed []string
	for _, method := range []string{"DELETE", "GET", "PATCH", "POST", "PUT"} {
		probe := *r.Request
		probe.Method = method
		if _, pattern := s.mux.Handler(&probe); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		return reply{}, &failure{
			error: online.Errorf(online.Invalid, "%s is not allowed on %s, want %s", r.Method, r.URL.Path, strings.Join(allowed, " or ")), status: http.StatusMethodNotAllowed,
			code: "MethodNotAllowed", header: http.Header{"Allow": {strings.Join(allowed, ", ")}},
		}
	}
	return reply{}, &failure{
		error:  online.Errorf(online.NotFound, "no resource type has the path %s", r.URL.Path),
		status: http.StatusNotFound, code: "InvalidResourceType",
	}
}
