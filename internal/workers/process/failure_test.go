package process_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hotswap/internal/online"
	"hotswap/internal/workers"
)

func TestInstanceFails(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		change func(*testing.T, *workers.Instance)
		want   []string
		code   online.Code
	}{
		"syntax error":         {script: "def init(:\n", want: []string{"worker 0 ended: exit status 3", "SyntaxError"}},
		"import error":         {script: "import no_such_module\n", want: []string{"exit status 3", "No module named 'no_such_module'"}},
		"init raises":          {script: "def init(): raise ValueError('no model here')\ndef run(raw): pass\n", want: []string{"exit status 3", "ValueError: no model here"}},
		"init exits":           {script: "import os\ndef init(): os._exit(9)\ndef run(raw): pass\n", want: []string{"exit status 9", "it printed nothing"}},
		"init kills itself":    {script: "import os\ndef init(): os.kill(0, 9)\ndef run(raw): pass\n", want: []string{"signal: killed"}},
		"init never returns":   {script: "import time\ndef init():\n    print('loading'); time.sleep(999)\ndef run(raw): pass\n", change: impatient, want: []string{"probe: worker 0: it did not answer within 1.5s", "loading"}},
		"init deaf to signals": {script: "import signal, time\ndef init():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(999)\ndef run(raw): pass\n", change: impatient, want: []string{"did not answer"}},
		"no such script":       {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Script = "other.py" }, want: []string{"fetch code", `"other.py"`, "no such file"}},
		"script is a folder":   {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Script = "." }, want: []string{"is no file"}},
		"script climbs out":    {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Script = "../../../etc/passwd" }, want: []string{"below the code folder"}},
		"absolute script":      {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Script = "/etc/passwd" }, want: []string{"below the code folder"}},
		"script links out":     {script: echo, change: linkOut, want: []string{`"link.py"`, "escapes"}},
		"no code":              {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Code = online.Ref{} }, want: []string{"has no code"}},
		"no such code":         {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Code.Name = "/no/such" }, want: []string{"fetch code", "/no/such", "no such file"}, code: online.Internal},
		"unreadable model":     {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Model = online.Ref{Kind: online.Models, Name: "/no/such"} }, want: []string{"fetch model", "no such file"}, code: online.Internal},
		"bad conda file":       {script: echo, change: func(_ *testing.T, i *workers.Instance) { i.Conda = "dependency: []" }, want: []string{"environment: conda file", "dependency"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			i := code(t, test.script)
			if test.change != nil {
				test.change(t, &i)
			}
			if err := s.Ensure(t.Context(), i); err != nil {
				t.Fatal(err)
			}
			e, _ := s.wait(0, state(workers.Failed))
			for _, want := range test.want {
				if !strings.Contains(e.Err.Error(), want) {
					t.Errorf("error %q, want one with %q", e.Err, want)
				}
			}
			if want := cmp.Or(test.code, online.Invalid); online.CodeOf(e.Err) != want {
				t.Errorf("code %s, want %s", online.CodeOf(e.Err), want)
			}
			eventually(t, "the processes of a failed instance are gone", func() bool { return len(mentioning(t, s.dir)) == 0 })
			if log, err := s.Log(id, workers.StorageInitializer, 0); err != nil || !strings.Contains(log, ": Failed\n") || !strings.Contains(log, "failed after") {
				t.Errorf("log %q, %v", log, err)
			}
			if err := s.Ensure(t.Context(), i); err != nil {
				t.Errorf("a failed instance is asked for again: %v", err)
			}
		})
	}
}

func impatient(_ *testing.T, i *workers.Instance) { i.Readiness = probe(1500 * time.Millisecond) }

func linkOut(t *testing.T, i *workers.Instance) {
	i.Script = "link.py"
	if err := os.Symlink("/etc/passwd", filepath.Join(i.Code.Name, "link.py")); err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a full disk is a small one that is mounted, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := newSiteIn(t, disk, nil)
	i := code(t, echo)
	model := filepath.Join(t.TempDir(), "large")
	write(t, filepath.Join(model, "weights"), strings.Repeat("x", 1<<20))
	i.Model = online.Ref{Kind: online.Models, Name: model}
	if err := s.Ensure(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.wait(0, state(workers.Failed)); !errors.Is(e.Err, syscall.ENOSPC) {
		t.Errorf("error %v, want that the disk is full", e.Err)
	}
	if log, err := s.Log(id, workers.InferenceServer, 0); err != nil || !strings.Contains(log, "ModelDownload: Failed") {
		t.Errorf("log %q, %v", log, err)
	}
	if err := s.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}
}
