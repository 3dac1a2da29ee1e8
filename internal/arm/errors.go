package arm

import (
	"encoding/json"
	"time"
)

// Envelope is the body of a reply that reports an error.
type Envelope struct {
	Error Error `json:"error"`
}

// Error is one error in an envelope or in an operation.
type Error struct {
	Code           string  `json:"code"`
	Message        string  `json:"message"`
	Details        []Error `json:"details,omitempty"`
	AdditionalInfo []Info  `json:"additionalInfo,omitempty"`
}

// Info is one thing more that is known about an error.
type Info struct {
	Type string         `json:"type"`
	Info map[string]any `json:"info"`
}

// NewError is an envelope as Azure ML's management frontend writes it: clients show the request's
// id and its time to people who look for them in a log.
func NewError(code, message, location, request string, at time.Time, details ...Error) Envelope {
	value := func(of any) map[string]any { return map[string]any{"value": of} }
	return Envelope{Error{Code: code, Message: message, Details: append([]Error{}, details...), AdditionalInfo: []Info{
		{"ComponentName", value("managementfrontend")},
		{"Correlation", value(map[string]string{"request": request})},
		{"Environment", value(location)},
		{"Location", value(location)},
		{"Time", value(Time(at))},
	}}}
}

// Validation is the detail that tells which rule an endpoint or a deployment breaks; Azure ML
// nests it as JSON in the message.
func Validation(text string) Error {
	message, _ := json.Marshal(struct { // no value of these types fails
		Errors map[string][]string `json:"errors"`
		Title  string              `json:"title"`
	}{map[string][]string{"": {text}}, "One or more validation errors occurred."})
	return Error{Code: "InferencingClientCallFailed", Message: string(message)}
}
