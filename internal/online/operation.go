package online

import "time"

// An OperationStatus says how far an operation is.
type OperationStatus string

// The states of an operation.
const (
	InProgress         OperationStatus = "InProgress"
	OperationSucceeded OperationStatus = "Succeeded"
	OperationFailed    OperationStatus = "Failed"
	OperationCanceled  OperationStatus = "Canceled"
)

// Operation is a change that goes on after its request was answered.
type Operation struct {
	ID                 string
	Endpoint           string
	Deployment         string // "" for an operation on the endpoint
	Deletes            bool   // the resource is gone when it has succeeded
	Status             OperationStatus
	ErrorCode          string // Azure's, such as ResourceNotReady; "" unless it failed
	ErrorMessage       string
	StartedAt, EndedAt time.Time // EndedAt is zero while it goes on
}
