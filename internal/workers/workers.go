// Package workers says what launches the processes that hold models, and keeps such a process running.
//
// An instance is what a deployment has instance_count of: one or more worker processes with the same
// model and code. It goes through these states:
//
//	Starting ──all workers answered──► Ready ◄──all answer again──► Unready
//	    └──a worker ended, or was silent too long──► Failed             (a worker ended, or stopped answering)
//
// Failed is the end until the instance is removed: what could not start once is not tried again.
package workers

import (
	"context"
	"regexp"

	"hotswap/internal/online"
)

// A State says how an instance is.
type State string

// The states.
const (
	Starting State = "Starting" // its start-up steps are under way
	Ready    State = "Ready"    // every worker answers
	Unready  State = "Unready"  // it was ready; a worker is being started again
	Failed   State = "Failed"   // it could not start; stays so until it is removed
)

// Instance is the wanted state of one copy of a deployment.
type Instance struct {
	ID                   string // names its folder and its sockets; see CheckID
	Endpoint, Deployment string
	Processes            int // workers
	Model, Code          online.Ref
	Script               string // path of the scoring script below the code folder
	Conda                string // the text of a conda file; "" for the system's python3
	Variables            map[string]string
	Readiness, Liveness  online.Probe
}

// Event tells of a change of one instance.
type Event struct {
	Instance string
	State    State

	// PID and StartTime name a process that was just started and that owns all others of the
	// instance; StartTime is field 22 of its /proc/PID/stat. Both are 0 in an event that tells of none.
	PID       int
	StartTime uint64

	Warning string // for the user; "" in most events
	Err     error  // why it is Failed, with the last lines of its log
}

// Address is where a worker listens.
type Address struct{ Network, Address string }

// Leftover is an instance that an earlier server wanted, with the process it last recorded (0 if none).
type Leftover struct {
	ID        string
	PID       int
	StartTime uint64
}

// A Launcher runs instances.
type Launcher interface {
	// Watch sets the one receiver of events, before the first Ensure. It is called from any
	// goroutine, in order for each instance, and must not block for long.
	Watch(report func(Event))
	// Ensure makes an instance of this ID run. It returns once that is accepted; the rest comes as
	// events. Calling it again with the same ID changes nothing.
	Ensure(ctx context.Context, i Instance) error
	// Remove returns when no process, socket or file of the instance is left. Where ctx ends first,
	// its workers are killed instead of being asked to stop.
	Remove(ctx context.Context, id string) error
	// Restart kills one worker of an instance, so that it is started anew.
	Restart(id string, worker int)
	// Addresses tells where the workers of an instance listen once they do.
	Addresses(i Instance) []Address
	// Log returns the last tail lines of one of the logs of an instance, headed by its status.
	Log(id, container string, tail int) (string, error)
	// Sweep ends what an earlier server left running and removes the files of all instances but the
	// named ones. It is called before the first Ensure.
	Sweep(ctx context.Context, leftovers []Leftover) error
	// Close stops all instances and leaves their files.
	Close(ctx context.Context) error
}

// The logs of an instance (Azure ML REST API, DeploymentLogsRequest, containerType).
const (
	InferenceServer    = "InferenceServer"    // what the workers print
	StorageInitializer = "StorageInitializer" // the start-up steps
)

var idPattern = regexp.MustCompile(`^[a-z0-9]{8,16}$`)

// CheckID tells what is wrong with the ID of an instance. An ID is a part of paths, so nothing else will do.
func CheckID(id string) error {
	if !idPattern.MatchString(id) {
		return online.Errorf(online.Invalid, "instance id %q: want 8 to 16 lower-case letters and digits", id)
	}
	return nil
}
