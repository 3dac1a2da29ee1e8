package process_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"hotswap/internal/crashpoint"
	"hotswap/internal/environ"
	"hotswap/internal/online"
	"hotswap/internal/workers"
	"hotswap/internal/workers/process"
)

// host runs a launcher with one instance until it is killed. It prints a line for each event.
func host(dir, code string) int {
	l, err := process.New(options(dir))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l.Watch(func(e workers.Event) { fmt.Println(e.State, e.PID, e.StartTime) })
	err = l.Ensure(context.Background(), workers.Instance{
		ID: id, Processes: 2, Script: "score.py", Code: online.Ref{Kind: online.Codes, Name: code},
		Variables: map[string]string{"DAEMON": os.Getenv("DAEMON"), "DAEMON_ENV": "{}"},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	select {}
}

// startHost runs a host in a process of its own and returns what it reports.
func startHost(t *testing.T, dir, daemon string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "host", dir, code(t, echo).Code.Name)
	cmd.Env = append(append(os.Environ(), "DAEMON="+daemon), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// ready reads a host's reports until its instance is ready, and returns the guard that they name.
func ready(t *testing.T, reports *bufio.Scanner) (l workers.Leftover) {
	t.Helper()
	for reports.Scan() {
		words := strings.Fields(reports.Text())
		if len(words) == 3 && words[1] != "0" {
			l.ID = id
			l.PID, _ = strconv.Atoi(words[1])
			l.StartTime, _ = strconv.ParseUint(words[2], 10, 64)
		}
		if words[0] == string(workers.Ready) && l.PID > 0 {
			return l
		}
	}
	t.Fatalf("the host ended before its instance was ready: %v", reports.Err())
	return l
}

func TestKilledServerLeavesNoProcess(t *testing.T) {
	dir, daemon := t.TempDir(), unique()
	cmd, reports := startHost(t, dir, daemon)
	guard := ready(t, reports)
	if n := len(mentioning(t, daemon)); n != 5 || !running(guard.PID) { // the host, two workers, two daemons
		t.Fatalf("%d processes and guard %d (%t) before the kill", n, guard.PID, running(guard.PID))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "guard, workers and daemons are gone", func() bool {
		return !running(guard.PID) && len(mentioning(t, daemon)) == 0 && len(mentioning(t, dir)) == 0
	})
	l, err := process.New(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	if log, err := l.Log(id, workers.InferenceServer, 100); err != nil || !strings.Contains(log, "UserContainerStart: Succeeded") || !strings.Contains(log, "init of") {
		t.Errorf("the log did not survive: %q, %v", log, err)
	}
}

func TestCrashAroundTheFork(t *testing.T) {
	for _, point := range []string{"process.fork.before", "process.fork.after"} {
		t.Run(point, func(t *testing.T) {
			dir, daemon := t.TempDir(), unique()
			cmd, reports := startHost(t, dir, daemon, crashpoint.Variable+"="+point)
			for reports.Scan() {
				if strings.Contains(reports.Text(), string(workers.Ready)) {
					t.Error("the point was not hit")
					break
				}
			}
			if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
				t.Errorf("the host ended with %v", err)
			}
			eventually(t, "nothing is left", func() bool { return len(mentioning(t, daemon))+len(mentioning(t, dir)) == 0 })
		})
	}
}

func TestOnce(t *testing.T) {
	const daemon = "setsid sh -c 'sleep 4321 & exec sleep 4321' & "
	for name, test := range map[string]struct {
		script, output, err string
		cancel              bool
	}{
		"success":      {script: "echo built; echo well >&2", output: "built\nwell\n"},
		"failure":      {script: "echo no such package; exit 7", output: "no such package\n", err: "exit status 7"},
		"leaves some":  {script: daemon + "sleep 0.1; echo built", output: "built\n"},
		"cancelled":    {script: daemon + "echo started; sleep 4321", output: "started\nsignal: killed\n", cancel: true, err: "exit status 137"},
		"no such tool": {err: "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			mark := unique()
			tool := environ.Tool{Argv: []string{"/bin/sh", "-c", test.script}, Env: []string{"MARK=" + mark, "PATH=/usr/bin:/bin"}, Dir: t.TempDir()}
			if test.script == "" {
				tool.Argv = []string{"/no/such/tool"}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var output strings.Builder
			tool.Output = &output
			if test.cancel {
				tool.Output = writer(func(p []byte) { output.Write(p); cancel() })
			}
			err := process.Once(guardCommand())(ctx, tool)
			if got := fmt.Sprint(err); test.err != "" && got != test.err || test.err == "" && err != nil {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if test.output != "" && output.String() != test.output {
				t.Errorf("output %q, want %q", &output, test.output)
			}
			if left := mentioning(t, mark); len(left) > 0 {
				t.Errorf("left running: %q", left)
			}
		})
	}
}

// writer is an io.Writer.
type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// sleeper is a process of an earlier server, with a child, that did not end with it.
func sleeper(t *testing.T, env ...string) (*exec.Cmd, workers.Leftover) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "sleep 4321 & wait")
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	started, err := strconv.ParseUint(strings.Fields(rest)[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, workers.Leftover{ID: "leftover1", PID: cmd.Process.Pid, StartTime: started}
}

func TestSweep(t *testing.T) {
	s := newSite(t)
	mark := unique()
	recorded, leftover := sleeper(t, "MARK="+mark)
	other, reused := sleeper(t, "MARK="+mark)
	reused.ID = "leftover2"
	reused.StartTime++ // another process had this number then
	stray, _ := sleeper(t, "HOTSWAP_INSTANCE="+filepath.Join(s.dir, "instances", "unknown01"), "MARK="+mark)
	for _, name := range []string{"leftover1/steps.log", "leftover2/steps.log", "unknown01/model/x"} {
		write(t, filepath.Join(s.dir, "instances", name), "text")
	}
	write(t, filepath.Join(s.dir, "run", "leftover1.0.sock"), "")
	eventually(t, "all of them and their children run", func() bool { return len(mentioning(t, mark)) == 6 })
	leftovers := []workers.Leftover{leftover, reused, {ID: "leftover3"}}
	if err := s.Sweep(t.Context(), leftovers); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was left is gone", func() bool { return !running(recorded.Process.Pid) && !running(stray.Process.Pid) })
	if left := mentioning(t, mark); len(left) != 2 || !running(other.Process.Pid) {
		t.Errorf("left: %q, want the other's two", left)
	}
	for path, kept := range map[string]bool{"instances/leftover1": true, "instances/leftover2": true, "instances/unknown01": false, "run/leftover1.0.sock": false} {
		if missing(filepath.Join(s.dir, path)) == kept {
			t.Errorf("%s: kept %t, want %t", path, !kept, kept)
		}
	}
	for _, line := range mentioning(t, mark) { // the other's child is nobody's
		pid, _ := strconv.Atoi(strings.Fields(line)[0])
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
