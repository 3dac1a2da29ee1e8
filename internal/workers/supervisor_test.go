package workers_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hotswap/internal/workers"
)

var errKilled = errors.New("signal: killed")

// fakeProcess ends when it is told to; a deaf one does not listen to Terminate.
type fakeProcess struct {
	exit chan error
	deaf bool
}

func (p *fakeProcess) Wait() error { return <-p.exit }
func (p *fakeProcess) Kill()       { p.exit <- errKilled }

func (p *fakeProcess) Terminate() {
	if !p.deaf {
		p.exit <- nil
	}
}

// nursery starts fake processes and keeps what a supervisor reported.
type nursery struct {
	deaf    bool
	refuse  error
	started []time.Time
	last    *fakeProcess
	reports []workers.Phase
	causes  []error
}

func (n *nursery) start() (workers.Process, error) {
	n.started = append(n.started, time.Now())
	if n.refuse != nil {
		return nil, n.refuse
	}
	n.last = &fakeProcess{make(chan error, 2), n.deaf}
	return n.last, nil
}

func (n *nursery) report(p workers.Phase, cause error) {
	n.reports = append(n.reports, p)
	if cause != nil {
		n.causes = append(n.causes, cause)
	}
}

// supervise runs a supervisor in the bubble of the test; the returned function ends it and waits.
func supervise(t *testing.T, n *nursery) (*workers.Supervisor, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	s := workers.NewSupervisor(n.start, n.report, 5*time.Second)
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	synctest.Wait()
	return s, func() { cancel(); <-done }
}

// pass lets the bubble's time pass and everything that is due then happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSupervisorStartsAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nursery{refuse: errors.New("no such file")}
		_, end := supervise(t, n)
		pass(40 * time.Second)
		end()
		var gaps []time.Duration
		for k := range len(n.started) - 1 {
			gaps = append(gaps, n.started[k+1].Sub(n.started[k]))
		}
		const ms = time.Millisecond
		want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms}
		if !slices.Equal(gaps, want) {
			t.Errorf("waited %v between starts, want %v", gaps, want)
		}
	})
}

func TestSupervisorForgetsFailuresOfOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		_, end := supervise(t, n)
		defer end()
		for range 6 {
			n.last.exit <- errKilled
			pass(10 * time.Second)
		}
		pass(time.Minute)
		died := time.Now()
		n.last.exit <- errKilled
		pass(time.Second)
		if wait := n.started[len(n.started)-1].Sub(died); wait != 100*time.Millisecond {
			t.Errorf("a process that ran a minute was started again after %v, want the first delay", wait)
		}
	})
}

func TestSupervisorReports(t *testing.T) {
	const (
		running = workers.Running
		waiting = workers.Waiting
		stopped = workers.Stopped
	)
	for name, test := range map[string]struct {
		deaf   bool
		act    func(*workers.Supervisor, *nursery)
		want   []workers.Phase
		causes []error
		takes  time.Duration // of the end
	}{
		"end with grace":    {want: []workers.Phase{running, stopped}},
		"end without grace": {deaf: true, want: []workers.Phase{running, stopped}, takes: 5 * time.Second},
		"crash": {
			act:    func(_ *workers.Supervisor, n *nursery) { n.last.exit <- errKilled; pass(time.Second) },
			want:   []workers.Phase{running, waiting, running, stopped},
			causes: []error{errKilled},
		},
		"exit without error": {
			act:    func(_ *workers.Supervisor, n *nursery) { n.last.exit <- nil; pass(time.Second) },
			want:   []workers.Phase{running, waiting, running, stopped},
			causes: []error{workers.ErrExited},
		},
		"restart": {
			act:    func(s *workers.Supervisor, _ *nursery) { s.Restart(); pass(time.Second) },
			want:   []workers.Phase{running, waiting, running, stopped},
			causes: []error{errKilled},
		},
		"restart of one that is gone kills nothing": {
			act: func(s *workers.Supervisor, n *nursery) {
				n.last.exit <- errKilled
				synctest.Wait()
				s.Restart()
				pass(time.Second)
			},
			want:   []workers.Phase{running, waiting, running, stopped},
			causes: []error{errKilled},
		},
		"end while waiting": {
			act:    func(_ *workers.Supervisor, n *nursery) { n.last.exit <- errKilled; synctest.Wait() },
			want:   []workers.Phase{running, waiting, stopped},
			causes: []error{errKilled},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &nursery{deaf: test.deaf}
				s, end := supervise(t, n)
				if test.act != nil {
					test.act(s, n)
				}
				began := time.Now()
				end()
				if took := time.Since(began); took != test.takes {
					t.Errorf("the end took %v, want %v", took, test.takes)
				}
				if !slices.Equal(n.reports, test.want) || !slices.Equal(n.causes, test.causes) {
					t.Errorf("reported %v %v, want %v %v", n.reports, n.causes, test.want, test.causes)
				}
			})
		})
	}
}

func TestCheckID(t *testing.T) {
	for id, good := range map[string]bool{
		"abcdefgh": true, "0123456789abcdef": true, "": false, "short": false, "0123456789abcdefg": false,
		"../../etc": false, "ABCDEFGH": false, "abcd efgh": false, "abcdefgh\n": false,
	} {
		if err := workers.CheckID(id); (err == nil) != good {
			t.Errorf("CheckID(%q) = %v", id, err)
		}
	}
}
