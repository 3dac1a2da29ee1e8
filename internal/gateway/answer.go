package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"

	"hotswap/internal/frame"
	"hotswap/internal/online"
	"hotswap/internal/scoring"
)

// refusal is an answer of the gateway's own.
type refusal struct {
	status      int
	reason      string // for scoring.ErrorReason; "" for none
	modelStatus string // for scoring.ErrorStatusCode; "" for none
	text        string
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
		modelStatus: "502", text: "the model's process ended while it worked on the request",
	}
)

// write answers with r.
func (r *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(r.text)))
	if r.reason != "" {
		h.Set(scoring.ErrorReason, r.reason)
	}
	if r.modelStatus != "" {
		h.Set(scoring.ErrorStatusCode, r.modelStatus)
	}
	if r.status == http.StatusUnauthorized {
		h.Set("Www-Authenticate", "Bearer") // RFC 9110, section 15.5.2
	}
	w.WriteHeader(r.status)
	w.Write([]byte(r.text))
}

// write passes a worker's answer on. One whose status is not 200 becomes a 424 that tells the
// status in a header (learn.microsoft.com, "Troubleshoot online endpoint deployment").
func write(w http.ResponseWriter, a *frame.Response) {
	h := w.Header()
	for name, value := range a.Fields() {
		if name = http.CanonicalHeaderKey(name); !reserved(name) {
			h[name] = append(h[name], value)
		}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	status := a.Status
	if status != http.StatusOK {
		h.Set(scoring.ErrorReason, scoring.ModelError)
		h.Set(scoring.ErrorStatusCode, strconv.Itoa(status))
		status = http.StatusFailedDependency
	}
	w.WriteHeader(status)
	w.Write(a.Body)
}

// reserved tells whether a header is not for the model to set.
func reserved(name string) bool {
	switch name {
	case scoring.RequestID, scoring.ServiceID, scoring.ClientID, scoring.Deployment, scoring.Model,
		scoring.ErrorReason, scoring.ErrorStatusCode, "Content-Length":
		return true
	}
	return hopByHop(name)
}

// authenticate checks the key or token that a request of an endpoint carries.
func (g *Gateway) authenticate(endpoint string, h http.Header) *refusal {
	r := (*g.routes.Load())[endpoint]
	if r == nil {
		return refuseNoEndpoint
	}
	scheme, secret, _ := strings.Cut(h.Get("Authorization"), " ")
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
