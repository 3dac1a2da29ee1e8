package process

import (
	"time"

	"hotswap/internal/workers"
)

// orders is the first line that a guard reads: all that it needs to know.
type orders struct {
	Once    *order // run this to its end and exit as it does; the rest is for workers
	Workers []order
	Log     string        // path of the log of what the workers print
	Grace   time.Duration // between SIGTERM and SIGKILL
}

// order is one worker process.
type order struct {
	Argv, Env []string
	Dir       string
}

// command is each further line that a guard reads.
type command struct {
	Do     string // stop or restart
	Worker int    // of restart
}

// The commands.
const (
	doStop    = "stop"    // end the workers with grace, then the guard
	doRestart = "restart" // kill a worker, and start it again
)

// report is a line that a guard writes: what became of a worker.
type report struct {
	Worker int
	Phase  workers.Phase
	Cause  string   // why it ended, or could not be started
	Tail   []string // the last lines that it printed
}
