package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hotswap/internal/load"
)

// A score.py that leaves a process behind as a careless one may: in a session of its own, with
// neither its parent, its folder nor its environment. Its command line tells whose it is.
const daemonizing = doubling + `
def detach():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.execve("/bin/sh", ["sh", "-c", "while :; do sleep 1; done", os.environ["AML_APP_ROOT"]], {})

detach()
`

// A server that is killed leaves no process behind, whatever its workers have started; and comes
// up again with the same endpoint, the same key and the same model.
func TestKilledServerLeavesNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "killed")
	p.write(t, "src/score.py", daemonizing)
	p.replace(t, "deployment.yml", "instance_count: 1", "instance_count: 2\nenvironment_variables: {WORKER_COUNT: \"2\"}")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	_, key := p.scoring(t, s)
	started := below(t, s.command.Process.Pid)
	if workers, daemons := count(started, "worker.py"), count(started, "while"); workers != 4 || daemons != 4 {
		t.Fatalf("%d workers and %d daemons run, want 4 and 4: %v", workers, daemons, started)
	}

	s.kill(t)
	s.gone(t, started)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an answer", func() bool {
		return s.run(t, "endpoint", "invoke", "-n", p.endpoint, "--request-file", p.path("request.json")).code == 0
	})
	waitFor(t, "all workers to listen", func() bool { return len(entries(t, s.stateDir, "run")) == 4 }) // those from before were swept away by now
	p.becomes(t, s, "one")
	if _, again := p.scoring(t, s); again != key {
		t.Error("the endpoint has another key than before")
	}
	s.holds(t, 2, 4)
}

// A server that is told to stop answers every request that was sent before, and leaves nothing. All
// clients must have one under way then, so nothing else is tested meanwhile.
func TestStopUnderLoadAnswersAll(t *testing.T) {
	s := startServer(t)
	p := newProject(t, "stopped-under-load")
	p.write(t, "src/score.py", doubling+`
quick = run

def run(raw_data):
    import time
    if json.loads(raw_data)["n"] % 2:
        time.sleep(0.3)
    return quick(raw_data)
`)
	p.replace(t, "deployment.yml", "instance_count: 1", "instance_count: 1\nenvironment_variables: {WORKER_COUNT: \"6\"}")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	started := below(t, s.command.Process.Pid)
	l := p.load(t, s)
	waitFor(t, "the load to be well under way", func() bool { return l.asked.Load() >= 300 })
	signalled := time.Now()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-s.exited
	s.exited <- err
	if err != nil {
		t.Errorf("the server ended with %v, want 0\n%s", err, s.stderr)
	}
	before, underWay := 0, 0
	for _, a := range l.end() {
		if a.sent.After(signalled) {
			continue
		}
		before++
		if a.answered.After(signalled) {
			underWay++
		}
		if wrong := a.wrong(); wrong != "" {
			t.Errorf("sent %v before the signal, ended %v after it: %s", signalled.Sub(a.sent), a.answered.Sub(signalled), wrong)
		}
	}
	t.Logf("%d requests before the signal, %d under way", before, underWay)
	if before < 200 || underWay < loadClients {
		t.Errorf("%d requests were sent before the signal and %d were under way, want at least 200 and %d", before, underWay, loadClients)
	}
	s.gone(t, started)
	if left := entries(t, s.stateDir, "run"); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
}

// A worker that is killed from outside takes the one request with it that it was working on, and
// comes back.
func TestKilledWorkerLosesOneRequest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "worker-killed")
	p.write(t, "src/score.py", doubling+`
quick = run

def run(raw_data):
    import time
    time.sleep(0.01)
    return quick(raw_data)
`)
	p.replace(t, "deployment.yml", "instance_count: 1", "instance_count: 1\nenvironment_variables: {WORKER_COUNT: \"2\"}")
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	l := p.load(t, s)
	const kills = 5
	for range kills {
		time.Sleep(300 * time.Millisecond)
		victim := workersBelow(t, s.stateDir)[0]
		if pid, err := strconv.Atoi(victim); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
			t.Fatalf("kill %s: %v", victim, err)
		}
		waitFor(t, "the worker to come back", func() bool {
			now := workersBelow(t, s.stateDir)
			return len(now) == 2 && now[0] != victim && now[1] != victim && len(entries(t, s.stateDir, "run")) == 2
		})
	}
	time.Sleep(300 * time.Millisecond)
	answers := l.end()
	lost := 0
	for _, a := range answers {
		if a.err == nil && a.status == 424 {
			lost++
		} else if wrong := a.wrong(); wrong != "" {
			t.Error(wrong)
		}
	}
	t.Logf("%d requests, %d lost by %d kills", len(answers), lost, kills)
	if lost < 1 || lost > kills || len(answers) < 50 {
		t.Errorf("%d of %d requests lost by %d kills, want 1 to %d of at least 50", lost, len(answers), kills, kills)
	}
}

func TestSecondServerOfAFolder(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	second := &server{stateDir: s.stateDir, listen: "127.0.0.1:0"}
	err := second.start()
	if err == nil {
		second.stop(t)
	}
	if code := second.command.ProcessState.ExitCode(); err == nil || code != 4 || !strings.Contains(second.stderr.String(), fmt.Sprintf("pid %d", s.command.Process.Pid)) {
		t.Errorf("a second server ended with %d: %v; want 4, locked, and the pid of the first", code, err)
	}
	s.must(t, "endpoint", "list")
}

// What is deleted leaves no process, socket or folder.
func TestDeletedLeavesNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProject(t, "deleted")
	p.write(t, "src/score.py", daemonizing)
	p.register(t, s, "one")
	s.run(t, p.rollout()...).expect(t, 0, "")
	s.run(t, p.rollout()...).expect(t, 0, "")
	s.holds(t, 2, 2)
	started := below(t, s.command.Process.Pid)
	s.must(t, "deployment", "delete", "-e", p.endpoint, "-n", "blue", "--yes")
	s.holds(t, 1, 1)
	s.must(t, "endpoint", "delete", "-n", p.endpoint, "--yes")
	s.holds(t, 0, 0)
	s.gone(t, started)
}

// holds requires that the state folder has files of so many instances and so many sockets.
func (s *server) holds(t *testing.T, instances, sockets int) {
	t.Helper()
	if got := entries(t, s.stateDir, "instances"); len(got) != instances {
		t.Errorf("folders of instances: %v, want %d", got, instances)
	}
	if got := entries(t, s.stateDir, "run"); len(got) != sockets {
		t.Errorf("sockets: %v, want %d", got, sockets)
	}
}

func entries(t *testing.T, dir ...string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Join(dir...))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

const loadClients = 8

// A loaded endpoint is asked by clients that never send a request twice.
type loaded struct {
	asked   atomic.Int64 // requests that have ended
	stop    context.CancelFunc
	clients sync.WaitGroup
	answers [loadClients][]scored
}

// scored is one request and what became of it.
type scored struct {
	input          int
	sent, answered time.Time
	err            error
	status         int
	body           []byte
}

// scoring returns where the endpoint is scored, and its key.
func (p *project) scoring(t *testing.T, s *server) (uri, key string) {
	t.Helper()
	c := s.dial(t)
	e, err := c.Endpoint(t.Context(), p.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = c.ScoringKey(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e.ScoringURI, key
}

// load has clients ask until the load ends, each until its first request without an answer.
func (p *project) load(t *testing.T, s *server) *loaded {
	t.Helper()
	uri, key := p.scoring(t, s)
	conf := s.https(t).Transport.(*http.Transport).TLSClientConfig
	ctx, stop := context.WithCancel(t.Context())
	l := &loaded{stop: stop}
	for n := range loadClients {
		c, err := load.NewClient(uri, conf, map[string]string{"Authorization": "Bearer " + key})
		if err != nil {
			t.Fatal(err)
		}
		l.clients.Go(func() { l.answers[n] = l.score(ctx, c, n) })
	}
	t.Cleanup(func() { l.end() })
	return l
}

// score asks with inputs of the client's own: all even or all odd.
func (l *loaded) score(ctx context.Context, c *load.Client, number int) (answers []scored) {
	defer c.Close()
	for input := number; ctx.Err() == nil; input += loadClients {
		a := scored{input: input, sent: time.Now()}
		answer, err := c.Post(context.WithoutCancel(ctx), fmt.Appendf(nil, `{"n": %d}`, input))
		a.answered, a.err, a.status, a.body = time.Now(), err, answer.Status, answer.Body
		l.asked.Add(1)
		if answers = append(answers, a); err != nil {
			return answers
		}
	}
	return answers
}

// end ends the load and returns all that was asked.
func (l *loaded) end() []scored {
	l.stop()
	l.clients.Wait()
	return slices.Concat(l.answers[:]...)
}

// wrong says what is wrong with an answer, or "".
func (a scored) wrong() string {
	var answer struct{ Twice int }
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.status != http.StatusOK:
		return fmt.Sprintf("status %d: %s", a.status, a.body)
	case json.Unmarshal(a.body, &answer) != nil || answer.Twice != 2*a.input:
		return fmt.Sprintf("answer %s to %d", a.body, a.input)
	}
	return ""
}
