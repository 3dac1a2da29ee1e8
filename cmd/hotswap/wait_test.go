package main

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// written collects what a process writes while it runs.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Two rollouts that wait for one lock get it one after the other, and both put the model live that
// is the newest then.
func TestTwoWaitForTheLock(t *testing.T) {
	modes(t, func(t *testing.T, s *server) {
		p := newProject(t, "waiting")
		p.register(t, s, "one")
		s.run(t, p.rollout()...).expect(t, 0, "")
		s.run(t, "lock", "-e", p.endpoint, "-m", "audit").expect(t, 0, "")

		var waiters [2]*exec.Cmd
		var said [2]written
		for i := range waiters {
			waiters[i] = s.client(nil, p.rollout("--wait", "5m")...)
			waiters[i].Stderr = &said[i]
			if err := waiters[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, "both to wait", func() bool {
			return strings.Contains(said[0].String(), "waiting for the lock") && strings.Contains(said[1].String(), "waiting for the lock")
		})
		p.register(t, s, "two")
		s.run(t, "unlock", "-e", p.endpoint).expect(t, 0, "")
		for i, c := range waiters {
			if err := c.Wait(); err != nil {
				t.Errorf("waiter %d: %v\n%s", i, err, &said[i])
			}
		}
		p.becomes(t, s, "two")
		if st := p.status(t, s); st.Lock != nil || st.Live != "blue" {
			t.Errorf("left %+v, want no lock and blue live, the third in turn", st)
		}
		told := strings.Count(said[0].String()+said[1].String(), "waiting for the lock: held by")
		if told < 2 || told > 3 { // the one that came second may have been told of the first as well
			t.Errorf("told %d times whom they wait for, want 2 or 3:\n%s\n%s", told, &said[0], &said[1])
		}
		if out := s.must(t, "history", "-e", p.endpoint); strings.Count(out, "Promoted") != 3 {
			t.Errorf("the history has not 3 promoted rollouts:\n%s", out)
		}
	})
}
