package arm

import "hotswap/internal/online"

// Operation is an operation in the reply that a client polls. A failed one is told with HTTP
// status 200: the poll went well (learn.microsoft.com, "Track asynchronous Azure operations").
type Operation struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Status    string  `json:"status"`
	StartTime string  `json:"startTime"`
	EndTime   *string `json:"endTime,omitempty"`
	Error     *Error  `json:"error,omitempty"`
}

// NewOperation is the reply for o.
func NewOperation(s Scope, location string, o online.Operation) Operation {
	reply := Operation{
		ID: s.OperationPath(location, o.ID), Name: o.ID, Status: string(o.Status), StartTime: Time(o.StartedAt),
	}
	if !o.EndedAt.IsZero() {
		end := Time(o.EndedAt)
		reply.EndTime = &end
	}
	if o.Status == online.OperationFailed || o.Status == online.OperationCanceled {
		reply.Error = &Error{Code: o.ErrorCode, Message: o.ErrorMessage, Details: []Error{}}
	}
	return reply
}
