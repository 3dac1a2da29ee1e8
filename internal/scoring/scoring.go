// Package scoring is the HTTP contract between an online endpoint and those who score against it:
// the header names, reasons and texts of Azure Machine Learning's managed online endpoints.
//
// Sources: learn.microsoft.com, "Troubleshoot online endpoint deployment", and answers of the
// real service that users pasted into public issues. Header names are in Go's canonical form,
// so that they index an http.Header as they are; on the wire their case does not matter.
package scoring

// Headers that the gateway reads or writes.
const (
	Deployment      = "Azureml-Model-Deployment"          // in: picks a deployment in spite of the shares; out: the one that answered
	RequestID       = "X-Request-Id"                      // a GUID of the gateway's, whatever the client sent
	ServiceID       = "X-Ms-Request-Id"                   // the same GUID
	ClientID        = "X-Ms-Client-Request-Id"            // the client's own, cleaned by CleanClientID
	ErrorReason     = "Ms-Azureml-Model-Error-Reason"     // one of the reasons below
	ErrorStatusCode = "Ms-Azureml-Model-Error-Statuscode" // the status that the model's side gave
	Model           = "X-Hotswap-Model"                   // name:version of the model that answered; ours
)

// Headers that the worker writes and the gateway passes on.
const (
	RunMilliseconds = "X-Ms-Run-Fn-Exec-Ms"
	RunFailed       = "X-Ms-Run-Function-Failed"
	ServerVersion   = "X-Ms-Server-Version"
)

// Reasons, as they stand in the header ErrorReason.
const (
	ModelError     = "model_error"
	TooManyPending = "too_many_pending_request"
	ModelNotReady  = "model_not_ready"
)

// Texts of the answers that the gateway gives itself.
const (
	BadHeader         = "key_auth_bad_header_forbidden"
	AccessDenied      = "key_auth_access_denied"
	NoDeployment      = "No valid deployments to route to. Please check that the endpoint has at least one deployment with positive weight values or use a deployment specific header to route."
	UnknownDeployment = "Specified deployment could not be found"
	TimedOut          = "upstream request timeout"
)

// maxClientID is where a client's request id is cut (learn.microsoft.com, "Troubleshoot online
// endpoint deployment", on tracing a request).
const maxClientID = 40

// CleanClientID returns what is kept of a client's request id: its characters of
// [A-Za-z0-9-_], the first 40 of them.
func CleanClientID(id string) string {
	n := 0
	for n < len(id) && n < maxClientID && kept(id[n]) {
		n++
	}
	if n == len(id) {
		return id // as nearly every id is
	}
	clean := append(make([]byte, 0, maxClientID), id[:n]...)
	for ; n < len(id) && len(clean) < maxClientID; n++ {
		if kept(id[n]) {
			clean = append(clean, id[n])
		}
	}
	return string(clean)
}

func kept(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
