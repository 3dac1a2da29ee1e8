package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/environ"
	"hotswap/internal/frame"
	"hotswap/internal/online"
	"hotswap/internal/workers"
	"hotswap/internal/workers/process"
)

// The test binary is also the guard, and a host: a server reduced to its launcher.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "guard":
		os.Exit(process.Guard(context.Background(), os.Stdin, os.Stdout))
	case len(os.Args) == 4 && os.Args[1] == "host":
		os.Exit(host(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

const (
	id      = "abcdefgh01"
	patient = 30 * time.Second // what a test waits for anything
)

// files is a Fetcher over folders: the name of an asset is the folder that it is a copy of.
type files struct{}

func (files) Fetch(_ context.Context, ref online.Ref, dir string) (string, error) {
	if ref.Kind == online.Models {
		return dir, os.CopyFS(filepath.Join(dir, filepath.Base(ref.Name)), os.DirFS(ref.Name))
	}
	root := filepath.Join(dir, filepath.Base(ref.Name))
	return root, os.CopyFS(root, os.DirFS(ref.Name))
}

// builder is shared, so that Python is looked for once.
var builder = environ.New(environ.Options{Log: slog.New(slog.DiscardHandler)})

// guardCommand has the race detector not sleep for a second at the end of each guard.
func guardCommand() []string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{"/usr/bin/env", "GORACE=atexit_sleep_ms=0", self, "guard"}
}

func options(dir string) process.Options {
	return process.Options{
		Dir: dir, Guard: guardCommand(), Fetch: files{},
		Environments: builder, Log: slog.New(slog.DiscardHandler),
	}
}

// site is a launcher under test with what it reported.
type site struct {
	*process.Launcher
	t   *testing.T
	dir string

	mu     sync.Mutex
	events []workers.Event
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteIn(t, t.TempDir(), nil)
}

func newSiteIn(t *testing.T, dir string, change func(*process.Options)) *site {
	t.Helper()
	o := options(dir)
	if change != nil {
		change(&o)
	}
	l, err := process.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Launcher: l, t: t, dir: dir}
	l.Watch(s.record)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // no grace
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		for _, p := range mentioning(t, dir) {
			t.Errorf("left running: %s", p)
		}
	})
	return s
}

func (s *site) record(e workers.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *site) seen() []workers.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]workers.Event(nil), s.events...)
}

// wait returns the first event from the nth on that is as wanted, and the number after it.
func (s *site) wait(from int, is func(workers.Event) bool) (workers.Event, int) {
	s.t.Helper()
	for deadline := time.Now().Add(patient); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		events := s.seen()
		for n := from; n < len(events); n++ {
			if is(events[n]) {
				return events[n], n + 1
			}
		}
	}
	log, _ := s.Log(id, workers.StorageInitializer, 0)
	s.t.Fatalf("no such event in time; got %+v\n%s", s.seen(), log)
	return workers.Event{}, 0
}

func state(want workers.State) func(workers.Event) bool {
	return func(e workers.Event) bool { return e.State == want && e.PID == 0 }
}

func guardStarted(e workers.Event) bool { return e.PID != 0 }

// ensure starts an instance and waits until it is ready.
func (s *site) ensure(i workers.Instance) int {
	s.t.Helper()
	if err := s.Ensure(s.t.Context(), i); err != nil {
		s.t.Fatal(err)
	}
	e, n := s.wait(0, func(e workers.Event) bool { return e.State == workers.Ready || e.State == workers.Failed })
	if e.State == workers.Failed {
		s.t.Fatalf("failed: %v", e.Err)
	}
	return n
}

// code makes a code folder with a scoring script and returns the instance that runs it.
func code(t *testing.T, script string) workers.Instance {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "onlinescoring")
	write(t, filepath.Join(dir, "score.py"), script)
	return workers.Instance{
		ID: id, Endpoint: "taxi", Deployment: "blue", Processes: 1, Script: "score.py",
		Code:      online.Ref{Kind: online.Codes, Name: dir, Version: "1"},
		Readiness: probe(patient), Liveness: probe(patient),
	}
}

// probe is one with a budget.
func probe(budget time.Duration) online.Probe {
	return online.Probe{Period: budget, Timeout: 2 * time.Second, SuccessThreshold: 1, FailureThreshold: 1}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// echo is a script that answers what it was asked, and does what the tests ask for.
const echo = `
import json, os, signal, subprocess, sys, time

def init():
    print("init of", os.getpid())
    if os.environ.get("DAEMON"):
        daemon()

def daemon():
    """Leaves a process that no process group, session, parent or variable connects with this one."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", os.environ["DAEMON"]], json.loads(os.environ["DAEMON_ENV"]))
        os._exit(0)
    os.wait()

def run(raw):
    if raw == "environ":
        return dict(os.environ)
    if raw == "pid":
        return os.getpid()
    if raw == "child":
        subprocess.Popen(["/bin/sleep", os.environ["CHILD"]])
    if raw == "orphans":
        for _ in range(5):
            subprocess.run(["/bin/sh", "-c", "sleep 0.05 &"])
    if raw == "slow":
        time.sleep(1)
    if raw == "die":
        print("last words"); os._exit(7)
    return raw
`

// ask scores on one worker of the instance.
func (s *site) ask(n int, body string) (string, error) {
	i := workers.Instance{ID: id, Processes: n + 1}
	a := s.Addresses(i)[n]
	ctx, cancel := context.WithTimeout(s.t.Context(), patient)
	defer cancel()
	conn, err := frame.Dial(ctx, a.Network, a.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var request frame.Request
	request.Reset("POST", "/score", "")
	request.Body = []byte(body)
	if _, err := conn.Send(&request, time.Now().Add(patient)); err != nil {
		return "", err
	}
	var answer frame.Response
	if err := conn.Receive(&answer); err != nil {
		return "", err
	}
	if answer.Status != 200 {
		return "", fmt.Errorf("status %d: %s", answer.Status, answer.Body)
	}
	return string(answer.Body), nil
}

// pid is the process of a worker.
func (s *site) pid(n int) int {
	s.t.Helper()
	text, err := s.ask(n, "pid")
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// mentioning lists the processes, this one left out, whose command line or environment has the text.
// It is another way to look than the launcher's own.
func mentioning(t *testing.T, text string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		args, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		env, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		if bytes.Contains(args, []byte(text)) || bytes.Contains(env, []byte(text)) {
			found = append(found, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(args, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// children counts the children of a process, also those that have ended and are not asked for.
func children(t *testing.T, of int) (count int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, _ := os.ReadFile(path) // one that has gone has no parent
		_, rest, _ := strings.Cut(string(stat), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(of) {
			count++
		}
	}
	return count
}

// running reports whether a process is there and not merely waited for.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')'):]), ") Z")
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// unique is a duration in seconds that no other sleep on the machine has.
func unique() string { return fmt.Sprintf("9%d.%d", os.Getpid(), time.Now().UnixNano()%1_000_000_000) }
