package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

// head is what Azure's logs begin with, and clients look for.
var head = regexp.MustCompile(`^Instance status:
SystemSetup: Succeeded
UserContainerImagePull: Succeeded
ModelDownload: Succeeded
UserContainerStart: Succeeded

Container events:
(Kind: Pod, Name: \w+, Type: (Normal|Warning), Time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z, Message: .*
)*Kind: Pod, Name: Started, Type: Normal, Time: [^ ]+Z, Message: Started container inference-server, worker 0

`)

// body returns a log without its head.
func (s *site) body(container string, tail int) []string {
	s.t.Helper()
	text, err := s.Log(id, container, tail)
	if err != nil {
		s.t.Fatal(err)
	}
	at := head.FindStringIndex(text)
	if at == nil {
		s.t.Fatalf("the log has another head: %q", text)
	}
	return strings.Split(strings.TrimSuffix(text[at[1]:], "\n"), "\n")
}

const printer = `
import sys
def init():
    for n in range(10):
        print("line", n)
    print("unfinished", end="")
def run(raw):
    for _ in range(int(raw)):
        print("x" * 9999)
    print()
    print("printed", raw)
`

func TestLogOfWorkers(t *testing.T) {
	s := newSite(t)
	s.ensure(code(t, printer))
	if got := s.body(workers.InferenceServer, 0); len(got) < 10 || got[0] != "line 0" {
		t.Errorf("log %q", got)
	}
	if got := s.body(workers.InferenceServer, 3); !slices.Equal(got, []string{"line 7", "line 8", "line 9"}) {
		t.Errorf("last three lines %q", got)
	}
	if _, err := s.ask(0, "2000"); err != nil { // 20 MB, which is more than twice the limit
		t.Fatal(err)
	}
	eventually(t, "the last line is in the log", func() bool { return s.body(workers.InferenceServer, 1)[0] == "printed 2000" })
	var kept int64
	files, err := filepath.Glob(filepath.Join(s.dir, "instances", id, "workers.log*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		kept += info.Size()
	}
	if len(files) != 2 || kept < 8<<20 || kept > 16<<20 {
		t.Errorf("%d bytes are kept in %q, want between 8 and 16 MiB in two", kept, files)
	}
	if got := s.body(workers.InferenceServer, 0); len(got) < 800 {
		t.Errorf("%d lines are told", len(got))
	}
	if _, err := s.Log(id, "Sidecar", 0); online.CodeOf(err) != online.Invalid {
		t.Errorf("log of a container that there is not: %v", err)
	}
}

func TestLogOfSteps(t *testing.T) {
	s := newSite(t)
	i := code(t, echo)
	i.Conda = "dependencies: [python=3.99]" // which is not there
	s.ensure(i)
	e, _ := s.wait(0, func(e workers.Event) bool { return e.Warning != "" })
	if !strings.Contains(e.Warning, "python 3.99") {
		t.Errorf("warning %q", e.Warning)
	}
	text := strings.Join(s.body(workers.StorageInitializer, 0), "\n")
	stamp := `(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z `
	at := 0
	for _, step := range []string{"prepare", "fetch model", "fetch code", "environment", "start", "probe"} {
		for _, line := range []string{step + ": started$", step + `: succeeded in [\d.]+(µs|ms|s)$`} {
			found := regexp.MustCompile(stamp + line).FindStringIndex(text[at:])
			if found == nil {
				t.Fatalf("no %q after its forerunners in\n%s", line, text)
			}
			at += found[1]
		}
	}
	if !strings.Contains(text, "python 3.99, which is not installed") {
		t.Errorf("the environment's words are missing:\n%s", text)
	}
}

func TestLogWhileStarting(t *testing.T) {
	s := newSite(t)
	if err := s.Ensure(t.Context(), code(t, "import time\ndef init():\n    print('loading'); time.sleep(999)\ndef run(raw): pass\n")); err != nil {
		t.Fatal(err)
	}
	want := "Instance status:\nSystemSetup: Succeeded\nUserContainerImagePull: Succeeded\nModelDownload: Succeeded\nUserContainerStart: InProgress\n"
	eventually(t, "the log tells of init() and that it goes on", func() bool {
		text, err := s.Log(id, workers.InferenceServer, 1)
		return err == nil && strings.HasPrefix(text, want) && strings.HasSuffix(text, "\nloading\n")
	})
}

func TestEventsOfCrashes(t *testing.T) {
	s := newSite(t)
	n := s.ensure(code(t, echo))
	for range 3 {
		s.Restart(id, 0)
		_, n = s.wait(n, state(workers.Unready))
		_, n = s.wait(n, state(workers.Ready))
	}
	text, err := s.Log(id, workers.InferenceServer, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Killing", "BackOff"} {
		if got := strings.Count(text, fmt.Sprintf("Name: %s, Type: Warning", name)); got != 3 {
			t.Errorf("%d events %s, want 3:\n%s", got, name, text)
		}
	}
}
