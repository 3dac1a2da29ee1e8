package process_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/workers"
	"hotswap/internal/workers/process"
)

func TestInstanceServesAndLeavesNothing(t *testing.T) {
	t.Setenv("HOTSWAP_TEST_SECRET", "do not pass on")
	s := newSite(t)
	i := code(t, echo)
	i.Processes = 2
	i.Variables = map[string]string{"THRESHOLD": "0.5", "LANG": "de_DE.UTF-8", "AML_APP_ROOT": "/elsewhere", "DAEMON": unique(), "DAEMON_ENV": "{}"}
	model := filepath.Join(t.TempDir(), "taxi")
	write(t, filepath.Join(model, "model.json"), "{}")
	i.Model = online.Ref{Kind: online.Models, Name: model, Version: "3"}
	s.ensure(i)
	for n := range i.Processes {
		if got, err := s.ask(n, "hello"); err != nil || got != `"hello"` {
			t.Errorf("worker %d answered %q, %v", n, got, err)
		}
	}
	checkEnvironment(t, s, i)
	e, _ := s.wait(0, guardStarted)
	daemons := len(mentioning(t, i.Variables["DAEMON"]))
	if daemons != 4 { // two workers, that have it in their environment, and two daemons
		t.Errorf("%d processes before the removal, want 4", daemons)
	}
	for range 2 { // the second time there is nothing to do
		if err := s.Remove(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
		if left := mentioning(t, i.Variables["DAEMON"]); len(left) > 0 || running(e.PID) {
			t.Errorf("left running: %q", left)
		}
		for _, folder := range []string{"instances", "run"} {
			if left, err := os.ReadDir(filepath.Join(s.dir, folder)); err != nil || len(left) > 0 {
				t.Errorf("left in %s: %v, %v", folder, left, err)
			}
		}
	}
	if _, err := s.Log(i.ID, workers.InferenceServer, 10); online.CodeOf(err) != online.NotFound {
		t.Errorf("log of a removed instance: %v", err)
	}
}

func checkEnvironment(t *testing.T, s *site, i workers.Instance) {
	t.Helper()
	text, err := s.ask(0, "environ")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(s.dir, "instances", i.ID)
	for name, want := range map[string]string{
		"AML_APP_ROOT": folder + "/code/onlinescoring", "AZUREML_ENTRY_SCRIPT": "score.py", "AZUREML_MODEL_DIR": folder + "/model",
		"HOME": folder, "TMPDIR": folder + "/tmp", "LANG": "de_DE.UTF-8", "THRESHOLD": "0.5", "HOTSWAP_INSTANCE": folder,
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
		delete(got, name)
	}
	for name := range got {
		switch name {
		case "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DAEMON", "DAEMON_ENV", "LC_CTYPE":
		default:
			t.Errorf("%s of the server's environment was passed on", name)
		}
	}
}

func TestEnsureTwiceIsOnce(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	n := s.ensure(i)
	pid := s.pid(0)
	if err := s.Ensure(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	if again := s.pid(0); again != pid || len(s.seen()) != n {
		t.Errorf("worker %d, then %d; events %+v", pid, again, s.seen()[n:])
	}
}

func TestCrashedWorkerIsStartedAgain(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	i.Processes = 2
	n := s.ensure(i)
	first, second := s.pid(0), s.pid(1)
	if _, err := s.ask(0, "die"); err == nil {
		t.Error("a worker that died answered")
	}
	e, n := s.wait(n, state(workers.Unready))
	if e.Err == nil || !strings.Contains(e.Err.Error(), "exit status 7") || !strings.Contains(e.Err.Error(), "last words") {
		t.Errorf("cause %v", e.Err)
	}
	_, n = s.wait(n, state(workers.Ready))
	if now := s.pid(0); now == first || s.pid(1) != second {
		t.Errorf("workers %d %d, then %d %d", first, second, now, s.pid(1))
	}
	s.Restart(id, 1)
	_, n = s.wait(n, state(workers.Unready))
	s.wait(n, state(workers.Ready))
	if s.pid(1) == second {
		t.Error("the worker was not restarted")
	}
	s.Restart(id, 7) // none of these does anything
	s.Restart(id, -1)
	s.Restart("nosuchid", 0)
	if len(s.seen()) != n+1 {
		t.Errorf("events %+v", s.seen()[n:])
	}
}

func TestCrashedWorkerTakesItsChildrenAlong(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	i.Variables = map[string]string{"CHILD": unique()}
	n := s.ensure(i)
	if _, err := s.ask(0, "child"); err != nil {
		t.Fatal(err)
	}
	sleep := "sleep\x00" + i.Variables["CHILD"]
	eventually(t, "the worker has a child", func() bool { return len(mentioning(t, sleep)) == 1 })
	s.ask(0, "die")
	s.wait(n, state(workers.Unready))
	if left := mentioning(t, sleep); len(left) != 0 {
		t.Errorf("the worker's child is still there: %q", left)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	s := newSite(t)
	s.ensure(code(t, echo))
	guard, _ := s.wait(0, guardStarted)
	if _, err := s.ask(0, "orphans"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the orphans came to the guard, ended and left it with its worker", func() bool {
		return children(t, guard.PID) == 1
	})
}

func TestSilentWorkerIsKilled(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	i.Liveness = online.Probe{Period: 30 * time.Millisecond, Timeout: 30 * time.Millisecond, SuccessThreshold: 1, FailureThreshold: 3}
	n := s.ensure(i)
	pid := s.pid(0)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, n = s.wait(n, state(workers.Unready))
	s.wait(n, state(workers.Ready))
	if s.pid(0) == pid {
		t.Error("the silent worker is still there")
	}
	if log, err := s.Log(id, workers.InferenceServer, 1); err != nil || !strings.Contains(log, "liveness probe failed 3 times in a row") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestKilledGuardIsStartedAgain(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	i.Variables = map[string]string{"DAEMON": unique(), "DAEMON_ENV": `{"HOTSWAP_INSTANCE": "` + filepath.Join(s.dir, "instances", id) + `"}`}
	s.ensure(i)
	e, n := s.wait(0, guardStarted)
	worker := s.pid(0)
	before := mentioning(t, i.Variables["DAEMON"])
	if err := syscall.Kill(e.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, n = s.wait(n, state(workers.Unready))
	again, n := s.wait(n, guardStarted)
	if again.PID == e.PID || again.StartTime == 0 {
		t.Errorf("guard %d, then %+v", e.PID, again)
	}
	s.wait(n, state(workers.Ready))
	if s.pid(0) == worker {
		t.Error("the worker outlived its guard")
	}
	after := mentioning(t, i.Variables["DAEMON"])
	if len(before) != 2 || len(after) != 2 || before[0] == after[0] || before[1] == after[1] {
		t.Errorf("worker and daemon were %q, are %q", before, after)
	}
}

func TestRemoveLetsARequestFinish(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	s.ensure(i)
	type result struct {
		text string
		err  error
	}
	answered := make(chan result, 1)
	go func() {
		text, err := s.ask(0, "slow")
		answered <- result{text, err}
	}()
	time.Sleep(200 * time.Millisecond) // the request is in run() now
	removed := make(chan error, 1)
	go func() { removed <- s.Remove(t.Context(), id) }()
	time.Sleep(200 * time.Millisecond) // the removal waits for it
	if err := s.Ensure(t.Context(), i); online.CodeOf(err) != online.Conflict {
		t.Errorf("an instance that is being removed is asked for: %v, want Conflict", err)
	}
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if r := <-answered; r.err != nil || r.text != `"slow"` {
		t.Errorf("answer %q, %v", r.text, r.err)
	}
}

func TestRemoveWithoutTimeKills(t *testing.T) {
	s := newSite(t)
	i := code(t, "import signal\n"+echo+"\ndef stay(*_): pass\n")
	s.ensure(i)
	pid := s.pid(0)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // deaf to SIGTERM
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Remove(ctx, id); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second || running(pid) {
		t.Errorf("took %v, process runs: %t", took, running(pid))
	}
}

func TestRemoveWhileStarting(t *testing.T) {
	s := newSite(t)
	if err := s.Ensure(t.Context(), code(t, "import time\ndef init(): time.sleep(999)\ndef run(raw): pass\n")); err != nil {
		t.Fatal(err)
	}
	s.wait(0, guardStarted)
	if err := s.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if left := mentioning(t, s.dir); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
	for _, e := range s.seen() {
		if e.State == workers.Failed {
			t.Errorf("a removed instance failed: %v", e.Err)
		}
	}
}

func TestEnsureRefuses(t *testing.T) {
	s := newSite(t)
	for name, change := range map[string]func(*workers.Instance){
		"id that climbs":      func(i *workers.Instance) { i.ID = "../../../x" },
		"no workers":          func(i *workers.Instance) { i.Processes = 0 },
		"too many workers":    func(i *workers.Instance) { i.Processes = 1000 },
		"nameless variable":   func(i *workers.Instance) { i.Variables = map[string]string{"": "x"} },
		"variable with =":     func(i *workers.Instance) { i.Variables = map[string]string{"A=B": "x"} },
		"variable with zero":  func(i *workers.Instance) { i.Variables = map[string]string{"A": "x\x00y"} },
		"probe without end":   func(i *workers.Instance) { i.Readiness.Period = 0 },
		"probe without tries": func(i *workers.Instance) { i.Liveness.FailureThreshold = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			i := code(t, echo)
			change(&i)
			if err := s.Ensure(t.Context(), i); online.CodeOf(err) != online.Invalid {
				t.Errorf("error %v, want Invalid", err)
			}
		})
	}
	if err := s.Remove(t.Context(), "../run"); online.CodeOf(err) != online.Invalid {
		t.Errorf("removal of what is no instance: %v", err)
	}
	if _, err := s.Log("../run", workers.InferenceServer, 0); online.CodeOf(err) != online.Invalid {
		t.Errorf("log of what is no instance: %v", err)
	}
}

func TestNewRefusesALongStateFolder(t *testing.T) {
	base := t.TempDir()
	at := func(length int) string { return filepath.Join(base, strings.Repeat("x", length-len(base)-1)) }
	const most = 77
	l, err := process.New(options(at(most)))
	if err != nil {
		t.Fatal(err)
	}
	addresses := l.Addresses(workers.Instance{ID: "0123456789abcdef", Processes: 999})
	if last := addresses[998].Address; len(last) > 107 {
		t.Errorf("the last socket has a path of %d bytes", len(last))
	}
	if _, err := process.New(options(at(most + 1))); online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "at most 77 bytes") {
		t.Errorf("error %v, want one that tells the longest", err)
	}
}
