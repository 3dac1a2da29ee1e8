package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"hotswap/internal/online"
	"hotswap/internal/scoring"
)

// refusal is an answer of the gateway's own.
type refusal struct {
	status int
	reason string // for scoring.ErrorReason; "" for none
	model  int    // status for scoring.ErrorStatusCode; 0 for none
	text   string
}

var (
	refuseNoEndpoint = &refusal{status: http.StatusNotFound, text: "endpoint could not be found"}
	refuseUnknown    = &refusal{status: http.StatusNotFound, text: scoring.UnknownDeployment}
	refuseUnrouted   = &refusal{status: http.StatusNotFound, text: scoring.NoDeployment}
	refuseBadHeader  = &refusal{status: http.StatusUnauthorized, text: scoring.BadHeader}
	refuseAccess     = &refusal{status: http.StatusUnauthorized, text: scoring.AccessDenied}
	refuseTooLarge   = &refusal{status: http.StatusRequestEntityTooLarge, text: "request body is too large"}
	refuseHeaders    = &refusal{status: http.StatusRequestHeaderFieldsTooLarge, text: "request headers are too large"}
	refuseUnread     = &refusal{status: http.StatusBadRequest, text: "request could not be read"}
	refuseTimedOut   = &refusal{status: http.StatusRequestTimeout, text: scoring.TimedOut}
	refuseTooMany    = &refusal{status: http.StatusTooManyRequests, reason: scoring.TooManyPending}
	refuseNotReady   = &refusal{status: http.StatusServiceUnavailable, reason: scoring.ModelNotReady, text: "model is not ready"}
	refuseWorkerLost = &refusal{
		status: http.StatusFailedDependency, reason: scoring.ModelError,
		model: http.StatusBadGateway, text: "the model's process ended while it worked on the request",
	}
)

// identify begins the answer's headers with those that tell which request it is for and which
// deployment it came from. An answer's model is that of the worker that gave it: a deployment may
// have been updated since the request got in line for it.
func (x *exchange) identify(t *target, answered bool) {
	x.fields = append(x.fields[:0], field{scoring.RequestID, x.id}, field{scoring.ServiceID, x.id})
	if x.clientID != "" {
		x.add(scoring.ClientID, x.clientID)
	}
	if t == nil {
		return
	}
	x.add(scoring.Deployment, t.Name)
	model := t.Model
	if answered {
		model = x.call.worker.instance.model
	}
	if model != "" {
		x.add(scoring.Model, model)
	}
}

func (x *exchange) add(name, value string) {
	x.fields = append(x.fields, field{name, value})
}

// refuse answers with r.
func (x *exchange) refuse(r *refusal) {
	x.status, x.content = r.status, []byte(r.text)
	x.add("Content-Type", "text/plain; charset=utf-8")
	if r.reason != "" {
		x.add(scoring.ErrorReason, r.reason)
	}
	if r.model != 0 {
		x.add(scoring.ErrorStatusCode, strconv.Itoa(r.model))
	}
	if r.status == http.StatusUnauthorized {
		x.add("Www-Authenticate", "Bearer") // RFC 9110, section 15.5.2
	}
}

// pass passes the worker's answer on. One whose status is not 200 becomes a 424 that tells the
// status in a header (learn.microsoft.com, "Troubleshoot online endpoint deployment").
func (x *exchange) pass() {
	x.status, x.content = x.answer.Status, x.answer.Body
	for name, value := range x.answer.Fields() {
		if name = http.CanonicalHeaderKey(name); !reserved(name) && isToken(name) && isValue(value) {
			x.add(name, value)
		}
	}
	if x.status != http.StatusOK {
		x.add(scoring.ErrorReason, scoring.ModelError)
		x.add(scoring.ErrorStatusCode, strconv.Itoa(x.status))
		x.status = http.StatusFailedDependency
	}
}

// write answers by net/http.
func (x *exchange) write(w http.ResponseWriter) {
	h := w.Header()
	values := make([]string, len(x.fields)) // one allocation for them all
	for n, f := range x.fields {
		values[n] = f.value
		if h[f.name] == nil {
			h[f.name] = values[n : n+1 : n+1]
		} else {
			h[f.name] = append(h[f.name], f.value)
		}
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // net/http does not guess one then
	}
	h["Content-Length"] = []string{strconv.Itoa(len(x.content))}
	w.WriteHeader(x.status)
	w.Write(x.content)
}

// reserved tells whether a header is not for the model to set.
func reserved(name string) bool {
	switch name {
	case scoring.RequestID, scoring.ServiceID, scoring.ClientID, scoring.Deployment, scoring.Model,
		scoring.ErrorReason, scoring.ErrorStatusCode, "Content-Length", "Date":
		return true
	}
	return hopByHop(name)
}

// authenticate checks the key or token that a request of an endpoint carries.
func (g *Gateway) authenticate(endpoint, authorization string) *refusal {
	r := (*g.routes.Load())[endpoint]
	if r == nil {
		return refuseNoEndpoint
	}
	scheme, secret, _ := strings.Cut(authorization, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || secret == "":
		return refuseBadHeader
	case r.Auth == online.KeyAuth && r.opens(secret), r.Auth != online.KeyAuth && g.verify != nil && g.verify(endpoint, secret):
		return nil
	}
	return refuseAccess
}

// opens tells whether key is one of the endpoint's, in a time that does not depend on which
// it resembles.
func (e *Endpoint) opens(key string) bool {
	digest := sha256.Sum256([]byte(key))
	found := 0
	for _, good := range e.KeyDigests {
		found |= subtle.ConstantTimeCompare(digest[:], good[:])
	}
	return found == 1
}
