package rig

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The workspace that a server makes.
const (
	ResourceGroup = "hotswap"
	Workspace     = "local"
)

// Server is a hotswap serve of the test's own, as a process: the one that make builds.
type Server struct {
	URL             string // of the management plane
	CA              string // file with its certificate
	CredentialsFile string // of the service principal that it made
	Credentials     string // what is in it
	StateDir        string

	program string
	command *exec.Cmd
	stderr  bytes.Buffer
	exited  chan error
}

// Start starts a server on a free port of loopback, and stops it when the test ends.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hs-") //nolint:usetesting // because sockets lie below it, and t.TempDir is too long for them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{StateDir: filepath.Join(dir, "state"), program: Program(t, "hotswap"), exited: make(chan error, 1)}
	s.command = exec.Command(s.program, append([]string{"serve", "--state-dir", s.StateDir, "--listen", "127.0.0.1:0", "--log-level", "warn"}, args...)...)
	s.command.Stderr = &s.stderr
	s.command.WaitDelay = time.Minute // a process that outlives the server holds stderr: that is to be found
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	announced := s.read(bufio.NewScanner(stdout))
	go func() { s.exited <- s.command.Wait() }()
	t.Cleanup(func() { s.stop(t) })
	if !announced {
		t.Fatal("the server did not start")
	}
	text, err := os.ReadFile(s.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Credentials = string(text)
	return s
}

// read takes what the server announces and reports whether it was all there.
func (s *Server) read(lines *bufio.Scanner) bool {
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch value = strings.TrimSpace(value); name {
		case "management":
			s.URL = value
		case "CA":
			s.CA = value
		case "credentials":
			s.CredentialsFile = value
		case "export":
			if strings.HasPrefix(value, "AZURE_CREDENTIALS") {
				return true
			}
		}
	}
	return false
}

func (s *Server) stop(t testing.TB) {
	t.Helper()
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		if err != nil || t.Failed() {
			t.Logf("the server ended: %v\n%s", err, &s.stderr)
		}
	case <-time.After(2 * time.Minute):
		_ = s.command.Process.Kill()
		t.Errorf("the server did not stop after SIGTERM\n%s", &s.stderr)
	}
}

// Environment is what a client of the server has in its environment, and nothing of a workflow that
// this test may itself be a step of.
func (s *Server) Environment(more ...string) []string {
	env := append(Environment(), "SSL_CERT_FILE="+s.CA, "AZURE_CREDENTIALS="+s.Credentials)
	return append(env, more...)
}

// Environment is the test's own, without what a forge's runner or a cloud's session put there.
func Environment() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		ours := false
		for _, prefix := range []string{"GITHUB_", "GITEA_", "ACTIONS_", "RUNNER_", "AZURE", "HOTSWAP_", "GH_"} {
			ours = ours || strings.HasPrefix(name, prefix)
		}
		if !ours && name != "CI" {
			env = append(env, v)
		}
	}
	return env
}

// Hotswap prepares a command of a client of the server.
func (s *Server) Hotswap(args ...string) *exec.Cmd {
	c := exec.Command(s.program, args...)
	c.Env = s.Environment()
	return c
}

// Slot is a deployment as hotswap status shows it.
type Slot struct {
	Name    string `json:"name"`
	Model   string `json:"model"`
	Commit  string `json:"commit"`
	Traffic int    `json:"traffic"`
	State   string `json:"state"`
	Rollout string `json:"rollout"`
}

// Status is what hotswap status says of an endpoint.
type Status struct {
	Live        string `json:"live"`
	Deployments []Slot `json:"deployments"`
	Lock        *struct {
		Holder string `json:"holder"`
	} `json:"lock"`
	Rollout *struct {
		Rollout string `json:"rollout"`
		Phase   string `json:"phase"`
		Reason  string `json:"reason"`
	} `json:"rollout"`
}

// Slot is the deployment of that name, zero where there is none.
func (s Status) Slot(name string) Slot {
	for _, d := range s.Deployments {
		if d.Name == name {
			return d
		}
	}
	return Slot{}
}

// Status asks for an endpoint's status.
func (s *Server) Status(t testing.TB, endpoint string) (st Status) {
	t.Helper()
	out := Must(t, s.Hotswap("status", "-e", endpoint, "-o", "json"))
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// Register registers the next version of a model, whose answers carry the text.
func (s *Server) Register(t testing.TB, model, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"name": %q}`, text), 0o644); err != nil {
		t.Fatal(err)
	}
	Must(t, s.Hotswap("model", "register", "-n", model, "--path", file))
}

// Answer scores the endpoint once with {"n": 21} and returns which model answered, and the version
// of the scoring script that it answered with. The answer must be right.
func (s *Server) Answer(t testing.TB, endpoint string) (model, script string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(file, []byte(`{"n": 21}`), 0o644); err != nil {
		t.Fatal(err)
	}
	out := Must(t, s.Hotswap("endpoint", "invoke", "-n", endpoint, "--request-file", file))
	var answer struct {
		Model, Script string
		Twice         int
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Twice != 42 {
		t.Fatalf("endpoint %s answers %s: %v", endpoint, out, err)
	}
	return answer.Model, answer.Script
}
