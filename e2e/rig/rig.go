// Package rig is what the tests with real components stand on: a hotswap server on loopback, the
// models and endpoints of a team on it, and the team's repository.
package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Root is the folder of Hotswap's own repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module hotswap/e2e\n")) {
			return filepath.Dir(dir)
		}
	}
	t.Fatal("this is not within the module hotswap/e2e")
	return ""
}

// Program is the file of a program that make e2e builds: hotswap, or a tool like act.
func Program(t testing.TB, name string) string {
	t.Helper()
	file := filepath.Join(Root(t), ".cache", "bin", name)
	if name == "hotswap" {
		file = filepath.Join(Root(t), "bin", name)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("%s is not built: run make e2e", file)
	}
	return file
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Code           int // -1 if a signal ended it
}

func (r Result) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", r.Code, r.Stdout, r.Stderr)
}

// Run runs a command to its end, whatever that is.
func Run(t testing.TB, c *exec.Cmd) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return Result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// Must runs a command that has to end with 0 and returns its stdout.
func Must(t testing.TB, c *exec.Cmd) string {
	t.Helper()
	r := Run(t, c)
	if r.Code != 0 {
		t.Fatalf("%s: %s", strings.Join(c.Args, " "), r)
	}
	return r.Stdout
}
