package environ_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hotswap/internal/environ"
	"hotswap/internal/online"
)

// sixYAML asks for one small package of PyPI.
const sixYAML = "dependencies:\n- pip: [six==1.16.0]\n"

// bothYAML asks for uv too.
const bothYAML = "dependencies:\n- pip: [six==1.16.0, uv]\n"

func builder(t *testing.T, dir string, strict bool) *environ.Builder {
	return environ.New(environ.Options{Dir: dir, Strict: strict, Log: slog.New(slog.DiscardHandler)})
}

// hideUV makes a PATH without uv, so that pip is what builds.
func hideUV(t *testing.T) {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "uv")); err != nil {
			kept = append(kept, dir)
		}
	}
	t.Setenv("PATH", strings.Join(kept, ":"))
}

// imports runs the interpreter of an environment and returns the version of six that it finds.
func imports(t *testing.T, python string) string {
	t.Helper()
	out, err := exec.Command(python, "-c", "import six; print(six.__version__)").CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", python, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestNoPackagesIsTheSystemsPython(t *testing.T) {
	for name, conda := range map[string]string{"no file": "", "python alone": "dependencies: [python, pip]", "server alone": "dependencies: [{pip: [azureml-defaults]}]"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			env, err := builder(t, dir, true).Build(t.Context(), conda, new(bytes.Buffer))
			if err != nil {
				t.Fatal(err)
			}
			// A shim would need more than its own path; the interpreter runs without any environment.
			cmd := exec.Command(env.Python, "-c", "print(6*7)")
			cmd.Env = []string{}
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != "42\n" {
				t.Errorf("%s: %q, %v", env.Python, out, err)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("%v was made for nothing", entries)
			}
		})
	}
}

func TestPythonThatIsNotInstalled(t *testing.T) {
	const conda = "dependencies: [python=3.99]"
	var log bytes.Buffer
	env, err := builder(t, t.TempDir(), false).Build(t.Context(), conda, &log)
	if err != nil || len(env.Warnings) != 1 || !strings.Contains(env.Warnings[0], "python 3.99") {
		t.Errorf("got %+v, %v; want a warning", env, err)
	}
	if !strings.Contains(log.String(), "python 3.99, which is not installed") {
		t.Errorf("the log has no word of it: %q", log.String())
	}
	_, err = builder(t, t.TempDir(), true).Build(t.Context(), conda, new(bytes.Buffer))
	if online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "installed: 3.") {
		t.Errorf("strict: %v, want an error that tells what is installed", err)
	}
}

// TestBuild builds an environment with pip, which has uv in it, and others with that uv.
func TestBuild(t *testing.T) {
	hideUV(t)
	dir := t.TempDir()
	b := builder(t, dir, true)
	var wg sync.WaitGroup
	logs := make([]bytes.Buffer, 3)
	pythons := make([]string, len(logs))
	for k := range logs {
		wg.Go(func() {
			env, err := b.Build(t.Context(), bothYAML, &logs[k])
			if err != nil {
				t.Error(err)
			}
			pythons[k] = env.Python
		})
	}
	wg.Wait()
	built := 0
	for k := range logs {
		built += strings.Count(logs[k].String(), "was built in")
		if pythons[k] != pythons[0] {
			t.Errorf("interpreters %q", pythons)
		}
	}
	if built != 1 {
		t.Errorf("built %d times, want once", built)
	}
	if got := imports(t, pythons[0]); got != "1.16.0" {
		t.Errorf("six %s", got)
	}
	t.Run("another builder reuses it", func(t *testing.T) {
		var log bytes.Buffer
		env, err := builder(t, dir, true).Build(t.Context(), "name: other\n"+bothYAML, &log)
		if err != nil || env.Python != pythons[0] || strings.Contains(log.String(), "was built") {
			t.Errorf("%v, %v: %s", env, err, &log)
		}
	})
	bin := t.TempDir()
	if err := os.Symlink(filepath.Join(filepath.Dir(pythons[0]), "uv"), filepath.Join(bin, "uv")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Run("with uv", buildWithUV)
}

func buildWithUV(t *testing.T) {
	var log bytes.Buffer
	b := builder(t, t.TempDir(), false)
	env, err := b.Build(t.Context(), sixYAML, &log)
	if err != nil {
		t.Fatal(err)
	}
	if got := imports(t, env.Python); got != "1.16.0" {
		t.Errorf("six %s", got)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(env.Python), "pip")); err == nil {
		t.Errorf("there is a pip, so uv did not build it: %s", &log)
	}
	t.Run("half-built one is built anew", func(t *testing.T) {
		folder := filepath.Dir(filepath.Dir(env.Python))
		stray := filepath.Join(folder, "left-by-a-crash")
		if err := errors.Join(os.Remove(filepath.Join(folder, "hotswap.complete")), os.WriteFile(stray, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		again, err := b.Build(t.Context(), sixYAML, &log)
		if err != nil || !strings.Contains(log.String(), "was built") || imports(t, again.Python) != "1.16.0" {
			t.Errorf("%v, %v: %s", again, err, &log)
		}
		if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("what the crash left is still there: %v", err)
		}
	})
	t.Run("failure tells uv's words", func(t *testing.T) {
		t.Setenv("UV_OFFLINE", "1")
		dir := t.TempDir()
		var log bytes.Buffer
		_, err := builder(t, dir, false).Build(t.Context(), "dependencies: [no-such-package-of-hotswap=1.0]", &log)
		if err == nil || online.CodeOf(err) != online.Invalid || !strings.Contains(err.Error(), "no-such-package-of-hotswap was not found") {
			t.Errorf("error %v, want uv's own words", err)
		}
		if !strings.Contains(log.String(), "no-such-package-of-hotswap was not found") {
			t.Errorf("log %q", log.String())
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "environments")); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	})
}

func TestCancelKillsTheBuild(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	started := filepath.Join(bin, "started")
	script := "#!/bin/sh\nsleep 321 &\necho $! >" + started + ".tmp\nmv " + started + ".tmp " + started + "\nwait\n"
	if err := os.WriteFile(filepath.Join(bin, "uv"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the deployment was deleted")
	failed := make(chan error, 1)
	go func() {
		_, err := builder(t, dir, false).Build(ctx, sixYAML, new(bytes.Buffer))
		failed <- err
	}()
	var pid []byte
	for pid == nil {
		time.Sleep(10 * time.Millisecond)
		pid, _ = os.ReadFile(started)
	}
	cancel(stop)
	if err := <-failed; !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	for range 500 { // a killed process takes a moment to go
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s, which the build started, still runs", pid)
}
