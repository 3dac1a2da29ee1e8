// Package crashpoint names the places in the code at which a crash would be worst, so that a
// test can crash the real program at each of them.
package crashpoint

import (
	"fmt"
	"os"
	"syscall"
)

// Variable is the environment variable that names the point at which the program kills itself.
const Variable = "HOTSWAP_CRASH_AT"

// armed is read once: a test sets it for a program that it starts.
var armed = os.Getenv(Variable)

// At kills the program with SIGKILL if it is the named point that was asked for. What deferred
// calls and handlers would tidy up stays as it is, as in a real crash.
func At(name string) {
	if armed == "" || armed != name {
		return
	}
	fmt.Fprintln(os.Stderr, "crash point:", name)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}
