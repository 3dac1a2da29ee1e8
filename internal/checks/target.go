package checks

import (
	"context"
	"net/http"
	"time"
)

// Request is one request of a suite. Its name says where it comes from: "many.jsonl:12".
type Request struct {
	Name    string
	Header  http.Header
	Body    []byte
	Timeout time.Duration // how long the answer may take; 0: as long as the service gives it
}

// Answer is what came back, whatever its status.
type Answer struct {
	Status     int
	Deployment string // that answered, by the answer's header
	Body       []byte
	Took       time.Duration
}

// Target is one deployment that requests are sent to, by header. It keeps to a request's timeout.
// An error means that there was no answer.
type Target interface {
	Score(ctx context.Context, r Request) (Answer, error)
}
