package main

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pipeline that is stopped until its lock has expired, with another rollout in between, must
// not write when it goes on.
func TestStoppedPipelineStopsForGood(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "stopped")
		p.register(t, s, "one")
		p.replace(t, "src/score.py", "def init():", "def init():\n    import time; time.sleep(3)")
		short := []string{"HOTSWAP_LOCK_TTL=8s"}

		first := s.client(short, p.rollout()...)
		var stderr bytes.Buffer
		first.Stderr = &stderr
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the first rollout to deploy", func() bool { return s.deploying(t, p) })
		if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}

		// The second one is told to wait until the lock has expired, and then runs.
		var second result
		waitFor(t, "the second rollout to get the lock", func() bool {
			second = finish(t, s.client(short, p.rollout()...))
			return second.code != 4
		})
		second.expect(t, 0, "undone")
		before := p.status(t, s)

		if err := first.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait()
		if code := first.ProcessState.ExitCode(); code == 0 || !strings.Contains(stderr.String(), "lock") {
			t.Errorf("the first rollout ended with %d:\n%s\nwant a failure that tells of the lock", code, &stderr)
		}
		after := p.status(t, s)
		if after.Live != before.Live || after.Rollout.Rollout != before.Rollout.Rollout || len(after.Deployments) != len(before.Deployments) {
			t.Errorf("the first rollout wrote: before %+v, after %+v", before, after)
		}
		for i, d := range after.Deployments {
			if d != before.Deployments[i] {
				t.Errorf("deployment %+v became %+v", before.Deployments[i], d)
			}
		}
	})
}

// deploying reports whether a deployment of the project has been asked for.
func (s *server) deploying(t *testing.T, p *project) bool {
	t.Helper()
	out := finish(t, s.client(nil, "deployment", "list", "-e", p.endpoint))
	return strings.Contains(out.stdout, "blue")
}

// waitFor polls until it is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// A pipeline that is interrupted gives its lock back and leaves the way back open.
func TestInterruptedPipeline(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "interrupted")
		for _, name := range []string{"one", "two"} {
			p.register(t, s, name)
			s.run(t, p.rollout()...).expect(t, 0, "")
		}
		p.register(t, s, "three")
		p.replace(t, "src/score.py", "def init():", "def init():\n    import time; time.sleep(4)")
		c := s.client(nil, p.rollout()...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the third rollout to deploy", func() bool {
			for _, d := range p.status(t, s).Deployments {
				if d.State == "Updating" {
					return true
				}
			}
			return false
		})
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "stopped on the way") {
			t.Errorf("the interrupted rollout ended with %d:\n%s", code, &stderr)
		}
		if st := p.status(t, s); st.Lock != nil || st.Live != "green" {
			t.Errorf("left %+v, want no lock and green live", st)
		}
		s.run(t, "rollback", "-e", p.endpoint).expect(t, 0, "putting back")
		p.becomes(t, s, "one")
	})
}
