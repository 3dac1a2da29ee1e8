package document

import (
	"fmt"

	"hotswap/internal/online"
)

// FaultError is what is wrong at a place of a file that people write.
type FaultError struct {
	Path string // as the file was named
	At   Position
	Err  error
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.Path, e.At.Line, e.At.Column, e.Err)
}

func (e *FaultError) Unwrap() error { return e.Err }

// Faultf is the error of a fault: the request has to be changed.
func Faultf(path string, at Position, format string, args ...any) error {
	return online.Errorf(online.Invalid, "%w", &FaultError{path, at, fmt.Errorf(format, args...)})
}
