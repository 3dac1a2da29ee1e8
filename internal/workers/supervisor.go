package workers

import (
	"context"
	"errors"
	"time"
)

// Process is a running process.
type Process interface {
	// Wait returns when the process has ended, with the way it ended. It is called once.
	Wait() error
	// Terminate asks the process to end.
	Terminate()
	// Kill ends the process.
	Kill()
}

// A Phase is what a Supervisor reports of its process.
type Phase string

// The phases.
const (
	Running Phase = "Running" // it was started
	Waiting Phase = "Waiting" // it ended, or could not be started, and will be started again
	Stopped Phase = "Stopped" // it ended, and the supervisor with it
)

// ErrExited is the end of a process that nothing is wrong with but that it ended.
var ErrExited = errors.New("exit status 0")

// Supervisor keeps one process running until the context of Run ends.
type Supervisor struct {
	Start   func() (Process, error)
	Report  func(p Phase, cause error) // called from Run's goroutine only; cause is nil but in Waiting
	Backoff Backoff
	Grace   time.Duration // between Terminate and Kill

	restart chan struct{}
}

// NewSupervisor returns a supervisor of the process that start starts.
func NewSupervisor(start func() (Process, error), report func(Phase, error), grace time.Duration) *Supervisor {
	return &Supervisor{Start: start, Report: report, Backoff: DefaultBackoff(), Grace: grace, restart: make(chan struct{}, 1)}
}

// Run owns the process and every piece of its state: there is no lock because nothing else
// touches it. Others learn of a change by Report, kill the process by Restart, and end it by ending ctx.
func (s *Supervisor) Run(ctx context.Context) {
	defer s.Report(Stopped, nil)
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		s.Report(Waiting, err)
		if s.Backoff.forgets(time.Since(began)) {
			failures = 0
		}
		select {
		case <-time.After(s.Backoff.Delay(failures)):
		case <-ctx.Done():
		}
	}
}

// Restart kills the process, if it runs, so that it is started again.
func (s *Supervisor) Restart() {
	select {
	case s.restart <- struct{}{}:
	default: // one is on its way
	}
}

// once runs the process to its end and says why it ended.
func (s *Supervisor) once(ctx context.Context) error {
	select {
	case <-s.restart: // it was meant for the process before
	default:
	}
	p, err := s.Start()
	if err != nil {
		return err
	}
	s.Report(Running, nil)
	exited := make(chan error, 1)
	go func() { exited <- p.Wait() }()
	select {
	case err := <-exited:
		return ended(err)
	case <-s.restart:
		p.Kill()
		return ended(<-exited)
	case <-ctx.Done():
		return s.stop(p, exited)
	}
}

// stop ends the process, with grace, and waits for its end.
func (s *Supervisor) stop(p Process, exited <-chan error) error {
	p.Terminate()
	select {
	case err := <-exited:
		return ended(err)
	case <-time.After(s.Grace):
		p.Kill()
		return ended(<-exited)
	}
}

// ended makes an error of every end: a process that is kept running has no good one.
func ended(err error) error {
	if err == nil {
		return ErrExited
	}
	return err
}

// Backoff says how long to wait before a process is started again.
type Backoff struct {
	First, Most time.Duration // doubled from First with every failure, up to Most
	Forget      time.Duration // a process that ran this long is as good as new
}

// DefaultBackoff starts the first crash over at once, as far as a person can tell, and keeps a
// process that never works from using the machine up.
func DefaultBackoff() Backoff {
	return Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Forget: 30 * time.Second}
}

// Delay is the time to wait after so many failures that came before this one.
func (b Backoff) Delay(failures int) time.Duration {
	d := b.First
	for range failures {
		if d *= 2; d >= b.Most {
			return b.Most
		}
	}
	return d
}

func (b Backoff) forgets(ran time.Duration) bool { return ran >= b.Forget }
