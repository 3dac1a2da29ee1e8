package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the program as users build it: azcore polls differently inside a Go test, and a
// crash needs a process of its own.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	flag.Parse()
	_ = flag.Set("test.parallel", "16")        // these tests wait for processes more than they compute
	_ = os.Setenv("HOTSWAP_METRICS_LAG", "2s") // of servers that are as Azure is, and of their clients
	dir, err := os.MkdirTemp("", "hotswap-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary != "" { // never yet: it links the program, else go test's cache would not see that it has changed
		main()
	}
	binary = filepath.Join(dir, "hotswap")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 1
	}
	return m.Run()
}

// server is a hotswap serve of the test's own.
type server struct {
	command          *exec.Cmd
	stderr           *bytes.Buffer
	url, ca, creds   string
	stateDir, listen string
	args             []string
	exited           chan error
}

// startServer starts one on a free port, with its state in a folder of the test's.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startServerWith(t, nil, args...)
}

// startServerWith starts one with env beside the test's environment.
func startServerWith(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hs-") //nolint:usetesting // because sockets lie below it, and t.TempDir is too long for them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{stateDir: filepath.Join(dir, "state"), listen: "127.0.0.1:0", args: args}
	if err := s.start(env...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// start starts the server, or starts it again on the port that it had, with env beside the
// test's environment.
func (s *server) start(env ...string) error {
	s.command = exec.Command(binary, append([]string{"serve", "--state-dir", s.stateDir, "--listen", s.listen}, s.args...)...)
	s.command.Env = append(os.Environ(), env...)
	s.stderr = new(bytes.Buffer)
	s.command.Stderr = s.stderr
	s.command.WaitDelay = 20 * time.Second // a guard that outlives the server holds stderr: that is to be found, not waited for
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	announced := s.read(bufio.NewScanner(stdout))
	s.exited = make(chan error, 1)
	go func() { s.exited <- s.command.Wait() }()
	if !announced {
		err := <-s.exited
		s.exited <- err
		return fmt.Errorf("the server did not start: %w\n%s", err, s.stderr)
	}
	s.listen = "127.0.0.1:" + s.url[strings.LastIndex(s.url, ":")+1:]
	return nil
}

// read takes what the server announces and reports whether it was all there.
func (s *server) read(lines *bufio.Scanner) bool {
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch value = strings.TrimSpace(value); name {
		case "management":
			s.url = value
		case "CA":
			s.ca = value
		case "credentials":
			s.creds = value
		case "export":
			if strings.HasPrefix(value, "AZURE_CREDENTIALS") {
				return true
			}
		}
	}
	return false
}

// stop ends the server in order. A server that was killed already is fine.
func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		s.exited <- err
	case <-time.After(60 * time.Second):
		_ = s.command.Process.Kill()
		t.Errorf("the server did not stop after SIGTERM\n%s", s.stderr)
	}
}

// kill ends the server as a crash does, and waits until it is gone.
func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := <-s.exited
	s.exited <- err
}

// env is the environment of a client of s.
func (s *server) env() []string {
	creds, err := os.ReadFile(s.creds)
	if err != nil {
		panic(err)
	}
	return append(os.Environ(), "SSL_CERT_FILE="+s.ca, "AZURE_CREDENTIALS="+string(creds), "GITHUB_SHA=0123456789abcdef")
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int // -1 if a signal ended it
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", r.code, r.stdout, r.stderr)
}

// command prepares a command of a client of s, with env on top.
func (s *server) client(env []string, args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Env = append(s.env(), env...)
	return c
}

// run runs a command to its end.
func (s *server) run(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, s.client(nil, args...))
}

func finish(t *testing.T, c *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// must runs a command that has to end with 0 and returns its stdout.
func (s *server) must(t *testing.T, args ...string) string {
	t.Helper()
	r := s.run(t, args...)
	if r.code != 0 {
		t.Fatalf("hotswap %s: %s", strings.Join(args, " "), r)
	}
	return r.stdout
}
