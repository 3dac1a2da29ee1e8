package online

import (
	"errors"
	"fmt"
)

// A Code classifies an error by what the caller can do about it.
type Code string

// The codes, each with what the caller should do.
const (
	Invalid         Code = "InvalidRequest"  // change the request
	Unauthenticated Code = "Unauthenticated" // log in again
	Forbidden       Code = "Forbidden"       // ask for the role that the message names
	NotFound        Code = "NotFound"        // create it first
	Conflict        Code = "Conflict"        // wait, then read the resource again
	Stale           Code = "Stale"           // someone else has gone on since: stop
	TooLarge        Code = "TooLarge"        // send less
	Unavailable     Code = "Unavailable"     // try again
	Internal        Code = "Internal"        // nothing: our fault, see the log

	// The ends of a pipeline command that is not done; the exit codes are made of them.
	Locked     Code = "Locked"     // wait until the holder that the message names is through
	Refused    Code = "Refused"    // mend the candidate: the traffic is untouched
	RolledBack Code = "RolledBack" // mend the candidate: the old deployment is live again
)

// Error is a failure that may be shown to the caller, with a code for programs.
type Error struct {
	Code Code
	err  error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Errorf formats like fmt.Errorf, %w included.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code of the outermost Error in err's tree, or Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
