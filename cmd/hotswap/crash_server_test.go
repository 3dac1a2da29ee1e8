package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// serverCrashes are the places in the server at which a crash would be worst.
var serverCrashes = []string{
	"control.commit.before", "control.commit.after",
	"control.instance.committed", "process.fork.before", "process.fork.after", "control.instance.ensured", "control.pid.committed",
	"control.routes.before", "control.routes.after", "control.done.before", "control.done.after",
	"control.delete.marked", "control.delete.routed", "control.delete.drained", "control.delete.stopped",
	"control.retire.drained", "control.retire.stopped",
}

// A server that is killed anywhere, first in the making of its first endpoint and then in the
// middle of its life, comes up again with all that it has acknowledged and nothing else.
func TestServerCrashes(t *testing.T) {
	for _, point := range serverCrashes {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.stop(t)
			p := newProject(t, "crash")
			s.crashes(t, p, point, "one", "two", "three")
			s.recovers(t, p)
			s.stop(t)
			s.crashes(t, p, point, "five", "six", "seven")
			s.recovers(t, p)
		})
	}
}

// crashes starts the server armed and gives it work until it is killed at the point. It is started
// again at once, while the command that it left in the lurch may still be running.
func (s *server) crashes(t *testing.T, p *project, point string, models ...string) {
	t.Helper()
	env := s.env() // the client's, while the server is still the one it was
	if err := s.start("HOTSWAP_CRASH_AT=" + point); err != nil && !s.killedAt(point) {
		t.Fatal(err)
	}
	work := make(chan struct{})
	go func() {
		defer close(work)
		p.keepBusy(env, models)
	}()
	select {
	case err := <-s.exited:
		s.exited <- err
	case <-work:
		t.Fatalf("%s was not hit", point)
	}
	if !s.killedAt(point) {
		t.Fatalf("the server ended otherwise: %v\n%s", s.command.ProcessState, s.stderr)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	<-work
}

func (s *server) killedAt(point string) bool {
	if s.command.ProcessState == nil {
		return false
	}
	status, _ := s.command.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL && strings.Contains(s.stderr.String(), "crash point: "+point)
}

// keepBusy makes the server create, update, swap and delete. What fails does so because the
// server is gone; the test finds out afterwards whether anything is lost.
func (p *project) keepBusy(env, models []string) {
	run := func(args ...string) {
		c := exec.Command(binary, args...)
		c.Env = env
		_ = c.Run()
	}
	model := filepath.Join(p.dir, "model.json")
	for _, name := range models {
		_ = os.WriteFile(model, []byte(`{"name": "`+name+`"}`), 0o644)
		run("model", "register", "-n", p.endpoint, "--path", model)
		run(p.rollout()...)
	}
	for _, slot := range []string{"blue", "green"} { // the live one is refused
		run("deployment", "delete", "-e", p.endpoint, "-n", slot, "--yes")
	}
}

// recovers requires that a rollout goes through, and that the server then has one live slot, as
// many workers as deployments, and no lock.
func (s *server) recovers(t *testing.T, p *project) {
	t.Helper()
	p.register(t, s, "last")
	waitFor(t, "a rollout to go through", func() bool {
		r := s.run(t, p.rollout()...)
		if r.code != 0 {
			t.Log(r)
		}
		return r.code == 0
	})
	p.becomes(t, s, "last")
	st := p.status(t, s)
	if st.Live == "" || st.Lock != nil || len(st.Deployments) > 2 {
		t.Errorf("left %+v, want one slot live and no lock", st)
	}
	for _, d := range st.Deployments {
		if d.State != "Succeeded" {
			t.Errorf("deployment %s is %s", d.Name, d.State)
		}
	}
	waitFor(t, "as many workers as deployments", func() bool { return len(workersBelow(t, s.stateDir)) == len(st.Deployments) })
	folders, err := os.ReadDir(filepath.Join(s.stateDir, "instances"))
	if err != nil || len(folders) != len(st.Deployments) {
		t.Errorf("%d folders of instances for %d deployments, %v", len(folders), len(st.Deployments), err)
	}
}

// workersBelow lists the processes that run the worker from below a folder.
func workersBelow(t *testing.T, dir string) (pids []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.Contains(cmdline, []byte(dir)) && bytes.Contains(cmdline, []byte("worker.py")) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// Every crash point of the sources is in one of the tables of these tests.
func TestEveryCrashPointIsTested(t *testing.T) {
	out, err := exec.Command("grep", "-rhoE", `crashpoint\.At\("[^"]*`, "--include=*.go", "../../internal").Output()
	if err != nil {
		t.Fatal(err)
	}
	tested := strings.Join(serverCrashes, "\n")
	for _, points := range pipelineCrashes {
		tested += "\n" + strings.Join(points, "\n")
	}
	for _, points := range gateCrashes {
		tested += "\n" + strings.Join(points, "\n")
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		_, point, _ := strings.Cut(strings.TrimSpace(line), `"`)
		found++
		if !strings.Contains(tested, point) {
			t.Errorf("crash point %q is not tested", point)
		}
	}
	for _, phase := range phases(t) {
		for _, side := range []string{".before", ".after"} {
			if point := "rollout.journal." + phase + side; !strings.Contains(tested, point) {
				t.Errorf("crash point %q is not tested", point)
			}
		}
	}
	if found < len(serverCrashes) {
		t.Errorf("found %d crash points in the sources, want at least %d", found, len(serverCrashes))
	}
}

// phases lists the phases of a rollout, each of which is a journal entry.
func phases(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("../../internal/rollout/rollout.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^\t\w+\s+Phase = "(\w+)"`).FindAllSubmatch(source, -1) {
		names = append(names, string(found[1]))
	}
	if len(names) < 8 {
		t.Fatalf("found the phases %v, want more", names)
	}
	return names
}
